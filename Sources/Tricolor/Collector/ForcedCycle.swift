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
    while state.pointee.cyclesDone.load(ordering: .acquiring) <= begun {
      let seen = state.pointee.cycleEnded.current()
      if state.pointee.cyclesDone.load(ordering: .acquiring) > begun { return }
      _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: 100_000_000)
    }
  }

  /// `GODEBUG=gcstress=1`: a whole cycle at every poll of every mutator that is not already waiting for one.
  func stressCollect(_ mutator: MutatorCore) {
    ThreadRecords.whileParked { collectAndWait(mayBeYoung: state.pointee.pacing.generations.mode == .always) }
  }
}
