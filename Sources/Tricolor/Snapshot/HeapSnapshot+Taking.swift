// Taking a snapshot: on the collector thread, between two cycles, while everybody is held.

import Synchronization
import TricolorPlatform

extension Heap {
  /// Copies the graph of all that is reachable now: objects by layout and size, and who refers to whom.
  ///
  /// From any thread, inside `withMutator` or not. A running cycle ends first. All threads that are inside wait while the graph is copied (``HeapSnapshot/heldNanoseconds``
  /// says for how long: 0.6 s for 4 million objects with 12 million references in random order), and not while anything is computed of
  /// it; a thread that waits inside for another one without `blocking` makes this wait for ever, as ``verify()``.
  ///
  /// The copy lies outside the heap: 64 bytes an object and 12 a reference with all that can be asked of it. Under a memory limit it is refused
  /// when that does not fit the room that is left; `ignoringLimit` takes it all the same.
  ///
  /// - Throws: ``SnapshotError``.
  public func snapshot(ignoringLimit: Bool = false) throws(SnapshotError) -> HeapSnapshot {
    ForkedChild.refuse()
    return try core.runBetweenCycles { $0.takeSnapshot(ignoringLimit: ignoringLimit) }.get()
  }
}

extension HeapCore {
  /// Copies the graph. On the collector thread, with everything swept.
  fileprivate func takeSnapshot(ignoringLimit: Bool) -> Result<HeapSnapshot, SnapshotError> {
    let room = ignoringLimit || limitInForce == .max ? Int.max : max(0, limitInForce - sampleMemory())
    let asked = Clock.monotonic()
    var copied: Result<(SnapshotCopier, CopiedGraph), SnapshotError>? = nil
    holdEverybody {
      copied = Result { () throws(SnapshotError) in try copyGraph(room: room) }
    }
    let held = Clock.monotonic() - asked
    return copied!.map { copier, graph in
      let kinds = copier.kinds()
      return HeapSnapshot(
        kinds: kinds, nodeCount: graph.numbers.count, kindOfNode: graph.kindOfNode, numbers: graph.numbers,
        firstEdge: graph.firstEdge, targets: graph.targets, labels: graph.labels, fieldNames: nil, heldNanoseconds: held
      )
    }
  }

  private func copyGraph(room: Int) throws(SnapshotError) -> (SnapshotCopier, CopiedGraph) {
    // Bitmaps and counts, where the heap has blocks.
    let tables = usedBytes / 50
    if tables > room { throw .noRoom(neededBytes: tables, roomBytes: room) }
    let copier = try SnapshotCopier(self)
    copier.find()
    let needed = tables + copier.neededBytes
    if needed > room { throw .noRoom(neededBytes: needed, roomBytes: room) }
    return (copier, try copier.write())
  }
}
