// The memory limit under the real version 2 of control groups: memory.max and memory.high, groups in groups, limits that change, a process that
// is moved, and the kernel's signs. Needs a unified tree that this process may make groups in: make test-numa has a machine with one.

import Foundation
import Testing
import TricolorPlatform

private let mebibyte = 1 << 20

@Suite(
  "Under version 2 of control groups", .serialized,
  .enabled(if: VersionTwoGroup.root != nil, "SKIPPED: no version 2 group can be made here"))
struct VersionTwoTests {
  /// What keeps the heap growing where no limit stops it: four times what lives.
  private func busy(live: Int, seconds: Int, limit: String = "auto") -> [String: String] {
    ["GOMEMLIMIT": limit, "GOGC": "400", "LIVE_MEBIBYTES": "\(live)", "BUSY_SECONDS": "\(seconds)"]
  }

  private func share(_ percent: Int, ofMebibytes mebibytes: Int) -> Int { mebibytes * mebibyte / 100 * percent }

  private func expectKept(_ limit: Int, _ figures: [String: Int]) {
    // The shares of a limit that is no multiple of 100 round down.
    #expect((limit - 100...limit + 100).contains(figures["limit"] ?? 0), "\(figures)")
    #expect(figures["right"] == figures["live"])
    #expect(figures["cyclesByLimit"] ?? 0 > 0, "\(figures)")
  }

  @Test("auto keeps a heap below memory.max", arguments: [("auto", 90), ("75%", 75)])
  func hardLimit(_ setting: String, _ percent: Int) throws {
    let group = try VersionTwoGroup("hard", ["memory.max": "96M"])
    let figures = try RunningProgram(
      "busy", in: group.directory, environment: busy(live: 30, seconds: 4, limit: setting)
    )
    .finish()
    expectKept(share(percent, ofMebibytes: 96), figures)
    #expect(try group.events("oom_kill") == 0)
    #expect(try group.events("max") == 0, "the limit itself was never met")
    try group.remove()
  }

  @Test("auto keeps a heap below memory.high, above which everybody would wait")
  func softLimit() throws {
    let group = try VersionTwoGroup("soft", ["memory.high": "96M", "memory.max": "200M"])
    let figures = try RunningProgram("busy", in: group.directory, environment: busy(live: 30, seconds: 4)).finish()
    expectKept(share(90, ofMebibytes: 96), figures)
    #expect(try group.events("high") == 0)
    try group.remove()
  }

  @Test("the limit is the smallest on the path, and what other groups under it use counts")
  func nested() throws {
    let pod = try VersionTwoGroup("pod", ["memory.max": "144M"])
    try pod.write("+memory", to: "cgroup.subtree_control")
    let container = try VersionTwoGroup("container", under: pod.directory, ["memory.max": "400M"])
    let neighbour = try VersionTwoGroup("neighbour", under: pod.directory)
    let holder = try RunningProgram("hold", in: neighbour.directory, environment: ["LIVE_MEBIBYTES": "50"])
    try neighbour.wait { $0 > 50 * mebibyte }
    let figures = try RunningProgram("busy", in: container.directory, environment: busy(live: 25, seconds: 4)).finish()
    expectKept(share(90, ofMebibytes: 144), figures)
    #expect(figures["largestResident"] ?? 0 > 75 * mebibyte, "the pod's usage, the neighbour's memory included")
    #expect(try pod.events("oom_kill") == 0)
    #expect(try pod.events("max") == 0)
    try holder.end()
    try container.remove()
    try neighbour.remove()
    try pod.remove()
  }

  @Test("a limit lowered by 30 % under load, memory.high first, is followed without a kill; one that is raised is used")
  func resized() throws {
    let group = try VersionTwoGroup("resized", ["memory.max": "200M"])
    let program = try RunningProgram("busy", in: group.directory, environment: busy(live: 40, seconds: 20))
    try group.wait { $0 > 150 * mebibyte }
    try group.write("140M", to: "memory.high")
    try group.wait { $0 < 138 * mebibyte }
    try group.write("140M", to: "memory.max")
    try group.write("max", to: "memory.high")
    usleep(2_000_000)
    #expect(try group.number(in: "memory.current") < 140 * mebibyte)
    try group.write("260M", to: "memory.max")
    try group.wait { $0 > 150 * mebibyte }
    let figures = try program.finish()
    expectKept(share(90, ofMebibytes: 260), figures)
    #expect(try group.events("oom_kill") == 0)
    try group.remove()
  }

