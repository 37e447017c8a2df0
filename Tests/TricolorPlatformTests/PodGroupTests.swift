// Several programs in groups of their own inside one group: what they say, how they end, and limits that change.

import Glibc
import Testing

@testable import TricolorPlatform

/// Why no group can be made here, nil when one can.
private let obstacle: String? = {
  do throws(PlatformError) {
    let groups = try PodGroups(limitBytes: nil)
    try groups.remove()
    return nil
  } catch {
    print("SKIPPED: tests of groups of pods: \(error)")
    return "\(error)"
  }
}()

@Suite("Groups of pods", .serialized, .enabled(if: obstacle == nil, "no memory control group may be made here"))
struct PodGroupTests {
  private static let mib: Int64 = 1 << 20

  private func shell(_ script: String, _ name: String, mib: Int64, in groups: borrowing PodGroups) throws -> Pod {
    try groups.start(
      name, limitBytes: mib * Self.mib, executable: "/bin/sh", arguments: ["-c", script],
      environment: ["PATH": "/usr/bin:/bin", "NAME": name])
  }

  private func end(_ pod: Pod) throws -> Pod.Ending {
    while true {
      if let ending = try pod.poll() { return ending }
      usleep(2_000)
    }
  }

  private func read(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let got = Glibc.read(descriptor, &bytes, bytes.count)
    return got > 0 ? String(decoding: bytes[..<got], as: UTF8.self) : ""
  }

  @Test(
    "pods have their own environment, input, output, errors and endings, and nothing is left", .timeLimit(.minutes(1)))
  func several() throws {
    let groups = try PodGroups(limitBytes: 128 * Self.mib)
    let one = try shell("read line; echo $NAME $line; echo bad >&2; exit 4", "one", mib: 64, in: groups)
    let two = try shell("echo $NAME; kill -9 $$", "two", mib: 64, in: groups)
    #expect(one.tell("hello"))
    let (first, second) = (try end(one), try end(two))
    #expect(first.exitCode == 4 && first.signal == nil && !first.oomKilled && first.limitBytes == 64 * Self.mib)
    #expect(second.signal == SIGKILL && second.exitCode == nil && !second.oomKilled)
    #expect(read(one.output) == "one hello\n" && read(one.errors) == "bad\n" && read(two.output) == "two\n")
    #expect(!one.tell("too late"), "and no SIGPIPE")
    let directory = groups.directory
    try groups.remove()
    #expect(!KernelFile.isDirectory(directory))
  }

  @Test("a pod beyond its limit is OOM-killed, and its neighbour is not", .timeLimit(.minutes(1)))
  func killed() throws {
    let groups = try PodGroups(limitBytes: nil)
    let neighbour = try shell("read line; exit 0", "neighbour", mib: 32, in: groups)
    let hog = try shell("x=0123456789abcdef; while :; do x=$x$x; done", "hog", mib: 32, in: groups)
    #expect(try end(hog).oomKilled)
    #expect(try neighbour.poll() == nil)
    #expect(neighbour.tell(""))
    #expect(try end(neighbour).exitCode == 0)
    try groups.remove()
  }

  @Test("the limit around all kills though each is within its own", .timeLimit(.minutes(1)))
  func killedTogether() throws {
    let groups = try PodGroups(limitBytes: 24 * Self.mib)
    let hog = try shell("x=0123456789abcdef; while :; do x=$x$x; done", "hog", mib: 512, in: groups)
    #expect(try end(hog).signal == SIGKILL)
    #expect(try groups.peakUsage().map { $0 <= 25 * Self.mib } ?? true)
    try groups.remove()
  }

  @Test("a limit changes up and down, but not below what is used", .timeLimit(.minutes(1)))
  func changes() throws {
    let groups = try PodGroups(limitBytes: nil)
    // Holds 16 MiB while it waits.
    let pod = try shell(
      "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do x=$x$x; done; echo ready; read line",
      "holder", mib: 128, in: groups)
    while read(pod.output).isEmpty { usleep(2_000) }
    let usage = pod.usage() ?? 0
    #expect(usage > 16 * Self.mib)
    #expect(try !pod.changeLimit(to: 8 * Self.mib))
    #expect(try pod.changeLimit(to: 100 * Self.mib))
    #expect(try pod.changeLimit(to: 256 * Self.mib))
    #expect(pod.tell("end"))
    #expect(try end(pod).limitBytes == 256 * Self.mib)
    try groups.remove()
  }

  @Test("a program that cannot be started leaves no group", .timeLimit(.minutes(1)))
  func notStarted() throws {
    let groups = try PodGroups(limitBytes: nil)
    #expect(throws: PlatformError.self) {
      _ = try groups.start("x", limitBytes: 64 * Self.mib, executable: "/no/such", arguments: [], environment: [:])
    }
    try groups.remove()
  }
}
