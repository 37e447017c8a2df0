// A heap at its limit: what it tells the program, what it makes of the kernel's signs, and what memory from elsewhere does to its pace. The
// limit is that of a copied machine's group, so nothing else in this process counts.

import FixtureTrees
import Testing
import TricolorPacing
import TricolorPlatform

@testable import Tricolor

private let mebibyte = 1 << 20

/// A machine whose process has 1 MiB resident and a version 2 group limited to 64 MiB. Only heaps made here are of that process.
final class Machine: Sendable {
  private let heaps = HeapRegistry()
  let tree = FixtureTree([
    "proc/self/cgroup": "0::/box\n", "proc/self/statm": "100000 256 10 1 0 100 0\n",
    "proc/self/mountinfo": "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n", "sys/fs/cgroup/box/memory.max": "67108864\n",
    "sys/fs/cgroup/box/memory.high": "max\n", "sys/fs/cgroup/box/memory.current": "1048576\n",
    "sys/fs/cgroup/box/memory.stat": "inactive_file 0\n",
    "sys/fs/cgroup/box/memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
    "sys/fs/cgroup/box/memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  ])

  func heap(_ change: (inout Heap.Configuration) -> Void = { _ in }) throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.memoryLimit = .auto
    change(&configuration)
    return try Heap(configuration: configuration) { () throws(PlatformError) in
      try LimitSource(procRoot: tree.procRoot, mountPrefix: tree.root, heaps: heaps)
    }
  }

  func write(_ text: String, to file: String) { tree.write(text, to: "sys/fs/cgroup/box/" + file) }
}

/// The events that a closure and a stream have got.
private final class Listener: Sendable {
  let events = Shared<[PressureEvent]>([])

  init(_ heap: Heap) throws {
    try heap.onPressure { [events] event in events.withLock { $0.append(event) } }
  }

  var levels: [PressureLevel] { events.withLock { $0.map(\.level) } }

  func wait(for level: PressureLevel) { while levels.last != level { usleepBriefly() } }
}

func usleepBriefly() { _ = FutexEvent().wait(past: 0, timeoutNanoseconds: 1_000_000) }

extension Heap {
  /// Live memory of `mebibytes` in objects of a mebibyte.
  func makeLive(mebibytes: Int) throws -> Root<ReferenceArray<Bytes>> {
    try onOwnThread {
      try self.withMutator { m in
        let all = try m.makeArray(of: Bytes.self, count: mebibytes)
        for i in 0..<mebibytes { all[i] = try m.makeBytes(count: mebibyte - 64) }
        return m.root(all)
      }
    }
  }
}

@Suite("Pressure")
struct PressureTests {
  private let machine = Machine()

  @Test("is told to closures and streams: up with what lives, down when it has died")
  func levels() async throws {
    let heap = try machine.heap()
    let listener = try Listener(heap)
    let stream = heap.pressure
    #expect(heap.pressureLevel == .normal)
    // The limit is 57 MiB.
    var parts = [try heap.makeLive(mebibytes: 47)]
    heap.collect()
    listener.wait(for: .elevated)
    #expect(heap.pressureLevel == .elevated)
    parts.append(try heap.makeLive(mebibytes: 8))
    heap.collect()
    listener.wait(for: .critical)
    let event = try #require(listener.events.withLock { $0.last })
    #expect(event.limitBytes == 64 * mebibyte / 100 * 90 + 57)
    #expect(event.liveBytes >= 54 * mebibyte)
    #expect(event.unavoidableBytes >= event.liveBytes)
    parts = []
    heap.collect()
    listener.wait(for: .normal)
    #expect(listener.levels == [.elevated, .critical, .elevated, .normal])
    var streamed: [PressureLevel] = []
    for await event in stream {
      streamed.append(event.level)
      if event.level == .normal { break }
    }
    #expect(streamed == listener.levels)
  }

  @Test("is told at once to those who come late, and not to those who have cancelled")
  func lateAndCancelled() throws {
    let heap = try machine.heap()
    let cancelled = Shared<[PressureLevel]>([])
    let observation = try heap.onPressure { event in cancelled.withLock { $0.append(event.level) } }
    observation.cancel()
    let first = try Listener(heap)
    let live = try heap.makeLive(mebibytes: 47)
    heap.collect()
    first.wait(for: .elevated)
    #expect(try Listener(heap).levels == [.elevated])
    #expect(cancelled.withLock { $0 } == [])
    withExtendedLifetime(live) {}
  }

  @Test("ends with the limit")
  func limitLifted() throws {
    let heap = try machine.heap()
    let listener = try Listener(heap)
    let live = try heap.makeLive(mebibytes: 47)
    heap.collect()
    listener.wait(for: .elevated)
    heap.configuration.memoryLimit = .off
    listener.wait(for: .normal)
    withExtendedLifetime(live) {}
  }

