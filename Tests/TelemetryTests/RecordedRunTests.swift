// What is made of a run's object: refusals of what is none, the verdict in words, the terminal's bands, the page.

import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Recorded runs")
struct RecordedRunTests {
  private func refusal(_ json: JSONValue) -> String? {
    do throws(RecordedRun.Malformed) {
      _ = try RecordedRun(json, name: "x")
      return nil
    } catch {
      return error.description
    }
  }

  /// The made-up run with another value behind a key; nil removes the key.
  private func changed(_ key: String, _ value: JSONValue?, in json: JSONValue = MadeUpRun().json) -> JSONValue {
    let others = (json.members ?? []).filter { $0.key != key }
    return .object(others + (value.map { [.init(key, $0)] } ?? []))
  }

  @Test("what is not a run's object is refused, and the message names the key")
  func refusals() {
    #expect(refusal(MadeUpRun().json) == nil)
    #expect(refusal([1, 2])?.contains("no object") == true)
    for key in [
      "workload", "seconds", "gcCPUFraction", "peakRSSBytes", "limitBytes", "verified", "operationNanoseconds",
    ] {
      #expect(refusal(changed(key, nil))?.contains(key) == true, "\(key)")
      #expect(refusal(changed(key, [true]))?.contains(key) == true, "\(key)")
    }
  }

  @Test("a timeline with a column too few, a short row or no array of cycles is refused, and the message says where")
  func timelineRefusals() throws {
    let timeline = try #require(MadeUpRun().json["timeline"])
    func refusalOf(_ key: String, _ value: JSONValue?) -> String {
      refusal(changed("timeline", changed(key, value, in: timeline))) ?? ""
    }
    #expect(refusalOf("columns", nil).contains("timeline.columns"))
    #expect(refusalOf("columns", ["time"]).contains("\"live\""))
    #expect(refusalOf("samples", [[1, 2]]).contains("timeline.samples[0]"))
    #expect(refusalOf("samples", .array([.array(TimelineSample.columns.map { _ in .null })])).contains("\"time\""))
    #expect(refusalOf("cycles", nil).contains("timeline.cycles"))
    #expect(refusalOf("decisions", [[1, "x", "y"], [2]]).contains("timeline.decisions[1]"))
  }

  // MARK: Verdicts

  private func verdict(_ change: (inout MadeUpRun) -> Void) throws -> Verdict {
    var run = MadeUpRun()
    change(&run)
    return Verdict(try run.recorded())
  }

  @Test("a run within its limit is good, and its sentences have the figures")
  func goodVerdict() throws {
    let verdict = try verdict { _ in }
    #expect(verdict.isGood)
    let text = verdict.sentences.joined(separator: " ")
    for part in [
      "90.0 MiB", "90.0 % of the memory limit", "38.0 MiB were left", "10.0 % of the CPU", "moderate", "25.0 %",
    ] {
      #expect(text.contains(part), "no \(part) in: \(text)")
    }
    #expect(text.contains("take turns"))
    #expect(try self.verdict { $0.byLimit = 7 }.sentences.joined().contains("the limit sets the pace"))
    #expect(try self.verdict { $0.byLimit = 1 }.sentences.joined().contains("GOGC sets the pace most of the time"))
    #expect(try self.verdict { $0.byLimit = 0 }.sentences.joined().contains("GOGC sets the pace."))
  }

  @Test("over the limit, wrong data and death are no good ends, and say so first")
  func badVerdicts() throws {
    let over = try verdict { $0.peak = 110 << 20 }
    #expect(!over.isGood && over.ending.contains("exceeded") && over.sentences[0].contains("10.0 MiB OVER"))
    let wrong = try verdict { $0.isVerified = false }
    #expect(!wrong.isGood && wrong.ending.contains("NOT"))
    let killed = try verdict {
      $0.isKilled = true
      $0.isVerified = false
    }
    #expect(!killed.isGood && killed.ending.contains("killed") && killed.ending.contains("128.0 MiB"))
    // Its counters died with it.
    #expect(!killed.sentences.joined().contains("of the CPU"))
  }

  // MARK: The terminal

