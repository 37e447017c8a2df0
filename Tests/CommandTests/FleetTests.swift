// `tricolor simulate --fleet`: the example works, the answer is an object, and what is wrong in a file is named.

import Foundation
import Testing

@Suite("simulate --fleet")
struct FleetCommandTests {
  private static let group =
    #""name": "a", "pods": 3, "limitBytes": 268435456, "liveBytes": 33554432, "allocationBytesPerSecond": 1000000"#

  private func run(_ text: String) throws -> Command.Outcome {
    let file = TemporaryFile()
    try text.write(toFile: file.path, atomically: true, encoding: .utf8)
    return try Command.run(["simulate", "--fleet", file.path, "--json", "-"])
  }

  @Test("answers all combinations of the file, and progress goes elsewhere")
  func answers() throws {
    let outcome = try run(
      #"{"hours": 1, "limitPercents": [80, 90], "limitScales": [1, 0.5], "groups": [{\#(Self.group), "gcPercent": null}]}"#
    )
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let answer = try object(outcome.output)
    let combinations = try #require(answer["combinations"] as? [[String: Any]])
    #expect(combinations.map { $0["limitPercent"] as? Int } == [80, 90, 80, 90])
    #expect(combinations[0]["podHours"] as? Double == 3)
    #expect(answer["isComplete"] as? Bool == true)
    #expect(outcome.errors.contains("done in"))
  }

  @Test(
    "wrong files end with exit code 64 and name key and value",
    arguments: [
      (#"{"hours": -1, "limitPercents": [90], "groups": [{\#(group)}]}"#, ["hours", "-1"]),
      (#"{"hours": 1, "limitPercents": [190], "groups": [{\#(group)}]}"#, ["limitPercents[0]", "190"]),
      (
        #"{"hours": 1, "limitPercents": [90], "groups": [{\#(group), "spikes": {"live": 0}}]}"#,
        ["groups[0].spikes.live", "0"]
      ),
      (#"{"hours": 1, "limitPercents": [90], "groups": [{\#(group), "lifeBytes": 3}]}"#, ["lifeBytes", "liveBytes"]),
      (#"{"hours": 1, "limitPercents": [90], "groups": [{"name": "a"}]}"#, ["groups[0]", "pods"]),
      (#"{"hours": 1, "limitPercents": [90], "groups": [{\#(group), "foreignBytes": 1.5}]}"#, ["foreignBytes", "1.5"]),
      (#"{"hours": "long", "limitPercents": [90], "groups": [{\#(group)}]}"#, ["hours"]), ("[", ["JSON"]),
    ] as [(String, [String])])
  func wrongFiles(_ text: String, _ words: [String]) throws {
    let outcome = try run(text)
    #expect(outcome.exitCode == 64)
    for word in words { #expect(outcome.errors.contains(word), "the message: \(outcome.errors)") }
  }

  @Test("neither a file nor a fleet, and both, are refused")
  func neitherNorBoth() throws {
    #expect(try Command.run(["simulate"]).exitCode == 64)
    let both = try Command.run(["simulate", "a.json", "--fleet", "b.json"])
    #expect(both.exitCode == 64)
    #expect(both.errors.contains("a.json"))
  }
}
