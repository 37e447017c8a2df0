// The heap profile: what samples stand for against what was allocated, what is alive, stacks that name their functions, and Go's pprof.

import Foundation
import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Heap profiles")
struct ProfileTests {
  fileprivate struct Item: Managed {
    static let slot = TypeSlot()
    var next: Reference<Item>?
    var words = InlineArray<5, Int>(repeating: 0)
  }

  private func heap(rate: Int) throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    let heap = try Heap(configuration: configuration)
    heap.profileRate = rate
    return heap
  }

  /// Estimates of objects allocated, and alive, by stacks with a function whose name contains `words`.
  private func estimate(_ heap: Heap, _ words: String) throws -> (allocated: Double, alive: Double) {
    var code = try CodeMap()
    var sum = (allocated: 0.0, alive: 0.0)
    for sample in heap.allocationProfile.samples {
      if sample.stack.contains(where: { demangled(code.symbol(of: $0 - 1) ?? "").contains(words) }) {
        sum.allocated += Double(sample.allocated) * sample.weight
        sum.alive += Double(sample.alive) * sample.weight
      }
    }
    return sum
  }

  @Test("nothing is sampled unless asked for")
  func off() throws {
    let heap = try Heap(configuration: .init())
    try heap.withMutator { m in for _ in 0..<100_000 { _ = try m.make(Item()) } }
    #expect(heap.profileRate == 0 && heap.allocationProfile.samples.isEmpty)
  }

  @Test("sites that take turns in one layout are told apart, and what they allocate is estimated without bias")
  func sites() throws {
    let heap = try heap(rate: 2048)
    // One in two, one in three: a sampler that counted allocations would meet always the same.
    let count = 300_000
    try heap.withMutator { m in
      for round in 0..<count {
        if round % 2 == 0 {
          try allocateOften(m)
        } else if round % 3 == 0 {
          try allocateSeldom(m)
        } else {
          try allocateElse(m)
        }
        if round % 100_000 == 0 { heap.collect() }
      }
    }
    // 48 bytes each: some 7000 samples for the first, a deviation of 1.2 %; six of them.
    let (often, seldom) = (
      try estimate(heap, "allocateOften").allocated, try estimate(heap, "allocateSeldom").allocated
    )
    #expect(abs(often / Double(count / 2) - 1) < 0.075, "\(often)")
    #expect(abs(seldom / Double(count / 6) - 1) < 0.125, "\(seldom)")
  }

  @Test("objects of all sizes stand for themselves, also large ones and those much smaller than the rate")
  func sizes() throws {
    let heap = try heap(rate: 64 << 10)
    try heap.withMutator { m in
      for round in 0..<4000 {
        try allocateBytes(m, 16 + round % 7 * 500)
        if round % 8 == 0 { try allocateBytes(m, 100_000) }
      }
    }
    let estimated = heap.allocationProfile.samples.reduce(0.0) {
      $0 + Double($1.allocated) * $1.weight * Double($1.bytes)
    }
    let real = Double(heap.statistics.allocatedBytes)
    #expect(abs(estimated / real - 1) < 0.2, "\(estimated) of \(real)")
    #expect(heap.allocationProfile.samples.contains { $0.bytes > 100_000 })
  }

  @Test("what is alive is what the last cycle found, and nothing once all is dropped")
  func alive() throws {
    let heap = try heap(rate: 1024)
    let count = 60_000
    var root: Root<ReferenceArray<Item>>? = try onOtherThread {
      try heap.withMutator { m in
        let all = try m.makeArray(of: Item.self, count: count / 2)
        for index in 0..<count {
          let item = try makeItem(m)
          if index % 2 == 0 { all[index / 2] = item }
        }
        return m.root(all)
      }
    }
    heap.collect()
    let found = try estimate(heap, "makeItem")
    #expect(abs(found.allocated / Double(count) - 1) < 0.15, "\(found)")
    #expect(abs(found.alive / Double(count / 2) - 1) < 0.2, "\(found)")
    root = nil
    heap.collect()
    #expect(try estimate(heap, "makeItem").alive == 0)
    _ = root
  }

  @Test("the rate can change while threads allocate, and several threads are sampled")
  func threads() throws {
    let heap = try heap(rate: 512)
    let running = (0..<3).map { _ in
      Thread {
        try? heap.withMutator { m in for _ in 0..<200_000 { try allocateOften(m) } }
      }
    }
    for thread in running { thread.start() }
    for rate in [4096, 0, 100, 1 << 20, 512] {
      heap.profileRate = rate
      usleep(20_000)
      heap.collect()
    }
    while !running.allSatisfy(\.isFinished) { usleep(1000) }
    #expect(!heap.allocationProfile.samples.isEmpty)
    #expect(heap.verify().isSound)
  }

  private static let go = ProcessInfo.processInfo.environment["PATH"]!.split(separator: ":").map { "\($0)/go" }.first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  @Test(
    "Go's pprof reads the file, and shows the functions that allocate",
    .enabled(if: go != nil, "SKIPPED: Go is not installed"))
  func pprof() throws {
    let heap = try heap(rate: 4096)
    try heap.withMutator { m in for _ in 0..<100_000 { try allocateOften(m) } }
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).pb")
    try Data(try HeapProfile.pprof(heap.allocationProfile, rate: 4096)).write(to: file)
    defer { do { try FileManager.default.removeItem(at: file) } catch { Issue.record("\(error)") } }
    for type in ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"] {
      let process = Process()
      let (output, errors) = (Pipe(), Pipe())
      process.executableURL = URL(fileURLWithPath: Self.go!)
      process.arguments = ["tool", "pprof", "-top", "-symbolize=none", "-sample_index=\(type)", file.path]
      process.standardOutput = output
      process.standardError = errors
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      #expect(text.contains("Type: \(type)"), "\(text)")
      let line = text.split(separator: "\n").first { $0.contains("allocateOften") }
      #expect(line != nil, "\(text)")
      // Nothing of the library's own is at the inner end of a stack.
      #expect(text.split(separator: "\n").allSatisfy { !$0.contains("takeSample") })
    }
  }
}

@inline(never) private func allocateOften(_ m: Mutator) throws { _ = try m.make(ProfileTests.Item()) }
@inline(never) private func allocateSeldom(_ m: Mutator) throws { _ = try m.make(ProfileTests.Item()) }
@inline(never) private func allocateElse(_ m: Mutator) throws { _ = try m.make(ProfileTests.Item()) }
@inline(never) private func makeItem(_ m: Mutator) throws -> Reference<ProfileTests.Item> {
  try m.make(ProfileTests.Item())
}
@inline(never) private func allocateBytes(_ m: Mutator, _ count: Int) throws { _ = try m.makeBytes(count: count) }

/// Runs `body` on a thread that ends, so that nothing it held stays on a stack.
private func onOtherThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) throws -> R {
  let answer = Answer<R>()
  let thread = Thread { answer.value = Result { try body() } }
  thread.start()
  while answer.value == nil || !thread.isFinished { usleep(1000) }
  return try answer.value!.get()
}

private final class Answer<R>: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: Result<R, any Error>?
  var value: Result<R, any Error>? {
    get { lock.withLock { stored } }
    set { lock.withLock { stored = newValue } }
  }
}
