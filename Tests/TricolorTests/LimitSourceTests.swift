// From the files of a machine to the limit in force, what is compared with it, and the signs that memory is short: on copied trees.
// How the process's group is found is tested in TricolorPlatformTests.

import FixtureTrees
import Testing
import TricolorPacing

@testable import Tricolor

private let mebibyte = 1 << 20

/// A machine with version 2 groups: a pod's group, and a container's in it.
private func machine(_ files: [String: String]) -> FixtureTree {
  let common = [
    "proc/self/cgroup": "0::/pod/box\n", "proc/self/statm": "100000 2560 10 1 0 100 0\n",
    "proc/self/mountinfo": "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n", "sys/fs/cgroup/pod/": "", "sys/fs/cgroup/pod/box/": "",
  ]
  return FixtureTree(common.merging(files) { $1 })
}

private func source(_ tree: FixtureTree, _ change: (inout Settings) -> Void = { _ in }) throws -> LimitSource {
  let source = try LimitSource(procRoot: tree.procRoot, mountPrefix: tree.root)
  var settings = Settings()
  settings.memoryLimit = .auto
  change(&settings)
  source.configure(settings)
  return source
}

@Suite("The limit in force")
struct LimitInForceTests {
  @Test("auto and shares are of the smallest hard or soft limit on the path")
  func smallest() throws {
    let tree = machine([
      "sys/fs/cgroup/pod/memory.max": "209715200\n", "sys/fs/cgroup/pod/memory.high": "max\n",
      "sys/fs/cgroup/pod/box/memory.max": "max\n", "sys/fs/cgroup/pod/box/memory.high": "104857600\n",
    ])
    let limit = try source(tree).cgroupLimit()
    #expect(limit == 100 << 20)
    #expect(MemoryLimit.auto.resolve(cgroupLimit: limit) == 90 << 20)
    #expect(try MemoryLimit.parse("80%").resolve(cgroupLimit: limit) == 80 << 20)
    #expect(try MemoryLimit.parse("100%-16MiB").resolve(cgroupLimit: limit) == 84 << 20)
    #expect(try MemoryLimit.parse("10%-16MiB").resolve(cgroupLimit: limit) == 0)
    tree.write("52428800\n", to: "sys/fs/cgroup/pod/memory.max")
    #expect(try source(tree).cgroupLimit() == 50 << 20)
  }

  @Test("auto and shares are no limit where there is none", arguments: ["auto", "80%", "80%-1MiB"])
  func none(_ text: String) throws {
    let tree = machine(["sys/fs/cgroup/pod/box/memory.max": "max\n", "sys/fs/cgroup/pod/box/memory.high": "max\n"])
    let limit = try source(tree).cgroupLimit()
    #expect(limit == nil)
    #expect(try MemoryLimit.parse(text).resolve(cgroupLimit: limit) == nil)
  }

  @Test("on version 1, with pages of 64 KiB, the largest multiple of the page is none; hierarchies bind")
  func versionOne() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/a:b/c d\n0::/\n", "proc/self/statm": "100000 2560 10 1 0 100 0\n",
      "proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854710272\n",
      "sys/fs/cgroup/memory/a:b/memory.limit_in_bytes": "104857600\n",
      "sys/fs/cgroup/memory/a:b/c d/memory.limit_in_bytes": "9223372036854771712\n",
    ])
    #expect(try source(tree).cgroupLimit() == 100 << 20)
  }

  @Test("changes are told once each, in both directions, and to none")
  func changes() throws {
    let tree = machine(["sys/fs/cgroup/pod/box/memory.max": "104857600\n"])
    let source = try source(tree)
    var changes: [Bool] = [source.cgroupLimitChanged()]
    for text in ["73400320\n", "209715200\n", "max\n", "104857600\n"] {
      tree.write(text, to: "sys/fs/cgroup/pod/box/memory.max")
      changes += [source.cgroupLimitChanged(), source.cgroupLimitChanged()]
    }
    #expect(changes == [false] + Array(repeating: [true, false], count: 4).flatMap { $0 })
  }

  @Test("a process that is moved to another group is found there, a second later at most")
  func moved() throws {
    let tree = machine([
      "sys/fs/cgroup/pod/box/memory.max": "104857600\n", "sys/fs/cgroup/other/memory.max": "52428800\n",
    ])
    let source = try source(tree)
    tree.write("0::/other\n", to: "proc/self/cgroup")
    #expect(source.cgroupLimit() == 100 << 20)
    source.lookUpIfDue(at: .max)
    #expect(source.cgroupLimit() == 50 << 20)
  }
}

