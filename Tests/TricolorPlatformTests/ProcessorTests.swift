// Processor counts: affinity masks, control group quotas, pressure figures.

import FixtureTrees
import Testing

@testable import TricolorPlatform

@Suite("Processors")
struct ProcessorTests {
  private static let unified = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

  private func processors(_ tree: FixtureTree, affinity: Int) throws -> Processors {
    try Processors.current(procRoot: tree.procRoot, mountPrefix: tree.root, affinity: affinity)
  }

  @Test("A version 2 quota is kept as a fraction, the smallest on the path binds")
  func unifiedQuota() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/pod/box\n", "proc/self/mountinfo": Self.unified,
      "sys/fs/cgroup/cgroup.controllers": "cpu\n", "sys/fs/cgroup/pod/cpu.max": "250000 100000\n",
      "sys/fs/cgroup/pod/box/cpu.max": "400000 100000\n",
    ])
    let processors = try processors(tree, affinity: 8)
    #expect(processors.quota == 2.5)
    #expect(processors.available == 2.5)
    #expect(processors.planned == 3)
  }

  @Test("Without a quota the affinity is available", arguments: ["max 100000\n", ""])
  func noQuota(text: String) throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": Self.unified,
      "sys/fs/cgroup/cgroup.controllers": "cpu\n", "sys/fs/cgroup/cpu.max": text,
    ])
    let processors = try processors(tree, affinity: 6)
    #expect(processors.quota == nil)
    #expect(processors.available == 6)
    #expect(processors.planned == 6)
  }

  @Test("A version 1 quota is read from quota and period, -1 is none")
  func versionOneQuota() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "3:cpu,cpuacct:/box\n",
      "proc/self/mountinfo": "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "25000\n", "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "50000\n",
    ])
    let processors = try processors(tree, affinity: 8)
    #expect(processors.quota == 0.5)
    #expect(processors.planned == 2)
  }

  @Test("The plan never exceeds the affinity")
  func affinityBinds() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": Self.unified,
      "sys/fs/cgroup/cgroup.controllers": "cpu\n", "sys/fs/cgroup/cpu.max": "250000 100000\n",
    ])
    let processors = try processors(tree, affinity: 1)
    #expect(processors.planned == 1)
    #expect(processors.available == 1)
  }

  @Test("This process may run on at least one processor")
  func realMachine() throws {
    let processors = try Processors.current()
    #expect(processors.affinity >= 1)
    #expect(processors.available > 0)
  }

  @Test("Processor lists are read and written in the kernel's form")
  func lists() throws {
    let set = try #require(ProcessorSet(list: "0-3,8,10-11\n"))
    #expect(set.processors == [0, 1, 2, 3, 8, 10, 11])
    #expect(set.count == 7)
    #expect(set.description == "0-3,8,10-11")
    #expect(ProcessorSet(list: "\n")?.count == 0)
    for wrong in ["a", "3-1", "1-2-3", "-1", "8192", "1-"] { #expect(ProcessorSet(list: wrong) == nil, "\(wrong)") }
  }
}

@Suite("Memory pressure")
struct MemoryPressureTests {
  private static let line =
    "some avg10=1.25 avg60=0.40 avg300=0.00 total=123\nfull avg10=9.00 avg60=0 avg300=0 total=1\n"

  @Test("The machine's figure is read where the group has none")
  func machine() throws {
    let tree = FixtureTree(["proc/pressure/memory": Self.line])
    let pressure = try #require(try MemoryPressure.current(procRoot: tree.procRoot))
    #expect(pressure.someAverage10() == 1.25)
  }

  @Test("The figure of a version 2 group is preferred")
  func group() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/box\n",
      "proc/self/mountinfo": "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "proc/pressure/memory": Self.line, "sys/fs/cgroup/box/memory.max": "max\n",
      "sys/fs/cgroup/box/memory.pressure": "some avg10=42.07 avg60=0.40 avg300=0.00 total=123\n",
    ])
    let group = try MemoryGroup.current(procRoot: tree.procRoot, mountPrefix: tree.root)
    let pressure = try #require(try MemoryPressure.current(group: group, procRoot: tree.procRoot))
    #expect(abs(try #require(pressure.someAverage10()) - 42.07) < 1e-9)
  }

  @Test("A kernel without it has none")
  func absent() throws {
    #expect(try MemoryPressure.current(procRoot: FixtureTree(["proc/": ""]).procRoot) == nil)
  }
}
