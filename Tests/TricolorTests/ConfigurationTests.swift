// Settings changed while the heap runs, settings that are refused, and the statistics under Go's names.

import Testing
@_spi(Testing) import Tricolor

@Suite("Settings of a running heap")
struct ConfigurationTests {
  private func allocate(_ heap: Heap, mebibytes: Int) throws {
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<mebibytes << 15 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
      }
    }
  }

  @Test("The smallest heap holds growth back, and lets go when it is lowered")
  func minimumHeap() throws {
    var configuration = Heap.Configuration()
    configuration.minimumHeap = 64 << 20
    let heap = try Heap(configuration: configuration)
    try allocate(heap, mebibytes: 40)
    #expect(heap.statistics.cycles == 0)
    #expect(heap.statistics.goalBytes == 64 << 20)
    heap.configuration.minimumHeap = 1 << 20
    // Where others want the processor a cycle may take long.
    repeat { try allocate(heap, mebibytes: 40) } while heap.statistics.cycles == 0
    #expect(heap.statistics.goalBytes < 64 << 20)
    heap.configuration.minimumHeap = nil
    #expect(heap.statistics.goalBytes >= 4 << 20)
  }

  @Test("GOGC=0 collects all the time, and the program goes on")
  func zeroPercent() throws {
    var configuration = Heap.Configuration()
    configuration.gcPercent = 0
    let heap = try Heap(configuration: configuration)
    let root = try heap.makeChain(100)
    repeat { try allocate(heap, mebibytes: 64) } while heap.statistics.cycles < 3
    #expect(try root.keys(in: heap) == Array(1...100))
  }

  @Test("Processors to plan with are followed, and never more than there are")
  func processors() throws {
    let heap = try Heap(configuration: Heap.Configuration())
    let all = heap.statistics.processors
    heap.configuration.maxProcessors = 1
    #expect(heap.statistics.processors == min(1, all))
    heap.configuration.maxProcessors = 100_000
    #expect(heap.statistics.processors == all)
    try allocate(heap, mebibytes: 20)
    heap.configuration.maxProcessors = nil
    #expect(heap.statistics.processors == all)
    while heap.statistics.cycles == 0 { try allocate(heap, mebibytes: 20) }
  }

  @Test("Both limits are read back in bytes")
  func limits() throws {
    let heap = try Heap.quiet()
    heap.configuration.memoryLimit = .bytes(1 << 40)
    heap.configuration.hardLimit = .bytes(1 << 41)
    #expect(heap.statistics.limitBytes == 1 << 40)
    #expect(heap.statistics.hardLimitBytes == 1 << 41)
  }

  @Test("A value that is not allowed makes no heap")
  func refused() {
    func error(_ change: (inout Heap.Configuration) -> Void) -> String {
      var configuration = Heap.Configuration()
      change(&configuration)
      do throws(HeapError) {
        _ = try Heap(configuration: configuration)
        return "none"
      } catch {
        return error.description
      }
    }
    #expect(error { $0.gcPercent = -5 }.contains("GOGC: \"-5\""))
    #expect(error { $0.memoryLimit = .bytes(-1) }.contains("GOMEMLIMIT"))
    #expect(error { $0.memoryLimit = .percent(101, minus: 0) }.contains("\"101%\""))
    #expect(error { $0.hardLimit = .percent(50, minus: -1) }.contains("TRICOLOR_HARD_LIMIT"))
    #expect(error { $0.maxProcessors = 0 }.contains("GOMAXPROCS: \"0\""))
    #expect(error { $0.gcCPULimit = 0 }.contains("TRICOLOR_GC_CPU_LIMIT: \"0\""))
    #expect(error { $0.limitPolicy = .failFast(afterNanoseconds: 0) }.contains("TRICOLOR_LIMIT_POLICY"))
    #expect(error { $0.settings.reserveBytes = 1 }.contains("TRICOLOR_RESERVE"))
  }

  @Test("A value that is not allowed is reported by a running heap, which keeps its settings")
  func refusedWhileRunning() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      let heap = try Heap(configuration: Heap.Configuration())
      heap.configuration.gcCPULimit = 25
      heap.configuration.gcCPULimit = 101
      precondition(heap.configuration.gcCPULimit == 25)
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("TRICOLOR_GC_CPU_LIMIT: \"101\" is not allowed"))
  }

  @Test("More processors than the process may use are reported")
  func tooManyProcessors() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var configuration = Heap.Configuration()
      configuration.maxProcessors = 5000
      _ = try Heap(configuration: configuration)
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("GOMAXPROCS=5000"))
  }
}

