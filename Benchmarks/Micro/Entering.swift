// Entering and leaving the heap from a thread that is attached, and once more from inside.

import CTricolorShims
import Tricolor

enum Entering {
  private static let count = 1 << 17

  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    try heap.attachThread()
    var entered = 0
    func isAll(_ count: Int) -> Bool { entered == count }
    return try session.measure(
      "entering",
      [
        Operation(name: "loop", loop: "loop", count: count, body: countUp),
        Operation(
          name: "with-mutator", loop: "loop", count: count, target: 15, mostInstructions: 70,
          body: { entered = enterMany(heap, $0) },
          check: isAll),
        Operation(
          name: "with-mutator-nested", loop: "loop", count: count,
          body: { count in entered = heap.withMutator { _ in enterMany(heap, count) } }, check: isAll),
      ])
  }
}

/// Enters and leaves; how often it was inside.
@inline(never) private func enterMany(_ heap: Heap, _ count: Int) -> Int {
  var entered = 0
  for number in 0..<count {
    entered &+= heap.withMutator { mutator in
      tricolor_keep(UInt(bitPattern: number))
      return 1
    }
  }
  return entered
}
