// The dashboard as clients meet it: the page, samples that move, metrics, wrong requests, and how it ends with the run.

import Foundation
import Testing
import TricolorPlatform

@testable import Harness

/// A run of the command with a dashboard on a port of its own.
private struct WatchedRun {
  let command: Command
  let port: UInt16

  /// Starts a run and waits until it says where it listens.
  init(_ arguments: [String]) throws {
    command = try Command(["run"] + arguments + ["--quiet", "--dashboard", "0"])
    let line = try command.firstComplaint()
    let url = try #require(line.firstMatch(of: /dashboard at http:\/\/127\.0\.0\.1:(\d+)\//), "it said: \(line)")
    port = try #require(UInt16(url.1))
  }

  static let forever = ["churn", "--records", "1000", "--threads", "1", "--duration", "600s"]

  /// Ends it by SIGINT and answers what it left.
  func interrupt() throws -> Command.Outcome {
    kill(command.process.processIdentifier, SIGINT)
    return try command.finish()
  }

  /// What the server answers to `head`, everything until it closes.
  func exchange(_ head: String, address: String = "127.0.0.1") throws -> Answer {
    try Answer(RawClient.exchange(head, address: address, port: port))
  }

  func get(_ target: String) throws -> Answer {
    try exchange("GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
  }
}

private struct Answer {
  let status: Int
  let head: String
  let body: String

  init(_ text: String) throws {
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    head = String(parts[0])
    body = parts.count > 1 ? String(parts[1]) : ""
    status = try #require(Int(head.split(separator: " ").dropFirst().first ?? ""), "no status: \(text)")
  }
}

/// A connection without a library between: what is sent is what the test says.
private enum RawClient {
  struct Refused: Error {}

  static func exchange(_ text: String, address: String, port: UInt16) throws -> String {
    let descriptor = try connect(address, port)
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    #expect(send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = recv(descriptor, &chunk, chunk.count, 0), count > 0 { result += chunk[..<count] }
    return String(decoding: result, as: UTF8.self)
  }

  static func connect(_ address: String, _ port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let target = try DashboardAddress.parse("\(address):\(port)", option: "test")
    guard target.withSocketAddress({ Glibc.connect(descriptor, $0, $1) }) == 0 else {
      close(descriptor)
      throw Refused()
    }
    return descriptor
  }
}

@Suite("The dashboard")
struct DashboardTests {
  @Test("serves a page that needs nothing else, samples that move, and metrics; says 404 to the rest")
  func serves() throws {
    let run = try WatchedRun(WatchedRun.forever)
    let page = try run.get("/")
    #expect(page.status == 200)
    #expect(page.head.contains("text/html"))
    #expect(page.body.contains("drawBands"))
    #expect(!page.body.contains("src=") && !page.body.contains("@import"))

    let first = try object(try run.get("/samples").body)
    let seen = try #require(first["last"] as? Int)
    var later = try object(try run.get("/samples?since=\(seen)").body)
    for _ in 0..<100 where (later["samples"] as? [Any] ?? []).isEmpty {
      usleep(50_000)
      later = try object(try run.get("/samples?since=\(seen)").body)
    }
    #expect(try #require(later["last"] as? Int) > seen)
    #expect(first["run"] as? String == later["run"] as? String)
    #expect(later["ended"] is NSNull)
    #expect(try latest("operations", in: later) > 0)

    let metrics = try run.get("/metrics")
    #expect(metrics.head.contains("text/plain; version=0.0.4"))
    #expect(metrics.body.contains("\ngo_gc_heap_goal_bytes "))
    #expect(metrics.body.contains("\ntricolor_operations_total "))
    #expect(metrics.body.contains("workload=\"churn\""))
    #expect(try run.get("/favicon.ico").status == 404)
    #expect(try run.get("/samples?since=x").status == 400)
    #expect(try run.interrupt().exitCode == 0)
  }

  /// What the newest sample of a response has in a column.
  private func latest(_ column: String, in response: [String: Any]) throws -> Int {
    let columns = try #require(response["columns"] as? [String])
    let place = try #require(columns.firstIndex(of: column))
    let row = try #require((response["samples"] as? [[Any]])?.last)
    return try #require(row[place] as? Int)
  }

