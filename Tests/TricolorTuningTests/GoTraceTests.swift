// Reading logs of Go programs: all forms of a line from Go 1.16 on, behind any prefix; what is damaged is named, and nothing ends the process.

import Foundation
import Harness
import Testing

@testable import TricolorTuning

@Suite("A log of a Go program")
struct GoTraceTests {
  private static let go127 =
    "gc 20 @0.348s 12%: 0.092+10+0.20 ms clock, 0.18+2.1/4.3/0.10+0.40 ms cpu, 18->20->10 MB, 21 MB goal, 0 MB stacks, 1 MB globals, 2 P"
  private static let go116 =
    "gc 3 @1.5s 0%: 0.018+1.3+0.076 ms clock, 0.054+0.35/1.2/3.3+0.22 ms cpu, 4->5->1 MB, 5 MB goal, 4 P"

  private func read(_ text: String) -> GoTrace { GoTrace(reading: Array(text.utf8)) }

  @Test("a line of Go 1.27 is read in all its parts")
  func allParts() throws {
    let cycle = try #require(read(Self.go127).cycles.first)
    #expect(cycle.number == 20)
    #expect(abs(cycle.start - 0.348) < 1e-9)
    #expect(cycle.percent == 12)
    let clock = [cycle.stopBefore, cycle.mark, cycle.stopAfter]
    #expect(clock.map { Int(($0 * 1000).rounded()) } == [92, 10_000, 200])
    let cpu = [cycle.stopBeforeCPU, cycle.assistCPU, cycle.backgroundCPU, cycle.idleCPU, cycle.stopAfterCPU]
    #expect(cpu.map { Int(($0 * 100).rounded()) } == [18, 210, 430, 10, 40])
    let sizes = [cycle.heapAtStart, cycle.heapAtEnd, cycle.marked, cycle.goal]
    #expect(sizes == [18, 20, 10, 21])
    #expect(cycle.stacks == 0)
    #expect(cycle.globals == 1)
    #expect(cycle.processors == 2)
    #expect(!cycle.isForced)
  }

  @Test(
    "a line without stacks and globals, as before Go 1.18, is read, and so are a forced cycle and a note about leaks")
  func otherForms() throws {
    let old = try #require(read(Self.go116).cycles.first)
    #expect(old.stacks == nil)
    #expect(old.processors == 4)
    #expect(old.goal == 5)
    #expect(read(Self.go116 + " (forced)").cycles.first?.isForced == true)
    let noted = Self.go127.replacingOccurrences(of: "12%:", with: "12% (checking for goroutine leaks):")
    #expect(read(noted).cycles.first?.marked == 10)
  }

  @Test(
    "prefixes and endings of those who collect logs do not matter",
    arguments: [
      ("Nov 26 12:00:01 node-1 etcd[812]: ", ""), ("{\"log\":\"", "\\n\",\"stream\":\"stderr\"}"),
      ("2026-11-26T12:00:01.123456789Z stderr F ", ""), ("", "\r"), ("[magic 3] ", ""),
    ])
  func prefixes(_ prefix: String, _ suffix: String) {
    let trace = read("a message\n" + prefix + Self.go127 + suffix + "\nanother\n")
    #expect(trace.cycles.count == 1)
    #expect(trace.damaged.isEmpty)
    #expect(trace.otherLines == 2)
  }

  @Test("a line that was cut off is an error with its number and what was expected, and reading goes on")
  func cutOff() throws {
    let trace = read("hello\n" + String(Self.go116.prefix(60)) + "\n" + Self.go127 + "\n")
    #expect(trace.cycles.map(\.number) == [20])
    let damage = try #require(trace.damaged.first)
    #expect(trace.damaged.count == 1)
    #expect(damage.line == 2)
    #expect("\(damage)".hasPrefix("line 2: expected "))
  }

  @Test("of two lines written into each other the whole one is read, the other is named")
  func interleaved() {
    let trace = read(String(Self.go116.prefix(30)) + Self.go127 + "\n")
    #expect(trace.cycles.map(\.number) == [20])
    #expect(trace.damaged.map(\.line) == [1])
  }

  @Test(
    "numbers that no runtime prints are damage",
    arguments: [
      ("18->20->10 MB", "20->18->10 MB"), ("18->20->10 MB", "18->20->90 MB"), ("21 MB goal", "999999999999999 MB goal"),
      ("21 MB goal", "99999999999999999999999 MB goal"), ("2 P", "0 P"), ("gc 20", "gc 0"),
      ("+10+", "+999999999999999+"),
    ])
  func impossible(_ part: String, _ other: String) {
    let trace = read(Self.go127.replacingOccurrences(of: part, with: other))
    #expect(trace.cycles.isEmpty)
    #expect(trace.damaged.count == 1)
  }

  @Test("missing lines and a new start cut the trace")
  func cuts() {
    let lines = [1, 2, 3, 7, 8, 1, 2].map { SyntheticTrace.line(number: $0, start: Double($0)) }
    #expect(read(lines.joined(separator: "\n")).stretches.map { $0.map(\.number) } == [[1, 2, 3], [7, 8], [1, 2]])
  }

  @Test("the log of several processes is refused")
  func severalProcesses() {
    let lines = (1...40).flatMap { number in
      [
        SyntheticTrace.line(number: number, start: Double(number)),
        SyntheticTrace.line(number: number + 100, start: Double(number)),
      ]
    }
    let trace = read(lines.joined(separator: "\n"))
    #expect(throws: GoTraceError.mixedProcesses(cycles: 80, stretches: 80)) { try trace.check() }
  }

  @Test("a log with too few cycles is refused with the first damaged line")
  func tooFew() throws {
    let trace = read("gc 1 @x\ngc 2 @0.1s nonsense\n" + Self.go127)
    let error = try #require(throws: GoTraceError.self) { try trace.check() }
    #expect("\(error)".contains("line 1:"))
    #expect("\(error)".contains("5"))
  }

  @Test("the scavenger's lines tell what the heap held at the least")
  func scavenger() {
    let trace = read(Self.go127 + "\nscav 0 KiB work (bg), 0 KiB work (eager), 11216 KiB now, 24% util\n")
    #expect(trace.scavengerLines == 1)
    #expect(trace.retained == 40)
    #expect(trace.otherLines == 0)
  }

  @Test("a damaged log never ends the process: a real one with random bytes changed")
  func randomDamage() throws {
    let seed = UInt64.random(in: 0...(.max))
    var random = SplitMix64(seed: seed)
    let text = Array(try Fixture.text("etcd-steady-off-500").utf8)
    for _ in 0..<200 {
      var damaged = text
      for _ in 0..<Int.random(in: 1...40, using: &random) {
        let place = Int.random(in: damaged.indices, using: &random)
        switch UInt8.random(in: 0...3, using: &random) {
        case 0: damaged.remove(at: place)
        case 1: damaged[place] = UInt8.random(in: 0...255, using: &random)
        case 2: damaged[place] = UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random)
        default: damaged.insert(UInt8(ascii: "9"), at: place)
        }
      }
      let trace = GoTrace(reading: damaged)
      #expect(trace.cycles.count <= 26 + trace.damaged.count, "seed \(seed)")
      guard let advisor = try? TraceAdvisor(trace) else { continue }
      #expect(advisor.replay(GoSetting(gcPercent: 100, limit: nil)).cpuNanoseconds.isFinite, "seed \(seed)")
    }
  }
}