  @Test("lets a closure use the heap and take its time")
  func closureUsesHeap() throws {
    let heap = try machine.heap()
    let made = Shared(0)
    try heap.onPressure { [weak heap] _ in
      guard let heap else { return }
      heap.collect()
      heap.withMutator { m in
        do throws(OutOfMemory) {
          made.withLock { $0 += 1 }
          _ = try m.makeBytes(count: 100)
        } catch {
          Issue.record("\(error)")
        }
      }
    }
    let live = try heap.makeLive(mebibytes: 47)
    heap.collect()
    while made.withLock({ $0 }) == 0 { usleepBriefly() }
    withExtendedLifetime(live) {}
  }

  @Test("lets a closure hold the last reference to the heap, which ends with it")
  func closureEndsHeap() throws {
    let (kept, step) = (Shared<Heap?>(nil), Shared(0))
    do {
      let heap = try machine.heap()
      try heap.onPressure { _ in
        guard kept.withLock({ $0 != nil }) else { return }
        step.withLock { $0 = 1 }
        while step.withLock({ $0 }) == 1 { usleepBriefly() }
        kept.withLock { $0 = nil }
        step.withLock { $0 = 3 }
      }
      kept.withLock { $0 = heap }
      let live = try heap.makeLive(mebibytes: 47)
      heap.collect()
      while step.withLock({ $0 }) == 0 { usleepBriefly() }
      withExtendedLifetime(live) {}
    }
    step.withLock { $0 = 2 }
    while step.withLock({ $0 }) == 2 { usleepBriefly() }
  }
}

@Suite("Signs that memory is short")
struct ShortageResponseTests {
  private let machine = Machine()

  private func wait(_ heap: Heap, _ condition: (HeapStatistics) -> Bool) {
    while !condition(heap.statistics) { usleepBriefly() }
  }

  @Test("make the goal smaller and the level elevated: being slowed down, or stalls of the group")
  func tighten() throws {
    for (file, text) in [
      ("memory.events", "low 0\nhigh 1\nmax 0\noom 0\noom_kill 0\n"),
      ("memory.pressure", "some avg10=25.00 avg60=0.00 avg300=0.00 total=9\n"),
    ] {
      let machine = Machine()
      machine.write("67108864\n", to: "memory.current")
      let heap = try machine.heap { $0.gcPercent = nil }
      let listener = try Listener(heap)
      let live = try heap.makeLive(mebibytes: 4)
      // The first reading is the baseline.
      heap.collect()
      let before = heap.statistics.goalBytes
      usleepBriefly()
      wait(heap) { $0.elapsedNanoseconds > 500_000_000 }
      machine.write(text, to: file)
      wait(heap) { $0.tightenedPercent > 0 }
      #expect(heap.statistics.goalBytes <= before)
      while listener.levels.allSatisfy({ $0 < .elevated }) { usleepBriefly() }
      withExtendedLifetime(live) {}
    }
  }

  @Test("change nothing of the limit itself, which the application set")
  func limitStays() throws {
    let heap = try machine.heap()
    wait(heap) { $0.elapsedNanoseconds > 500_000_000 }
    machine.write("low 0\nhigh 0\nmax 0\noom 1\noom_kill 1\n", to: "memory.events")
    wait(heap) { $0.tightenedPercent == 25 }
    #expect(heap.statistics.limitBytes == 64 * mebibyte / 100 * 90 + 57)
  }

  @Test("A limit of the group is followed while the heap runs, memory.high as well")
  func followed() throws {
    let heap = try machine.heap()
    machine.write("52428800\n", to: "memory.max")
    wait(heap) { $0.limitBytes == 45 * mebibyte }
    machine.write("31457280\n", to: "memory.high")
    wait(heap) { $0.limitBytes == 27 * mebibyte }
    machine.write("max\n", to: "memory.high")
    machine.write("104857600\n", to: "memory.max")
    wait(heap) { $0.limitBytes == 90 * mebibyte }
  }
}

@Suite("Memory from elsewhere")
struct ExternalBytesTests {
  @Test("that objects keep brings cycles about as the objects' own does, and leaves the pace with them")
  func pace() throws {
    let heap = try Machine().heap { $0.memoryLimit = .off }
    try onOwnThread {
      try heap.withMutator { m in
        // A heap of 4 MiB. The collector comes to it when it is scheduled.
        while heap.statistics.cyclesByCause[.growth]! < 3 {
          m.addExternalBytes(mebibyte, to: try m.makeBytes(count: 16))
          m.poll()
        }
      }
    }
    heap.collect()
    heap.collect()
    #expect(heap.statistics.cyclesByCause[.growth]! >= 3)
    #expect(heap.statistics.externalBytes == 0)
    #expect(heap.statistics.markedLiveBytes < mebibyte)
  }

  @Test("counts as live while its object lives, and raises the goal")
  func goal() throws {
    let heap = try Machine().heap { $0.memoryLimit = .off }
    let root = try onOwnThread {
      try heap.withMutator { m in
        let object = try m.makeBytes(count: 16)
        m.addExternalBytes(50 * mebibyte, to: object)
        return m.root(object)
      }
    }
    heap.collect()
    #expect(heap.statistics.externalBytes == 50 * mebibyte)
    #expect(heap.statistics.goalBytes >= 100 * mebibyte)
    withExtendedLifetime(root) {}
  }
}