  @Test("answers HEAD by the head alone, and other methods, long heads and nonsense by their statuses")
  func wrongRequests() throws {
    let run = try WatchedRun(WatchedRun.forever)
    let head = try run.exchange("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
    #expect(head.status == 200)
    #expect(head.body.isEmpty)
    #expect(head.head.contains("Content-Length: \(try run.get("/").body.utf8.count)"))
    let post = try run.exchange("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
    #expect(post.status == 405)
    #expect(post.head.contains("Allow: GET, HEAD"))
    #expect(try run.exchange("nonsense\r\n\r\n").status == 400)
    #expect(try run.exchange("GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\n\r\n").status == 431)
    #expect(try run.interrupt().exitCode == 0)
  }

  @Test("several requests on one connection are answered in order, also when they come at once")
  func pipelines() throws {
    let run = try WatchedRun(WatchedRun.forever)
    let text = try RawClient.exchange(
      "GET /nowhere HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n",
      address: "127.0.0.1", port: run.port)
    let statuses = text.matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.1) }
    #expect(statuses == ["404", "200", "200"])
    #expect(try run.interrupt().exitCode == 0)
  }

  @Test("clients that say nothing do not keep others from being answered")
  func silentClients() throws {
    let run = try WatchedRun(WatchedRun.forever)
    let silent = try (0..<10).map { _ in try RawClient.connect("127.0.0.1", run.port) }
    #expect(try run.get("/").status == 200)
    for descriptor in silent { close(descriptor) }
    #expect(try run.interrupt().exitCode == 0)
  }

  @Test("listens on the loopback address alone unless told otherwise")
  func listensOnLoopback() throws {
    let run = try WatchedRun(WatchedRun.forever)
    #expect(throws: RawClient.Refused.self) { try run.exchange("GET / HTTP/1.1\r\n\r\n", address: "127.0.0.2") }
    #expect(try run.interrupt().exitCode == 0)
    let everywhere = try Command(["run"] + WatchedRun.forever + ["--quiet", "--dashboard", "0.0.0.0:0"])
    let line = try everywhere.firstComplaint()
    let port = try #require(line.firstMatch(of: /:(\d+)\//)?.1)
    let answer = try RawClient.exchange(
      "GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", address: "127.0.0.2", port: try #require(UInt16(port)))
    #expect(answer.contains("404"))
    kill(everywhere.process.processIdentifier, SIGINT)
    #expect(try everywhere.finish().exitCode == 0)
  }

  @Test("whoever looks gets the last samples and a last word, also when the run is interrupted")
  func saysHowItEnded() throws {
    let run = try WatchedRun(WatchedRun.forever)
    #expect(try run.get("/samples").status == 200)
    kill(run.command.process.processIdentifier, SIGINT)
    var ended: [String: Any]?
    for _ in 0..<2000 where ended == nil {
      ended = try object(try run.get("/samples").body)["ended"] as? [String: Any]
      usleep(5000)
    }
    #expect(try #require(ended?["text"] as? String).contains("interrupted"))
    #expect(ended?["isGood"] as? Bool == true)
    let outcome = try run.command.finish()
    #expect(outcome.exitCode == 0)
    #expect(outcome.output.contains("INTERRUPTED"))
  }

  @Test("a port that is taken is wrong input, and nothing runs")
  func takenPort() throws {
    let run = try WatchedRun(WatchedRun.forever)
    let outcome = try Command.run(["run"] + WatchedRun.forever + ["--dashboard", "\(run.port)"])
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains("--dashboard: 127.0.0.1, port \(run.port)"), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(try run.interrupt().exitCode == 0)
  }

  @Test("an address of another machine is refused")
  func foreignAddress() throws {
    let outcome = try Command.run(["run"] + WatchedRun.forever + ["--dashboard", "192.0.2.1:0"])
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains("192.0.2.1"))
  }

  @Test("in a control group the constrained child serves")
  func servesFromAControlGroup() throws {
    let machine = try object(try Command.run(["topology", "--json", "-"]).output)
    guard machine["canMakeCgroup"] as? Bool == true else {
      print("SKIPPED: the dashboard in a control group: \(machine["canMakeCgroupReason"] ?? "no reason")")
      return
    }
    let run = try WatchedRun(WatchedRun.forever + ["--cgroup", "64MiB"])
    #expect(try latest("groupLimit", in: try object(try run.get("/samples").body)) == 64 << 20)
    #expect(try run.interrupt().exitCode == 0)
  }

  @Test(
    "addresses are a port, or a host in numbers before it",
    arguments: [
      ("8080", "127.0.0.1", 8080), ("0", "127.0.0.1", 0), ("localhost:1", "127.0.0.1", 1),
      ("0.0.0.0:65535", "0.0.0.0", 65535), ("[::1]:80", "::1", 80),
    ])
  func addresses(_ text: String, _ host: String, _ port: Int) throws {
    let address = try DashboardAddress.parse(text, option: "--dashboard")
    #expect(address.host == host)
    #expect(Int(address.port) == port)
  }
}
