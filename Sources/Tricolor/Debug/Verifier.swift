// When a heap is examined: on `Heap.verify()`, after every cycle (`GODEBUG=gcverify=1`), and at the end of every marking
// (`GODEBUG=gccheckmark=1`). All three on the collector thread, with every mutator held.
//
// The switches end the program at the first examination that finds anything, with the list on standard error: a program must not go
// on with a heap that is known to be broken.

import Synchronization

extension HeapCore {
  /// `gcverify`: examines the swept heap after a cycle; ends the program when it is not sound.
  func verifyOrEnd() {
    let result = verify(withCensus: false)
    if !result.isSound { endProgram("gcverify", result) }
  }

  /// Examines the heap. On the collector thread, with everything swept.
  func verify(withCensus: Bool) -> HeapVerification {
    var result: HeapVerification? = nil
    holdEverybody {
      let audit = HeapAudit(self, at: .idle)
      audit.run()
      result = audit.verification(withCensus: withCensus)
    }
    return result!
  }

  /// `gccheckmark`: marks again from scratch, apart, and compares. Everybody is held, marking is complete. Ends the program when a
  /// reachable object is unmarked.
  func compareMarksOrEnd() -> MarkComparison {
    let audit = HeapAudit(self, at: .marked)
    audit.run()
    if audit.faults.count > 0 { endProgram("gccheckmark", audit.verification(withCensus: false)) }
    return audit.comparison
  }

  private func endProgram(_ check: String, _ result: HeapVerification) -> Never {
    let cycle = state.pointee.cycle.load(ordering: .relaxed)
    StandardError.write("tricolor: \(check) in cycle \(cycle): \(result)\n")
    fatalError("tricolor: \(check) found the heap broken")
  }
}

extension HeapAudit {
  /// The marks beside the audit's own. Cells that are marked because they will be allocated black are no objects yet.
  var comparison: MarkComparison {
    var unreached = 0
    for block in extent where use(block).pointee.head != 0 {
      let first = block * Geometry.bitmapWordsPerBlock
      for word in first..<first + Geometry.bitmapWordsPerBlock {
        unreached += (map.markBits[word] & ~seen[word]).nonzeroBitCount
      }
    }
    let unused = openRuns.reduce(0) {
      $0 + Int($1.run.limit - $1.run.cursor) / LayoutTable.laneClasses[$1.lane].cellBytes
    }
    return MarkComparison(reached: nodes.count, floating: unreached - unused, onStackAlone: onStackAlone)
  }
}
