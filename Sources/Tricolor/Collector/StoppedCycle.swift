// Cycles that stop the program for a moment, for programs whose stores the collector does not hear of. Everything else never stops.
//
// `briefly`: step 3 is done for everybody while all are held, together with the root handles and ranges. The snapshot is then one of a
// single moment, so roots may be written by plain stores at any time: what they hold later was reachable at the snapshot or is black.
// When marking has found nothing more, everybody is held once more and stacks and roots are scanned again: that finds what stores
// announced only after they were made (`tricolor_stored`) have moved there. Boehm, Demers and Shenker, "Mostly parallel garbage collection"
// (PLDI 1991).
//
// `always`: the first of the two holds lasts until marking is over. No store needs a barrier; no cycle is young. It is
// also `GODEBUG=gcstoptheworld=1`.
//
// Invariant: during a hold each mutator's part is done by the collector thread, and afterwards counts as answered by the mutator.

import Synchronization

/// When a cycle stops the program.
package enum StopMode: UInt8, Sendable {
  case never
  /// While roots are scanned, and at the end of marking.
  case briefly
  /// While marking.
  case always
}

extension HeapCore {
  /// How this heap's cycles stop the program, from the next one on.
  var stopMode: StopMode {
    let mode = StopMode(rawValue: state.pointee.stopMode.load(ordering: .sequentiallyConsistent)) ?? .never
    return mode == .never && (state.pointee.roots.hasPlainRanges || state.pointee.links.isUsed) ? .briefly : mode
  }

  /// Waits for the end of a cycle that may have begun with another mode: it counts its number before it looks at the mode.
  func awaitStopMode() {
    let begun = state.pointee.cycle.load(ordering: .sequentiallyConsistent)
    _ = waitForCycle(after: begun - 1) { true }
  }

  /// Step 3 in a hold, and in `always` the marking too.
  func beginMarkingHeld(_ record: inout CycleRecord) {
    let marksHere = state.pointee.stopsInCycle == .always
    holdEverybody(asIf: .roots) {
      forEachMutator { $0.perform(.roots, stackPointer: $0.state.pointee.parkedStack) }
      scanRoots()
      openMarking(&record)
      if marksHere { markHeld(&record) }
    }
  }

  /// Marks with the program running until nothing is grey, then holds it and marks what stacks and roots hold now.
  func markUntilHeld(_ record: inout CycleRecord) {
    markInRounds(&record, ask: { shakeHands(.finish) }, isOver: { state.pointee.grey.wasQuietRound() })
    holdEverybody {
      forEachMutator { mutator in
        if mutator.state.pointee.parkedStack != 0 { mutator.scanThread(from: mutator.state.pointee.parkedStack) }
      }
      scanRoots()
      markHeld(&record)
    }
  }

  /// Steps 4 and 5 with everybody held.
  private func markHeld(_ record: inout CycleRecord) {
    markInRounds(&record, ask: { forEachMutator { $0.flushBuffer() } }, isOver: { endIfQuiet() })
    state.pointee.links.clear(long: true)
  }
}