  @Test("memory.max lowered below what is used kills at once: why memory.high is lowered first")
  func loweredAtOnce() throws {
    let group = try VersionTwoGroup("lowered", ["memory.max": "100M"])
    let holder = try RunningProgram("hold", in: group.directory, environment: ["LIVE_MEBIBYTES": "50"])
    try group.wait { $0 > 50 * mebibyte }
    try group.write("30M", to: "memory.max")
    #expect(try group.events("oom_kill") == 1)
    try holder.end()
    try group.remove()
  }

  @Test("a process that is moved to a smaller group follows that one's limit")
  func moved() throws {
    let large = try VersionTwoGroup("large", ["memory.max": "200M"])
    let small = try VersionTwoGroup("small", ["memory.max": "100M"])
    let program = try RunningProgram("busy", in: large.directory, environment: busy(live: 20, seconds: 16))
    try large.wait { $0 > 90 * mebibyte }
    try small.write("\(program.process.processIdentifier)", to: "cgroup.procs")
    let figures = try program.finish()
    #expect(figures["largestLimit"] ?? 0 > share(89, ofMebibytes: 200))
    expectKept(share(90, ofMebibytes: 100), figures)
    #expect(try small.events("oom_kill") == 0)
    try large.remove()
    try small.remove()
  }

  @Test("a group slowed down at memory.high, below the limit that was set, makes the goal smaller")
  func tightened() throws {
    let group = try VersionTwoGroup("tight", ["memory.high": "100M"])
    let figures = try RunningProgram(
      "busyUntilTightened", in: group.directory, environment: busy(live: 30, seconds: 120, limit: "115MiB")
    ).finish()
    #expect(figures["tightened"] ?? 0 > 0, "\(figures)")
    #expect(figures["right"] == figures["live"])
    #expect(try group.events("high") > 0)
    try group.remove()
  }

  /// Whether the kernel keeps pressure information.
  static let hasPressure = FileManager.default.fileExists(atPath: "/proc/pressure/memory")

  @Test(
    "the pressure of the process's own group makes the goal smaller, where no counter of the group's says anything",
    .enabled(if: hasPressure, "SKIPPED: the kernel keeps no pressure information"))
  func tightenedByPressure() throws {
    let pod = try VersionTwoGroup("pressed", ["memory.high": "100M"])
    try pod.write("+memory", to: "cgroup.subtree_control")
    let container = try VersionTwoGroup("inside", under: pod.directory)
    let figures = try RunningProgram(
      "busyUntilTightened", in: container.directory, environment: busy(live: 30, seconds: 120, limit: "125MiB")
    ).finish()
    let pressure = try container.read("memory.pressure")
    #expect(figures["tightened"] ?? 0 > 0, "\(figures) \(pressure)")
    #expect(figures["right"] == figures["live"])
    #expect(try pod.events("high") > 0)
    #expect(try container.events("high") == 0)
    try container.remove()
    try pod.remove()
  }

  @Test("tricolor topology shows the group, the one that binds, and both limits")
  func topology() throws {
    let pod = try VersionTwoGroup("shown", ["memory.max": "300M"])
    try pod.write("+memory", to: "cgroup.subtree_control")
    let container = try VersionTwoGroup("box", under: pod.directory, ["memory.max": "400M", "memory.high": "350M"])
    let machine = try LimitedCommand.machine(in: container.directory)
    let shown = try #require(machine["cgroup"] as? [String: Any])
    #expect(shown["version"] as? Int == 2)
    #expect(shown["path"] as? String == container.directory.path)
    #expect(shown["bindingPath"] as? String == pod.directory.path)
    #expect(shown["limitBytes"] as? Int == 300 * mebibyte)
    #expect(shown["highBytes"] as? Int == 350 * mebibyte)
    #expect(machine["canMakeCgroup"] as? Bool == false, "a group outside the limit would be an escape from it")
    try container.remove()
    try pod.remove()
  }
}
