// The side tables of a heap with 1 GiB live, as a share of the memory of its blocks: by the heap's own reckoning, and by what the
// process grew beyond those blocks. Objects of 1 KiB that one array holds; a cycle has run, so that mark bits have been touched.

import Tricolor

enum Metadata {
  private static let liveBytes = 1 << 30
  private static let objectBytes = 1024

  static func run(_ session: Session) throws -> [Figure] {
    let before = try ProcessMemory.residentBytes()
    let heap = try Heap.uncollected()
    let count = liveBytes / objectBytes
    let root = try heap.withMutator { mutator in
      let all = try mutator.makeArray(of: Bytes.self, count: count)
      for index in 0..<count { all[index] = try mutator.makeBytes(count: objectBytes - 8) { fill($0, index) } }
      return mutator.root(all)
    }
    heap.collect()
    let statistics = heap.statistics
    let grown = try ProcessMemory.residentBytes() - before
    session.verify(
      heap.withMutator { mutator in
        let all = root.get(mutator)!
        return (0..<count).allSatisfy { all[$0]![$0 % (objectBytes - 8)] == UInt8(truncatingIfNeeded: $0) }
      }, "1 GiB of bytes")
    let blocks = statistics.usedBlockBytes + statistics.heldFreeBytes
    func figure(_ name: String, _ bytes: Int, note: String) -> Figure {
      Figure(
        group: "metadata", name: name, unit: .percent, samples: [100 * Double(bytes) / Double(blocks)], target: 2,
        note: note)
    }
    return [
      figure(
        "metadata-share", statistics.metadataBytes,
        note: "\(statistics.metadataBytes >> 10) KiB for \(blocks >> 20) MiB of blocks"),
      figure("process-beyond-blocks", grown - blocks, note: "threads, code and malloc included"),
    ]
  }

  private static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ index: Int) {
    bytes.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: index))
  }
}
