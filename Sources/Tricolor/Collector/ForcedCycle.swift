// Cycles that somebody waits for: `collect()` and the stress mode.

import Synchronization
import TricolorPlatform

extension HeapCore {
  /// Asks for a cycle that begins from now on and waits until it has ended and been swept. The caller is parked or outside.
  ///
  /// With `mayBeYoung`, it may be a young one, which leaves old objects alone.
  func collectAndWait(mayBeYoung: Bool = false) {
    // A cycle that is running began before the call: the one after it is the first that counts.
    let begun = state.pointee.cycle.load(ordering: .sequentiallyConsistent)
    mayBeYoung ? request(HeapCore.wantsYoung) : requestCycle(.forced)
    _ = waitForCycle(after: begun) { true }
  }

  /// Asks for a full cycle that begins from now on and waits until it has ended and been swept, or `goesOn`, asked at least every tenth of
  /// a second and when `deadline` has come, answers false. Whether it has ended. The caller is parked or outside.
  func collectAndWait(until deadline: ContinuousClock.Instant, whileTrue goesOn: () -> Bool) -> Bool {
    let begun = state.pointee.cycle.load(ordering: .sequentiallyConsistent)
    requestCycle(.forced)
    return waitForCycle(after: begun, until: deadline, whileTrue: goesOn)
  }

  /// Waits for the end of the first cycle with a number above `begun`; the rest as for `collectAndWait`.
  func waitForCycle(
    after begun: Int, until deadline: ContinuousClock.Instant? = nil, whileTrue goesOn: () -> Bool
  ) -> Bool {
    while true {
      let seen = state.pointee.cycleEnded.current()
      if state.pointee.cyclesDone.load(ordering: .acquiring) > begun { return true }
      var patience: Int64 = 100_000_000
      if let deadline {
        let left = ContinuousClock.now.duration(to: deadline)
        if left <= .zero { return false }
        if left < .nanoseconds(patience) { patience = left.components.attoseconds / 1_000_000_000 }
      }
      if !goesOn() { return false }
      _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: patience)
    }
  }

  /// `GODEBUG=gcstress=1`: a whole cycle at every poll of every mutator that is not already waiting for one.
  func stressCollect(_ mutator: MutatorCore) {
    ThreadRecords.whileParked { collectAndWait(mayBeYoung: state.pointee.pacing.generations.mode == .always) }
  }
}
