// What a caller may rely on: collect(), events, settings that change while the heap runs.

import Testing
@_spi(Testing) import Tricolor

@Suite("Collecting and configuring")
struct CollectTests {
  @Test("collect() makes the garbage of before the call go, although a cycle that still saw it alive is running")
  func collectDuringCycle() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(1)
    let hidden = try onOwnThread { heap.withMutator { m in HiddenAddress(root.get(m)!) } }
    let state = Shared((isHeld: false, isReleased: false))
    heap.onCycleStep { step in
      if step != .posted(.finish) { return }
      state.withLock { $0.isHeld = true }
      while !state.withLock({ $0.isReleased }) {}
    }
    // By now the running cycle has marked the object.
    let first = RunningThread { heap.collect() }
    while !state.withLock({ $0.isHeld }) {}
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    let second = RunningThread { () -> UInt? in
      heap.collect()
      return heap.cell(containing: hidden.address)
    }
    // The second caller must be waiting before the cycle ends, or there is nothing to test.
    while !heap.isCycleWanted {}
    state.withLock { $0.isReleased = true }
    #expect(try second.join() == nil)
    try first.join()
    #expect(heap.statistics.cycles == 2)
  }

  @Test("Threads that collect at the same time all return, in no more cycles than there are calls")
  func manyCallers() throws {
    let heap = try Heap.quiet()
    try runThreads(4) { _ in
      for _ in 0..<25 { heap.collect() }
    }
    #expect(heap.statistics.cycles >= 25)
    #expect(heap.statistics.cycles <= 101)
  }

  @Test("collect() may be called inside withMutator, and keeps what its caller holds")
  func inside() throws {
    let heap = try Heap.quiet()
    let keys = try onOwnThread {
      try heap.withMutator { m in
        let first = try m.make(Link(key: 1, left: nil, right: nil))
        heap.collect()
        first.left = try m.make(Link(key: 2, left: nil, right: nil))
        heap.collect()
        return first.keys
      }
    }
    #expect(keys == [1, 2])
  }

  @Test("The event stream delivers every cycle in order, and ends with the heap")
  func events() async throws {
    var heap: Heap? = try Heap.quiet()
    let root = try heap!.makeChain(10)
    let events = heap!.events
    for _ in 0..<3 { heap!.collect() }
    var numbers: [Int] = []
    for await event in events {
      numbers.append(event.number)
      #expect(event.cause == .forced)
      #expect(event.liveAtEnd == 320 && event.markedBytes == 320)
      #expect(event.rounds >= 1)
      #expect(event.limitBytes == nil)
      if numbers.count == 3 { break }
    }
    #expect(numbers == [1, 2, 3])
    let rest = heap!.events
    withExtendedLifetime(root) {}
    _ = consume root
    heap = nil
    for await event in rest { Issue.record("cycle \(event.number) after the last") }
  }

  @Test("GOGC can be switched off and on while the heap runs")
  func gcPercent() throws {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.minimumHeap = 1 << 20
    let heap = try Heap(configuration: configuration)
    try allocate(heap, 10 << 20)
    #expect(heap.statistics.cycles == 0)
    #expect(heap.statistics.gcPercent == nil)
    heap.configuration.gcPercent = 50
    #expect(heap.configuration.gcPercent == 50)
    #expect(heap.statistics.gcPercent == 50)
    // The collector comes to it when it is scheduled.
    repeat { try allocate(heap, 10 << 20) } while heap.statistics.cyclesByCause[.growth]! == 0
    heap.configuration.gcPercent = nil
    heap.collect()
    let cycles = heap.statistics.cycles
    try allocate(heap, 10 << 20)
    #expect(heap.statistics.cycles == cycles)
  }

  @Test("A memory limit set while the heap runs is in force at once")
  func memoryLimit() throws {
    let heap = try Heap.quiet()
    #expect(heap.statistics.limitBytes == nil)
    heap.configuration.memoryLimit = .bytes(1 << 40)
    #expect(heap.statistics.limitBytes == 1 << 40)
    heap.configuration.memoryLimit = .off
    #expect(heap.statistics.limitBytes == nil)
  }

  // In a process of its own, as the next one: the limit counts what other tests allocate, too.
  @Test("A heap far over a soft limit grows on, with few cycles for what it grows by")
  func limitBelowWhatLives() async {
    await #expect(processExitsWith: .success) {
      let heap = try Heap.quiet()
      heap.configuration.memoryLimit = .bytes(Int64(heap.statistics.residentBytes + (4 << 20)))
      let count = 48 << 10
      let sum = try heap.withMutator { m in
        let all = try m.makeArray(of: Bytes.self, count: count)
        for index in 0..<count {
          let bytes = try m.makeBytes(count: 1000)
          bytes[0] = UInt8(truncatingIfNeeded: index)
          all[index] = bytes
        }
        return (0..<count).reduce(0) { $0 + Int(all[$1]![0]) }
      }
      precondition(sum == (0..<count).reduce(0) { $0 + $1 % 256 })
      let cycles = heap.statistics.cycles
      // 3000 blocks of 16 KiB, and two cycles for each would be 6000.
      precondition((10..<1000).contains(cycles), "\(cycles) cycles")
    }
  }

  @Test("Under a hard limit allocation throws an error that names the sizes, and goes on when objects have died")
  func hardLimit() async {
    await #expect(processExitsWith: .success) {
      let heap = try Heap.quiet()
      heap.configuration.settings.hardLimit = .bytes(Int64(heap.statistics.residentBytes + (64 << 20)))
      let (error, made) = try fillUp(heap, mebibytes: 100)
      precondition((10..<100).contains(made), "\(made) MiB under a limit of 64 MiB")
      precondition(
        error.map { $0.requestedBytes >= 1 << 20 && "\($0)".contains("hard limit") } ?? false, "\(error as Any)")
      heap.collect()
      let (again, _) = try fillUp(heap, mebibytes: 10)
      precondition(again == nil, "\(again as Any)")
    }
  }

  private func allocate(_ heap: Heap, _ bytes: Int) throws {
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<bytes / 32 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
      }
    }
  }
}

/// Makes a chain of arrays of a mebibyte, all of whose pages are written, on a thread of its own: the error that ended it, and how
/// many it made.
private func fillUp(_ heap: Heap, mebibytes: Int) throws -> (OutOfMemory?, Int) {
  try onOwnThread {
    heap.withMutator { m in
      var last: Reference<ReferenceArray<Link>>? = nil
      for made in 0..<mebibytes {
        do throws(OutOfMemory) {
          let next = try m.makeArray(of: Link.self, count: 1 << 17)
          for i in stride(from: 0, to: 1 << 17, by: 512) {
            next[i] = last.map { Reference<Link>(unsafeAddress: $0.address) }
          }
          last = next
        } catch {
          return (error, made)
        }
      }
      return (nil, mebibytes)
    }
  }
}
