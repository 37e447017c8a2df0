// `tricolor tune --from`: a log goes in, settings come out, for people and for programs; wrong input is named.

import Foundation
import Testing

@Suite("tune --from")
struct TraceAdviceCommandTests {
  /// 40 cycles of a program with 100 MiB alive that allocates 50 MiB a second.
  private static let log = (1...40).map { number in
    "node etcd[7]: gc \(number) @\(2 * number).0s 0%: 0.1+10+0.1 ms clock, 0.2+1/4/10+0.2 ms cpu, 200->201->101 MB, 201 MB goal, "
      + "0 MB stacks, 0 MB globals, 2 P\nnode etcd[7]: served\n"
  }.joined()

  private func run(_ text: String, _ options: [String]) throws -> Command.Outcome {
    let file = TemporaryFile()
    try text.write(toFile: file.path, atomically: true, encoding: .utf8)
    return try Command.run(["tune", "--from", file.path] + options)
  }

  @Test("answers settings that a shell and Kubernetes take, and what they rest on")
  func text() throws {
    let outcome = try run(Self.log, ["--memory", "512MiB", "--rss", "230MiB"])
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    for part in [
      "GOGC=100 GOMEMLIMIT=454MiB", "limits: {memory: 512Mi}", "ran with GOGC=", "smallest safe limit", "confidence:",
    ] {
      #expect(outcome.output.contains(part), "no \(part) in \(outcome.output)")
    }
  }

  @Test("--json - writes one object and nothing else")
  func json() throws {
    let outcome = try run(Self.log + "gc 41 @cut\ngc 41 @82.0s 0%: 0.1", ["--json", "-"])
    let answer = try object(outcome.output)
    #expect(
      Set(answer.keys).isSuperset(of: ["recommended", "smallestSafeBytes", "confidence", "doubts", "trace", "isSafe"]))
    let trace = try member("trace", of: answer)
    #expect(trace["cycles"] as? Int == 40)
    #expect(trace["otherLines"] as? Int == 40)
    #expect((trace["damagedLines"] as? [String])?.count == 2)
  }

  @Test("wrong input ends with exit code 64 and names the value")
  func wrongInput() throws {
    #expect(try run(Self.log, ["--memory", "1GB"]).errors.contains("1GB"))
    #expect(try run(Self.log, ["--memory", "5"]).exitCode == 64)
    #expect(try run(Self.log, ["--rss", "much"]).errors.contains("--rss"))
    let empty = try run("nothing\n", [])
    #expect(empty.exitCode == 64)
    #expect(empty.errors.contains("0 collections"))
    #expect(try Command.run(["tune", "--from", "/no/such.log"]).errors.contains("/no/such.log"))
  }
}
