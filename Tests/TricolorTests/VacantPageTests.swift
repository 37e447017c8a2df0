// Near a limit, pages inside blocks in use go back to the system.

import Testing

@_spi(Testing) @testable import Tricolor

@Suite("Pages on which nothing lives")
struct VacantPageTests {
  private static let count = 4000
  private static let bytes = 8192

  /// A heap without a limit on whose blocks one of four byte arrays is alive, each filled with its own number.
  private func makeHoles() throws -> (Heap, Root<ReferenceArray<Bytes>>) {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.limitScope = .heap
    configuration.settings.debug.gcVerify = true
    let heap = try Heap(configuration: configuration)
    let root = try onOwnThread {
      try heap.withMutator { m in
        let array = try m.makeArray(of: Bytes.self, count: VacantPageTests.count)
        for i in 0..<VacantPageTests.count {
          let bytes = try VacantPageTests.filled(i, m)
          if i % 4 == 0 { array[i] = bytes }
        }
        return m.root(array)
      }
    }
    heap.collect()
    return (heap, root)
  }

  /// A full cycle under a limit that leaves no room beside what is alive and its holes.
  private func collectUnderLimit(_ heap: Heap) {
    heap.configuration.memoryLimit = .bytes(12 << 20)
    heap.collect()
  }

  private static func filled(_ number: Int, _ m: Mutator) throws -> Reference<Bytes> {
    try m.makeBytes(count: bytes) { $0.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number)) }
  }

  private func wrong(_ heap: Heap, _ root: Root<ReferenceArray<Bytes>>, every step: Int) throws -> [Int] {
    try onOwnThread {
      heap.withMutator { m in
        let array = root.get(m)!
        return stride(from: 0, to: VacantPageTests.count, by: step).filter { i in
          array[i].map { $0.withBytes { $0.contains { $0 != UInt8(truncatingIfNeeded: i) } } } ?? true
        }
      }
    }
  }

  @Test("stay while there is room, and go back in a full cycle that leaves little: most of what the holes hold")
  func goBack() throws {
    let (heap, root) = try makeHoles()
    let used = heap.statistics.usedBlockBytes
    #expect(used > 30 << 20)
    #expect(heap.statistics.vacantBytes == 0)
    let released = heap.statistics.releasedBytes
    collectUnderLimit(heap)
    let holes = used - heap.statistics.liveBytes
    #expect(heap.statistics.usedBlockBytes == used)
    #expect(heap.statistics.vacantBytes > holes * 3 / 4)
    #expect(heap.statistics.releasedBytes - released == heap.statistics.vacantBytes)
    #expect(try wrong(heap, root, every: 4).isEmpty)
  }

  @Test("hold memory again when they are allocated on, and read zero")
  func areUsedAgain() throws {
    let (heap, root) = try makeHoles()
    collectUnderLimit(heap)
    let (used, vacant) = (heap.statistics.usedBlockBytes, heap.statistics.vacantBytes)
    heap.configuration.memoryLimit = .off
    let unclean = try onOwnThread {
      try heap.withMutator { m in
        let array = root.get(m)!
        var unclean = 0
        for i in 0..<VacantPageTests.count where i % 4 == 2 {
          array[i] = try m.makeBytes(count: VacantPageTests.bytes)
          if array[i]!.withBytes({ $0.contains { $0 != 0 } }) { unclean += 1 }
          array[i] = try VacantPageTests.filled(i, m)
        }
        return unclean
      }
    }
    #expect(unclean == 0)
    #expect(heap.statistics.usedBlockBytes == used)
    #expect(heap.statistics.vacantBytes < vacant / 2)
    heap.collect()
    #expect(try wrong(heap, root, every: 2).isEmpty)
  }

  @Test("are none any more when everything has died and the blocks are free")
  func areFreed() throws {
    let (heap, root) = try makeHoles()
    collectUnderLimit(heap)
    #expect(heap.statistics.vacantBytes > 0)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    #expect(heap.statistics.vacantBytes == 0)
    #expect(heap.statistics.usedBlockBytes == 0)
  }
}