@Suite("Metrics")
struct MetricTests {
  private func values(_ heap: Heap) -> [String: MetricValue] {
    Dictionary(uniqueKeysWithValues: heap.statistics.metrics.map { ($0.name, $0.value) })
  }

  /// Every metric of Go 1.27's that has a meaning for a heap.
  private static let names: Set<String> = [
    "/cpu/classes/gc/mark/assist:cpu-seconds", "/cpu/classes/gc/mark/dedicated:cpu-seconds",
    "/cpu/classes/gc/mark/idle:cpu-seconds", "/cpu/classes/gc/pause:cpu-seconds", "/cpu/classes/gc/total:cpu-seconds",
    "/cpu/classes/idle:cpu-seconds", "/cpu/classes/scavenge/assist:cpu-seconds",
    "/cpu/classes/scavenge/background:cpu-seconds", "/cpu/classes/scavenge/total:cpu-seconds",
    "/cpu/classes/total:cpu-seconds", "/cpu/classes/user:cpu-seconds", "/gc/cleanups/executed:cleanups",
    "/gc/cleanups/queued:cleanups", "/gc/cycles/automatic:gc-cycles", "/gc/cycles/forced:gc-cycles",
    "/gc/cycles/total:gc-cycles", "/gc/gogc:percent", "/gc/gomemlimit:bytes", "/gc/heap/allocs:bytes",
    "/gc/heap/allocs-by-size:bytes", "/gc/heap/allocs:objects", "/gc/heap/frees-by-size:bytes", "/gc/heap/frees:bytes",
    "/gc/heap/frees:objects", "/gc/heap/goal:bytes",
    "/gc/heap/live:bytes", "/gc/heap/objects:objects", "/gc/limiter/last-enabled:gc-cycle", "/gc/pauses:seconds",
    "/gc/scan/globals:bytes", "/gc/scan/heap:bytes", "/gc/scan/stack:bytes", "/gc/scan/total:bytes",
    "/memory/classes/heap/free:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/released:bytes",
    "/memory/classes/heap/unused:bytes", "/memory/classes/metadata/other:bytes", "/memory/classes/total:bytes",
    "/sched/gomaxprocs:threads", "/sched/pauses/stopping/gc:seconds", "/sched/pauses/total/gc:seconds",
  ]

  @Test("have Go's names, each once")
  func names() throws {
    #expect(Set(values(try Heap.quiet()).keys) == Self.names)
  }

  @Test("say what the statistics say")
  func sameAsStatistics() throws {
    let heap = try Heap.quiet()
    heap.configuration.gcPercent = 300
    heap.configuration.memoryLimit = .bytes(1 << 40)
    let root = try heap.makeChain(1000)
    heap.collect()
    heap.collect()
    let statistics = heap.statistics
    let values = values(heap)
    #expect(values["/gc/gogc:percent"] == .unsigned(300))
    #expect(values["/gc/gomemlimit:bytes"] == .unsigned(1 << 40))
    #expect(values["/gc/heap/goal:bytes"] == .unsigned(UInt64(statistics.goalBytes)))
    #expect(values["/gc/heap/live:bytes"] == .unsigned(32_000))
    #expect(values["/gc/heap/objects:objects"] == .unsigned(1000))
    #expect(values["/gc/cycles/forced:gc-cycles"] == .unsigned(2))
    #expect(values["/gc/cycles/automatic:gc-cycles"] == .unsigned(0))
    #expect(values["/gc/scan/globals:bytes"] == .unsigned(8))
    #expect(values["/memory/classes/heap/objects:bytes"] == .unsigned(32_000))
    withExtendedLifetime(root) {}
  }

