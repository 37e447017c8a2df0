// Near a limit, pages inside blocks in use go back to the system; and how far a heap may go past a limit that cannot be kept.

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
    heap.configuration.memoryLimit = .bytes(12 << 20)
    heap.collect()
    let holes = used - heap.statistics.liveBytes
    #expect(heap.statistics.usedBlockBytes == used)
    #expect(heap.statistics.vacantBytes > holes * 3 / 4)
    #expect(heap.statistics.releasedBytes - released == heap.statistics.vacantBytes)
    #expect(try wrong(heap, root, every: 4).isEmpty)
  }

  @Test("hold memory again when they are allocated on, and read zero")
  func areUsedAgain() throws {
    let (heap, root) = try makeHoles()
    heap.configuration.memoryLimit = .bytes(12 << 20)
    heap.collect()
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
    heap.configuration.memoryLimit = .bytes(12 << 20)
    heap.collect()
    #expect(heap.statistics.vacantBytes > 0)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    #expect(heap.statistics.vacantBytes == 0)
    #expect(heap.statistics.usedBlockBytes == 0)
  }
}

@Suite("What a heap may go past its limit by")
struct OverdraftTests {
  private static let step = 1 << 20

  @Test("is nothing while full cycles leave room, and what is missing from a step when one has not")
  func begins() {
    let overdraft = Overdraft()
    let before = overdraft.take(1)
    overdraft.renew(room: OverdraftTests.step / 4, step: OverdraftTests.step, mostBytes: .max)
    let granted = overdraft.left.load(ordering: .relaxed)
    overdraft.end()
    let after = overdraft.take(1)
    #expect(!before && !after)
    #expect(granted == OverdraftTests.step / 4 * 3)
  }

  @Test("doubles twice while cycles fail one after the other, and begins anew after one that has not")
  func doubles() {
    let overdraft = Overdraft()
    var grants: [Int] = []
    for cycle in 0..<5 {
      if cycle == 4 { overdraft.end() }
      overdraft.renew(room: -5 * OverdraftTests.step, step: OverdraftTests.step, mostBytes: .max)
      grants.append(overdraft.left.load(ordering: .relaxed) / OverdraftTests.step)
    }
    #expect(grants == [1, 2, 4, 4, 1])
  }

  @Test("is never more than may be granted, nor less than nothing", arguments: [(1000, 1000), (-1000, 0)])
  func isBounded(most: Int, granted: Int) {
    let overdraft = Overdraft()
    overdraft.renew(room: 0, step: OverdraftTests.step, mostBytes: most)
    let left = overdraft.left.load(ordering: .relaxed)
    #expect(left == granted)
  }

  @Test("is taken in parts, and half of it used is told")
  func isTaken() {
    let overdraft = Overdraft()
    overdraft.renew(room: 0, step: 100, mostBytes: .max)
    let taken = [50, 20, 31, 30, 1].map { (overdraft.take($0), overdraft.isHalfUsed) }
    #expect(taken.map(\.0) == [true, true, false, true, false])
    #expect(taken.map(\.1) == [false, true, true, true, true])
  }
}

@Suite("The line that a heap keeps to below the limit of its control group")
struct KillLineTests {
  private static let limit = 1_000_000

  @Test("lies at 95 % of the limit at first, and leaves no less than nothing")
  func first() {
    var line = KillLine()
    #expect(line.room(limit: KillLineTests.limit, usage: 920_000, now: 1) == 30_000)
    var other = KillLine()
    #expect(other.room(limit: KillLineTests.limit, usage: 960_000, now: 1) == 0)
  }

  @Test("comes closer to the limit by a tenth of the last part in a second, and stays a hundredth away")
  func comesCloser() {
    var line = KillLine()
    let rooms = (0..<2000).map {
      line.room(limit: KillLineTests.limit, usage: 940_000, now: UInt64(1 + $0) * 10_000_000)
    }
    #expect(rooms[0] == 10_000)
    #expect(rooms[100] == 15_000)
    #expect(zip(rooms, rooms.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(rooms.last! == 50_000)
  }

  @Test("comes no closer for a long time without a cycle than for a tenth of a second")
  func longTime() {
    var line = KillLine()
    _ = line.room(limit: KillLineTests.limit, usage: 940_000, now: 0)
    #expect(line.room(limit: KillLineTests.limit, usage: 940_000, now: 3_600_000_000_000) == 10_500)
  }

  @Test("is passed when less than a twentieth of the limit is left")
  func isPassed() {
    #expect(!KillLine.isPassed(limit: KillLineTests.limit, usage: 950_000))
    #expect(KillLine.isPassed(limit: KillLineTests.limit, usage: 950_001))
  }

  @Test("lies where it was at first when a tenth is free again, and at another limit", arguments: [true, false])
  func beginsAnew(hasRoom: Bool) {
    var line = KillLine()
    for tick in 0..<100 { _ = line.room(limit: KillLineTests.limit, usage: 940_000, now: UInt64(tick) * 100_000_000) }
    if hasRoom {
      #expect(line.room(limit: KillLineTests.limit, usage: 890_000, now: 0) == 60_000)
    } else {
      #expect(line.room(limit: 2 * KillLineTests.limit, usage: 1_880_000, now: 0) == 20_000)
      #expect(line.room(limit: KillLineTests.limit, usage: 940_000, now: 0) == 10_000)
    }
  }
}
