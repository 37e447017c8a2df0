// `tricolor simulate`: JSON in, JSON out, and what is wrong in the file named.

import Foundation
import Testing

@Suite("simulate")
struct SimulateTests {
  private static let draw =
    #"{"allocationRate": 33, "scanRate": 1024, "growthRate": 2.0, "scannableFraction": 1.0, "stackBytes": 8192}"#

  private func run(_ text: String) throws -> Command.Outcome {
    let file = TemporaryFile()
    try text.write(toFile: file.path, atomically: true, encoding: .utf8)
    return try Command.run(["simulate", file.path, "--json", "-"])
  }

  @Test("answers Go's own numbers for the first cycle of its steady scenario")
  func answersGosNumbers() throws {
    let outcome = try run(
      """
      {"gcPercent": 100, "memoryLimitBytes": null, "globalsBytes": 32768, "processors": 8, "cycles": [\(Self.draw)]}
      """)
    #expect(outcome.exitCode == 0)
    let cycles = try #require(try object(outcome.output)["cycles"] as? [[String: Any]])
    let cycle = try #require(cycles.first)
    #expect(cycles.count == 1)
    #expect(cycle["gcUtilization"] as? Double == 0.25)
    let integers = [
      "heapLiveBytes": 0, "triggerBytes": 3_997_696, "peakBytes": 4_026_999, "goalBytes": 4_194_304,
      "assistNanoseconds": 0, "durationNanoseconds": 144_531, "nextHeapMarkedBytes": 262_144,
      "allocatedBlackBytes": 29_303,
    ]
    for (key, value) in integers { #expect(cycle[key] as? Int == value, "\(key)") }
    #expect(Set(cycle.keys) == Set(integers.keys).union(["gcUtilization"]))
  }

  @Test("null is GOGC=off: with a limit alone the goal is the limit's")
  func nullIsOff() throws {
    let outcome = try run(
      #"{"gcPercent": null, "memoryLimitBytes": 536870912, "cycles": [\#(Self.draw)]}"#)
    let cycles = try #require(try object(outcome.output)["cycles"] as? [[String: Any]])
    #expect(cycles.first?["goalBytes"] as? Int == 520_764_785)
  }

  @Test(
    "wrong files end with exit code 64 and name what is wrong",
    arguments: [
      (#"{"gcPercent": -4, "cycles": []}"#, "-4"), (#"{"gcPercent": 1.5, "cycles": []}"#, "1.5"),
      (#"{"memoryLimit": 3, "cycles": []}"#, "memoryLimit"), (#"{"cycles": [{}]}"#, "allocationRate"),
      (#"{"processors": 0, "cycles": []}"#, "processors"), ("{", "JSON"), ("[]", "array"),
    ])
  func wrongFilesAreNamed(_ text: String, _ word: String) throws {
    let outcome = try run(text)
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains(word), "the message: \(outcome.errors)")
  }

  @Test("a file that is not there ends with exit code 64 and its name")
  func missingFileIsNamed() throws {
    let outcome = try Command.run(["simulate", "/no/such/model.json"])
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains("/no/such/model.json"))
  }
}