  @Test("take GOGC=off and no limit as Go does: the largest numbers")
  func off() throws {
    let values = values(try Heap.quiet())
    #expect(values["/gc/gogc:percent"] == .unsigned(.max))
    #expect(values["/gc/gomemlimit:bytes"] == .unsigned(UInt64(Int64.max)))
  }

  @Test("count objects by size, those of a young cycle and those with runs of their own too")
  func bySize() throws {
    let heap = try Heap.young()
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<1000 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
        for _ in 0..<10 { _ = try m.makeBytes(count: 1000) }
        for _ in 0..<3 { _ = try m.makeBytes(count: 100_000) }
      }
    }
    let kept = try heap.makeChain(50)
    heap.collectYoung()
    #expect(try counts("/gc/heap/allocs-by-size:bytes", heap) == [32: 1050, 1008: 10, 100_016: 3])
    #expect(try counts("/gc/heap/frees-by-size:bytes", heap) == [32: 1000, 1008: 10, 100_016: 3])
    #expect(heap.statistics.freedBytes == 32_000 + 10 * Heap.cellBytes(for: 1008)! + 3 * 100_016)
    withExtendedLifetime(kept) {}
  }

  /// What a histogram of sizes has counted for the class of each size that the test uses, and for no other.
  private func counts(_ name: String, _ heap: Heap) throws -> [Double: UInt64] {
    guard case .histogram(let histogram)? = values(heap)[name] else { throw Missing(name: name) }
    #expect(histogram.bounds.count == histogram.counts.count + 1)
    var found: [Double: UInt64] = [:]
    for (index, count) in histogram.counts.enumerated() where count > 0 {
      let size = [32, 1008, 100_016].first { histogram.bounds[index] <= $0 && $0 < histogram.bounds[index + 1] }
      found[size ?? histogram.bounds[index]] = count
    }
    return found
  }

  private struct Missing: Error { let name: String }

  @Test("count what has died, and cleanups that are due and done")
  func frees() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<1000 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
        m.addCleanup(to: try m.make(Link(key: 0, left: nil, right: nil))) {}
      }
    }
    heap.collect()
    heap.collect()
    let values = values(heap)
    #expect(values["/gc/heap/frees:objects"] == .unsigned(1001))
    #expect(values["/gc/heap/allocs:objects"] == .unsigned(1001))
    #expect(values["/gc/heap/objects:objects"] == .unsigned(0))
    #expect(values["/gc/cleanups/queued:cleanups"] == .unsigned(1))
    while heap.statistics.executedCleanups == 0 {}
  }

  @Test("of classes add up to their totals, and histograms to their counts")
  func sums() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(50_000)
    for _ in 0..<5 { heap.collect() }
    let statistics = heap.statistics
    var memory: UInt64 = 0
    var processors = 0.0
    for metric in statistics.metrics {
      switch metric.value {
      case .unsigned(let bytes) where metric.name.hasPrefix("/memory/") && !metric.name.contains("total"):
        memory += bytes
      case .float(let seconds)
      where ["gc/total", "/idle", "user", "scavenge/total"].contains { metric.name.contains("\($0):") }
        && !metric.name.contains("mark"):
        processors += seconds
      case .histogram(let histogram):
        #expect(histogram.bounds.count == histogram.counts.count + 1)
        #expect(zip(histogram.bounds, histogram.bounds.dropFirst()).allSatisfy(<))
      default: break
      }
    }
    let values = Dictionary(uniqueKeysWithValues: statistics.metrics.map { ($0.name, $0.value) })
    #expect(values["/memory/classes/total:bytes"] == .unsigned(memory))
    guard case .float(let total) = values["/cpu/classes/total:cpu-seconds"] else {
      Issue.record("no total")
      return
    }
    #expect(processors >= total * 0.999)
    withExtendedLifetime(root) {}
  }
}
