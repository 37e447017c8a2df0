// The lines of GODEBUG against the format of Go's, which tools parse. Each pattern must match lines that Go 1.27.3 wrote, too.

import Testing
import Tricolor

/// The formats of Go 1.27, runtime/mgc.go, mgcpacer.go, mgcsweep.go and mgcscavenge.go.
private enum GoLine: CaseIterable {
  case cycle, began, ended, swept, scavenged

  private static let ms = #"\d+(\.\d+)?"#
  private static let float = #"(\d+(\.\d+)?(e[-+]\d+)?|\+Inf)"#

  var pattern: String {
    let (ms, float) = (Self.ms, Self.float)
    return switch self {
    case .cycle:
      #"^gc \d+ @\d+\.\d{3}s \d+%: \#(ms)\+\#(ms)\+\#(ms) ms clock, \#(ms)\+\#(ms)/\#(ms)/\#(ms)\+\#(ms) ms cpu, "#
        + #"\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P( \(forced\))?$"#
    case .began: #"^pacer: assist ratio=\#(float) \(scan \d+ MB in \d+->\d+ MB\) workers=\d+\+\#(float)$"#
    case .ended:
      #"^pacer: \d+% CPU \(25 exp\.\) for \d+\+\d+\+\d+ B work \(\d+ B exp\.\) in \d+ B -> \d+ B "#
        + #"\(∆goal -?\d+, cons/mark \#(float)\)$"#
    case .swept:
      #"^pacer: sweep done at heap size \d+MB; allocated \d+MB during sweep; swept \d+ pages at \#(float) pages/byte$"#
    case .scavenged: #"^scav \d+ KiB work \(bg\), \d+ KiB work \(eager\), \d+ KiB now, \d+% util( \(forced\))?$"#
    }
  }

  /// Written by Go 1.27.3.
  var example: String {
    switch self {
    case .cycle:
      "gc 2 @0.015s 8%: 0.038+14+0.25 ms clock, 0.076+2.2/1.9/6.9+0.51 ms cpu, 8->10->10 MB, 9 MB goal, 0 MB stacks, 0 MB globals, 2 P"
    case .began: "pacer: assist ratio=0.8534807477678571 (scan 3 MB in 3->4 MB) workers=0+0.25"
    case .ended:
      "pacer: 28% CPU (25 exp.) for 3697064+3008+146826 B work (146826 B exp.) in 4022272 B -> 5341184 B (∆goal 1146880, cons/mark 0)"
    case .swept:
      "pacer: sweep done at heap size 1MB; allocated 0MB during sweep; swept 159 pages at 1.77719737551954e-17 pages/byte"
    case .scavenged: "scav 0 KiB work (bg), 0 KiB work (eager), 6192 KiB now, 100% util"
    }
  }

  func matches(_ line: Substring) throws -> Bool { try Regex(pattern).wholeMatch(in: line) != nil }
}

@Suite("Lines of GODEBUG")
struct TraceTests {
  @Test("have patterns that Go's own lines match")
  func patterns() throws {
    for line in GoLine.allCases { #expect(try line.matches(line.example[...]), "\(line)") }
  }

  @Test("are Go's to the letter, whatever began the cycle, and every one belongs to a kind that is on")
  func formats() async throws {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var configuration = Heap.Configuration()
      configuration.minimumHeap = 1 << 20
      configuration.debug.gcTrace = true
      configuration.debug.gcPacerTrace = true
      configuration.debug.scavTrace = true
      let heap = try Heap(configuration: configuration)
      try allocate(heap, mebibytes: 32)
      heap.configuration.memoryLimit = .bytes(Int64(heap.statistics.residentBytes + (8 << 20)))
      heap.configuration.gcPercent = nil
      try allocate(heap, mebibytes: 64)
      heap.releaseFreeMemory()
      precondition(heap.statistics.cyclesByCause[.growth]! > 0 && heap.statistics.cyclesByCause[.limit]! > 0)
    }
    let lines = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self).split(separator: "\n")
    var counts: [GoLine: Int] = [:]
    for line in lines {
      let kind = try GoLine.allCases.first { try $0.matches(line) }
      if let kind { counts[kind, default: 0] += 1 } else { Issue.record("no line of Go's: \(line)") }
    }
    for kind in GoLine.allCases { #expect(counts[kind] ?? 0 > 0, "no line for \(kind)") }
    #expect(counts[.cycle] == counts[.began])
    #expect(counts[.cycle] == counts[.swept])
    #expect(counts[.scavenged] == (counts[.cycle] ?? 0) + 1)
    #expect(lines.contains { $0.hasPrefix("gc ") && $0.hasSuffix("(forced)") })
    #expect(lines.last?.hasSuffix("(forced)") ?? false)
  }

  @Test("begin and end with the setting, while the heap runs")
  func changeWhileRunning() async throws {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      let heap = try Heap(configuration: Heap.Configuration())
      heap.collect()
      heap.configuration.debug.gcTrace = true
      heap.collect()
      heap.collect()
      heap.configuration.debug.gcTrace = false
      heap.configuration.debug.scavTrace = true
      heap.collect()
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    let starts = said.split(separator: "\n").map { $0.prefix(5) }
    #expect(starts == ["gc 2 ", "gc 3 ", "scav "])
  }
}

private func allocate(_ heap: Heap, mebibytes: Int) throws {
  try onOwnThread {
    try heap.withMutator { m in
      for i in 0..<mebibytes << 15 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
    }
  }
}
