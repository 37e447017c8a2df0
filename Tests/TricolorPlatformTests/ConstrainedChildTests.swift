// Children in real memory control groups: skipped, loudly, where no group may be made.

import FixtureTrees
import Glibc
import Testing

@testable import TricolorPlatform

/// Why no group can be made here, nil when one can.
private let obstacle: String? = {
  do throws(PlatformError) {
    let group = try LimitedGroup.make(limitBytes: 64 << 20, procRoot: "/proc", mountPrefix: "")
    try group.remove()
    return nil
  } catch {
    print("SKIPPED: tests of constrained children: \(error)")
    return "\(error)"
  }
}()

@Suite("Constrained children", .serialized, .enabled(if: obstacle == nil, "no memory control group may be made here"))
struct ConstrainedChildTests {
  private static let mib: Int64 = 1 << 20
  private static let hog = "x=0123456789abcdef; while :; do x=$x$x; done"

  private func shell(
    _ script: String, mib: Int64, environment: [String: String]? = nil
  ) throws -> ConstrainedChild.Outcome {
    try ConstrainedChild.run(
      executable: "/bin/sh", arguments: ["-c", script], environment: environment, limitBytes: mib * Self.mib)
  }

  private var leftovers: [String] {
    get throws {
      let chain = try #require(try ControlGroupPaths().chain(of: "memory", mark: "memory.max"))
      return chain.directories.flatMap { directory in
        (0..<4).map { "\(directory)/tricolor-\(getpid())-\($0)" }.filter { KernelFile.isDirectory($0) }
      }
    }
  }

  @Test("A child that allocates beyond its limit is reported as OOM-killed, and the group is gone")
  func beyondLimit() throws {
    let outcome = try shell(Self.hog, mib: 32)
    #expect(outcome.oomKilled)
    #expect(outcome.signal == SIGKILL)
    #expect(outcome.exitCode == nil)
    #expect(outcome.limitBytes == 32 * Self.mib)
    if let peak = outcome.peakUsageBytes { #expect(peak > 16 * Self.mib && peak <= 33 * Self.mib) }
    #expect(outcome.leftover == nil)
    #expect(try leftovers.isEmpty)
  }

  @Test("A child within its limit returns its own exit code", arguments: [0, 3, 137])
  func withinLimit(code: Int32) throws {
    let outcome = try shell("exit \(code)", mib: 64)
    #expect(outcome.exitCode == code)
    #expect(outcome.signal == nil)
    #expect(!outcome.oomKilled)
    #expect(outcome.leftover == nil)
  }

  @Test("A child killed by somebody is not reported as OOM-killed")
  func killed() throws {
    let outcome = try shell("kill -9 $$", mib: 64)
    #expect(outcome.signal == SIGKILL)
    #expect(!outcome.oomKilled)
  }

  @Test("A grandchild that is killed for memory counts, though the child returns")
  func grandchild() throws {
    let outcome = try shell("exec 2>/dev/null; /bin/sh -c '\(Self.hog)'; exit 5", mib: 32)
    #expect(outcome.exitCode == 5)
    #expect(outcome.oomKilled)
  }

  @Test("The child is inside the group, under its limit, and sees the arguments and environment it was given")
  func inside() throws {
    let script = """
      grep -q "tricolor-\(getpid())-" /proc/self/cgroup || exit 11
      [ "$WORD" = "a b" ] || exit 12
      [ -z "$HOME" ] || exit 13
      """
    let outcome = try shell(script, mib: 64, environment: ["WORD": "a b", "PATH": "/usr/bin:/bin"])
    #expect(outcome.exitCode == 0)
  }

  @Test("Without an environment of its own the child gets this process's")
  func inheritedEnvironment() throws {
    setenv("TRICOLOR_INHERITED", "yes", 1)
    defer { unsetenv("TRICOLOR_INHERITED") }
    #expect(try shell("[ \"$TRICOLOR_INHERITED\" = yes ]", mib: 64).exitCode == 0)
  }

  @Test("A process that the child leaves behind is ended and the group still goes")
  func orphan() throws {
    let outcome = try shell("sleep 1000 >/dev/null 2>&1 </dev/null & exit 0", mib: 64)
    #expect(outcome.exitCode == 0)
    #expect(outcome.leftover == nil)
    #expect(try leftovers.isEmpty)
  }

  @Test("A termination signal to this process reaches the child instead", arguments: [SIGTERM, SIGINT])
  func forwarded(signal: Int32) throws {
    // The child asks for the signal itself once its trap is set: no moment has to be guessed.
    let name = signal == SIGTERM ? "TERM" : "INT"
    let outcome = try shell("trap 'exit 9' \(name); kill -\(name) $PPID; while :; do sleep 0.05; done", mib: 64)
    #expect(outcome.exitCode == 9)
  }

  @Test("A program that does not exist is an error that names it, and leaves no group")
  func missingProgram() throws {
    let error = #expect(throws: PlatformError.self) {
      try ConstrainedChild.run(executable: "/no/such/program", arguments: [], limitBytes: 64 * Self.mib)
    }
    #expect(error?.description == "starting /no/such/program failed: No such file or directory")
    #expect(try leftovers.isEmpty)
  }

  @Test("A limit too small for any program is refused with the smallest one")
  func tooSmall() {
    let error = #expect(throws: PlatformError.self) {
      try ConstrainedChild.run(executable: "/bin/true", arguments: [], limitBytes: 4096)
    }
    #expect(error?.description.contains("at least 1 MiB") == true)
  }
}

@Suite("Groups that cannot be made")
struct RefusedGroupTests {
  private func refusal(_ tree: FixtureTree) -> String? {
    let error = #expect(throws: PlatformError.self) {
      try ConstrainedChild.run(
        executable: "/bin/true", arguments: [], limitBytes: 64 << 20, procRoot: tree.procRoot, mountPrefix: tree.root)
    }
    return error?.description
  }

  @Test("Without a memory controller the message says so")
  func noController() {
    #expect(refusal(FixtureTree(["proc/": ""]))?.contains("no memory controller is mounted") == true)
  }

  @Test("Each place that refused is named with its reason, but none above a limit is tried")
  func namesReasons() {
    // A copied tree is no real one: a directory made in it has no control files, so every place refuses.
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/pod/box/leaf\n",
      "proc/self/mountinfo": "41 31 0:38 / /groups rw - cgroup2 cgroup2 rw\n", "groups/cgroup.controllers": "memory\n",
      "groups/pod/cgroup.subtree_control": "memory\n", "groups/pod/memory.max": "max\n",
      "groups/pod/box/cgroup.subtree_control": "memory\n", "groups/pod/box/memory.max": "8388608\n",
      "groups/pod/box/leaf/cgroup.subtree_control": "memory\n", "groups/pod/box/leaf/memory.max": "max\n",
    ])
    let message = refusal(tree) ?? ""
    #expect(message.contains("groups/pod/box/leaf/tricolor-"))
    #expect(message.contains("groups/pod/box/tricolor-"))
    #expect(!message.contains("groups/pod/tricolor-"))
    #expect(message.contains("systemd-run"))
  }
}
