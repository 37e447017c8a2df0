// Sweeping blocks in which nothing lives any more, which also gives them back to the heap: each turn fills 64 MiB with nodes that
// nobody holds, and collects. CPU time from the heap's statistics.

@_spi(Testing) import Tricolor

enum Sweeping {
  private static let bytes = 64 << 20

  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    var samples: [Double] = []
    for turn in 0...session.repetitions {
      try heap.withMutator { mutator in
        for number in 0..<bytes / MemoryLayout<Sample32>.size { _ = try mutator.make(Sample32(UInt(number))) }
      }
      let before = heap.statistics
      heap.collect()
      let after = heap.statistics
      session.verify(after.usedBlockBytes < before.usedBlockBytes / 100, "that dead blocks were given back")
      let blocks = before.usedBlockBytes / Heap.blockBytes
      if turn > 0 { samples.append(Double(after.cpu.sweep - before.cpu.sweep) / Double(blocks)) }
    }
    return [
      Figure(group: "sweep", name: "sweep-dead", unit: .nanoseconds, samples: samples, note: "a block of 16 KiB")
    ]
  }
}