@Suite("What is compared with the limit")
struct MeasuredMemoryTests {
  private let tree = machine([
    "sys/fs/cgroup/pod/memory.max": "104857600\n", "sys/fs/cgroup/pod/memory.current": "83886080\n",
    "sys/fs/cgroup/pod/memory.stat": "anon 1\ninactive_file 10485760\n",
    "sys/fs/cgroup/pod/box/memory.max": "max\n", "sys/fs/cgroup/pod/box/memory.current": "31457280\n",
    "sys/fs/cgroup/pod/box/memory.stat": "anon 1\ninactive_file 1048576\n",
  ])

  @Test("is the usage of the group that binds, siblings included, when the limit follows the group")
  func binding() throws {
    #expect(try source(tree).residentBytes() == 70 * mebibyte)
  }

  @Test("is that of the own group, less file pages that can be dropped, for a limit on the process")
  func own() throws {
    #expect(try source(tree) { $0.memoryLimit = .bytes(1 << 30) }.residentBytes() == 29 * mebibyte)
  }

  @Test("is what was asked for, also while the heap runs")
  func measures() throws {
    let source = try source(tree) { $0.limitSource = .rss }
    #expect(source.residentBytes() == 10 * mebibyte)
    var settings = Settings()
    settings.limitSource = .cgroup
    source.configure(settings)
    #expect(source.residentBytes() == 29 * mebibyte)
  }

  @Test("is the resident set where it is larger, or where nothing limits the group")
  func residentSet() throws {
    tree.write("1000\n", to: "sys/fs/cgroup/pod/memory.current")
    #expect(try source(tree).residentBytes() == 10 * mebibyte)
    let free = machine([
      "sys/fs/cgroup/pod/box/memory.max": "max\n", "sys/fs/cgroup/pod/box/memory.current": "99999999\n",
    ])
    #expect(try source(free).residentBytes() == 10 * mebibyte)
  }
}

@Suite("The kernel's signs")
struct ShortageTests {
  @Test("are read from the group on version 2")
  func versionTwo() throws {
    let tree = machine([
      "sys/fs/cgroup/pod/box/memory.max": "104857600\n",
      "sys/fs/cgroup/pod/box/memory.events": "low 0\nhigh 3\nmax 4\noom 1\noom_kill 2\n",
      "sys/fs/cgroup/pod/box/memory.pressure": "some avg10=12.50 avg60=0.00 avg300=0.00 total=9\n",
    ])
    let expected = ShortageReading(stalledPercent: 12.5, highEvents: 3, limitEvents: 4, kills: 2)
    #expect(try source(tree).shortage() == expected)
  }

  @Test("are the machine's stalls and both of the group's counters on version 1")
  func versionOne() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/box\n", "proc/self/statm": "100000 2560 10 1 0 100 0\n",
      "proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "proc/pressure/memory": "some avg10=3.00 avg60=0.00 avg300=0.00 total=9\n",
      "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "104857600\n",
      "sys/fs/cgroup/memory/box/memory.failcnt": "5\n", "sys/fs/cgroup/memory/box/memory.memsw.failcnt": "7\n",
      "sys/fs/cgroup/memory/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    ])
    let expected = ShortageReading(stalledPercent: 3, highEvents: 0, limitEvents: 12, kills: 1)
    #expect(try source(tree).shortage() == expected)
  }

  @Test("are none on a machine without groups and without pressure information")
  func none() throws {
    let tree = FixtureTree(["proc/self/statm": "100000 2560 10 1 0 100 0\n"])
    #expect(try source(tree).shortage() == ShortageReading())
  }
}
