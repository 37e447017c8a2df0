// A heap from its start, with its threads, to its end, with memory given back, by wall clock: in a process that has reserved its
// address range already (the first heap's start is with the empty heap's figures).

import Tricolor
import TricolorPlatform

enum HeapLifetime {
  static func run(_ session: Session) throws -> [Figure] {
    var starts: [Double] = []
    var lives: [Double] = []
    var usedLives: [Double] = []
    for turn in 0...session.repetitions {
      let (start, life) = try measure { _ in true }
      let (_, usedLife) = try measure { heap in
        try heap.withMutator { mutator in try mutator.make(Sample32(9)).number == 9 }
      } onResult: {
        session.verify($0, "the object of a short-lived heap")
      }
      if turn == 0 { continue }
      starts.append(start)
      lives.append(life)
      usedLives.append(usedLife)
    }
    func figure(_ name: String, _ samples: [Double], target: Double? = nil) -> Figure {
      Figure(group: "heap", name: name, unit: .microseconds, samples: samples, target: target)
    }
    return [
      figure("heap-start", starts, target: 1000), figure("heap-start-to-end", lives, target: 1000),
      figure("heap-with-one-object", usedLives),
    ]
  }

  /// Microseconds until a heap is there, and until it is gone again after `body`.
  private static func measure(
    _ body: (Heap) throws -> Bool, onResult: (Bool) -> Void = { _ in }
  ) throws -> (start: Double, life: Double) {
    let began = Clock.monotonic()
    var heap: Heap? = try Heap()
    let started = Clock.monotonic()
    onResult(try body(heap!))
    heap = nil
    let ended = Clock.monotonic()
    return (Double(started - began) / 1000, Double(ended - began) / 1000)
  }
}
