// The text format of Prometheus: names, types, histograms; and promtool's opinion where it is installed.

import Foundation
import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Prometheus metrics")
struct PrometheusTests {
  private func used() throws -> HeapStatistics {
    let heap = try Heap(configuration: .init())
    try heap.withMutator { mutator in
      for _ in 0..<5000 { _ = try mutator.makeBytes(count: 100) }
    }
    heap.collect()
    return heap.statistics
  }

  private func text() throws -> String {
    var text = PrometheusText()
    text.addInfo("tricolor_run_info", "The run.", [("workload", "a \"quoted\" \\ name\nof two lines")])
    text.addGoMetrics(try used())
    text.addHeap(try used())
    return text.text
  }

  @Test("every metric with a Go name has a description, and no description is left over")
  func everyMetricIsDescribed() throws {
    #expect(Set(try used().metrics.map(\.name)) == Set(GoMetricHelp.table.keys))
  }

  @Test(
    "Go's names are those under which Go programs export them",
    arguments: [
      ("/gc/heap/goal:bytes", false, "go_gc_heap_goal_bytes"), ("/gc/gogc:percent", false, "go_gc_gogc_percent"),
      ("/gc/cycles/total:gc-cycles", true, "go_gc_cycles_total_gc_cycles_total"),
      ("/cpu/classes/gc/mark/assist:cpu-seconds", true, "go_cpu_classes_gc_mark_assist_cpu_seconds_total"),
      ("/gc/heap/allocs-by-size:bytes", false, "go_gc_heap_allocs_by_size_bytes"),
      ("/gc/limiter/last-enabled:gc-cycle", false, "go_gc_limiter_last_enabled_gc_cycle"),
    ])
  func goNames(_ name: String, _ isCumulative: Bool, _ expected: String) {
    #expect(PrometheusText.goName(name, isCumulative: isCumulative) == expected)
  }

  @Test("every value stands behind its HELP and TYPE lines, and each family comes once")
  func familiesAreWhole() throws {
    var family = ""
    var seen: Set<String> = []
    for line in try text().split(separator: "\n") {
      let words = line.split(separator: " ")
      if line.hasPrefix("# HELP") {
        family = String(words[2])
        #expect(seen.insert(family).inserted, "\(family) comes twice")
        #expect(words.count > 3, "\(family) has no description")
      } else if line.hasPrefix("# TYPE") {
        #expect(String(words[2]) == family)
      } else {
        #expect(line.hasPrefix(family), "\(line) is not of \(family)")
        #expect(Double(words.last!) != nil, "\(line) has no number")
      }
    }
    #expect(seen.contains("go_gc_heap_goal_bytes"))
    #expect(seen.contains("tricolor_stall_seconds"))
  }

  @Test("buckets of a histogram count everything below their bound, the last everything")
  func bucketsAreCumulative() {
    let values: [UInt64] = [500, 1023, 1024, 1025, 5_000_000, 20_000_000_000]
    var buckets: [Int: Int] = [:]
    for value in values { buckets[DurationCounts.bucket(of: value), default: 0] += 1 }
    let counts = DurationCounts(totalNanoseconds: values.reduce(0, +)) { buckets[$0] ?? 0 }
    var text = PrometheusText()
    text.addDurations("d_seconds", "Durations.", counts)
    let lines = text.text.split(separator: "\n").map(String.init)
    #expect(lines.contains("d_seconds_bucket{le=\"1.024e-06\"} 2"))
    #expect(lines.contains("d_seconds_bucket{le=\"2.048e-06\"} 4"))
    #expect(lines.contains("d_seconds_bucket{le=\"8.589934592\"} 5"))
    #expect(lines.contains("d_seconds_bucket{le=\"+Inf\"} 6"))
    #expect(lines.contains("d_seconds_count 6"))
    #expect(lines.contains("d_seconds_sum 20.005003572"))
  }

  @Test("quotation marks, backslashes and line ends in labels are escaped")
  func labelsAreEscaped() throws {
    #expect(try text().contains(#"workload="a \"quoted\" \\ name\nof two lines""#))
  }

  @Test(
    "promtool finds nothing to complain about", .enabled(if: Promtool.path != nil, "SKIPPED: promtool is not installed")
  )
  func promtoolAgrees() throws {
    let process = Process()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: try #require(Promtool.path))
    process.arguments = ["check", "metrics"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(try text().utf8))
    try input.fileHandleForWriting.close()
    let complaints = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(complaints)")
    #expect(complaints.isEmpty)
  }
}

/// The checker of the prometheus package.
enum Promtool {
  static let path = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
}