  private func lines(_ runs: [MadeUpRun], width: Int = 100, isASCII: Bool = false) throws -> [String] {
    TerminalReport(width: width, isASCII: isASCII).text(try runs.map { try $0.recorded() })
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test("no line is wider than the terminal", arguments: [50, 80, 123])
  func widths(_ width: Int) throws {
    let all = try lines([MadeUpRun()], width: width)
    #expect(all.allSatisfy { $0.count <= width }, "\(all.max { $0.count < $1.count } ?? "")")
    let resident = try #require(all.first { $0.hasPrefix("resident") })
    #expect(resident.count > width - 15, "the line uses the width: \(resident)")
  }

  @Test("a peak of one sample is drawn, and a stall where it was")
  func peaksAreDrawn() throws {
    let all = try lines([MadeUpRun()])
    let resident = Array(try #require(all.first { $0.hasPrefix("resident") }))
    // 100 columns less 17 for the name, 13 for the value and two spaces.
    let peak = try #require(resident.firstIndex(of: "█"), "\(String(resident))")
    #expect(abs(peak - (18 + 68 * 7 / 10)) <= 1)
    let stall = Array(try #require(all.first { $0.hasPrefix("longest stall") }))
    let tallest = try #require(stall.dropFirst(18).prefix(68).max().flatMap { stall.firstIndex(of: $0) })
    #expect(abs(tallest - (18 + 34)) <= 1)
    let cycles = Array(try #require(all.first { $0.hasPrefix("cycles") }))
    #expect(cycles.firstIndex(of: "g") == 18 + 6)
    #expect(cycles.last == "l")
  }

  @Test("means are those of the totals, and what there was none of is blank")
  func meansAndBlanks() throws {
    let all = try lines([MadeUpRun()])
    let collector = try #require(all.first { $0.hasPrefix("collector ") })
    let mutator = try #require(all.first { $0.hasPrefix("mutator") })
    #expect(collector.hasSuffix(" 10.0 %") && mutator.hasSuffix(" 50.0 %"), "\(collector) \(mutator)")
    #expect(all.contains("operation p99"))
    let idle = try #require(all.first { $0.hasPrefix("  idle") })
    #expect(idle.split(separator: " ") == ["idle", "0.0", "%"])
  }

  @Test("a terminal without Unicode gets letters and signs alone")
  func asciiOnly() throws {
    let text = try lines([MadeUpRun(), MadeUpRun(name: "other")], isASCII: true).joined()
    #expect(text.allSatisfy { $0.isASCII }, "\(text.filter { !$0.isASCII })")
  }

  @Test("losses are marked, and a run without a timeline says how to get one")
  func lossesAndNothing() throws {
    var killed = MadeUpRun()
    killed.decisions = [[2_000_000_000, "shed", "3 operations"], [10_000_000_000, "killed", "the kernel"]]
    let marks = try #require(try lines([killed]).first { $0.hasPrefix("losses") })
    #expect(marks.contains("s") && marks.hasSuffix("X"))
    var bare = MadeUpRun()
    bare.hasTimeline = false
    #expect(try lines([bare]).joined().contains("--timeline"))
  }

  @Test("several runs are compared in a table, and runs under three limits have a curve with its knee")
  func severalRuns() throws {
    let runs = [(64, 0.4), (96, 0.1), (256, 0.05)].map { limit, share in
      MadeUpRun(name: "at \(limit)", limit: limit << 20, share: share)
    }
    let two = try lines(Array(runs.prefix(2))).joined(separator: "\n")
    #expect(two.contains("Side by side") && !two.contains("knee"))
    let three = try lines(runs)
    #expect(three.contains { $0.contains("96.0 MiB") && $0.hasSuffix("knee") }, "\(three.suffix(8))")
  }

  // MARK: The page

  @Test("the page needs nothing outside it, and what a run calls itself cannot end its script")
  func pageIsWhole() throws {
    var run = MadeUpRun()
    run.name = "</script><b>&\""
    run.decisions = [[0, "phase", "</script><!-- ]]>"]]
    let page = ReportPage.text([try run.recorded()])
    #expect(page.components(separatedBy: "</script>") == 3 + 1)
    #expect(!page.contains("</script><b>") && !page.contains("<!--"))
    #expect(page.contains("&lt;/script&gt;&lt;b&gt;&amp;&quot;"))
    #expect(!page.contains("http") && !page.contains("src=") && !page.contains("@import"))
    #expect(page.contains("The data at the end is what was stored."))
  }
}

extension String {
  /// How many pieces there are between occurrences of `separator`.
  fileprivate func components(separatedBy separator: String) -> Int {
    var (count, rest) = (1, self[...])
    while let range = rest.firstRange(of: separator) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}

@Suite("Cost against limit")
struct SweepCurveTests {
  @Test("the knee of a falling curve is where it bends")
  func knee() {
    let curve = SweepCurve([(100, 0.5), (150, 0.22), (200, 0.1), (400, 0.06), (800, 0.05)])
    #expect(curve.knee == 2)
    #expect(curve.sentence.contains("200 B"))
  }

  @Test("runs under one limit count as their median, and those that were killed beside the curve")
  func medians() {
    let curve = SweepCurve([(100, 0.3), (100, 0.9), (100, 0.2), (50, nil), (200, 0.1), (200, 0.2)])
    #expect(curve.points.map(\.cost) == [0.3, 0.15000000000000002])
    #expect(curve.points.map(\.runs) == [3, 2])
    #expect(curve.lostLimits == [50])
    #expect(curve.knee == nil)
  }

  @Test("a straight line and a flat one have no knee, and two limits are no curve")
  func noKnee() throws {
    #expect(SweepCurve([(1, 0.3), (2, 0.2), (3, 0.1)]).knee == nil)
    #expect(SweepCurve([(1, 0.3), (2, 0.3), (3, 0.3)]).knee == nil)
    #expect(SweepCurve([(1, 0.1), (2, 0.3), (3, 0.1)]).knee == nil)
    let two = try [64, 96].map { try MadeUpRun(limit: $0 << 20).recorded() }
    #expect(SweepCurve(two) == nil)
  }
}
