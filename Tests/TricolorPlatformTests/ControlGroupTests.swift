// Finding the memory group of the process and its effective limit, on copied trees of many kinds of machine.

import FixtureTrees
import Testing

@testable import TricolorPlatform

private let mib: Int64 = 1 << 20
private let memoryMount = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
private let unifiedMount = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
private let unlimited4K = "9223372036854771712\n"

private func group(_ tree: FixtureTree, pageSize: Int = 4096) throws -> MemoryGroup? {
  try MemoryGroup.current(procRoot: tree.procRoot, mountPrefix: tree.root, pageSize: pageSize)
}

@Suite("Memory limits of version 1 groups")
struct VersionOneTests {
  @Test("The limit of the own group binds")
  func ownLimit() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/pod\n", "proc/self/mountinfo": memoryMount,
      "sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited4K,
      "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "104857600\n",
      "sys/fs/cgroup/memory/pod/memory.usage_in_bytes": "5000000\n",
      "sys/fs/cgroup/memory/pod/memory.max_usage_in_bytes": "6000000\n",
      "sys/fs/cgroup/memory/pod/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
      "sys/fs/cgroup/memory/pod/memory.stat":
        "cache 1\ninactive_file 7\nhierarchical_memory_limit 104857600\ntotal_inactive_file 4096\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.version == .v1)
    #expect(group.directory == tree.root + "/sys/fs/cgroup/memory/pod")
    #expect(group.hardLimit() == 100 * mib)
    #expect(group.softLimit() == nil)
    #expect(group.usage() == 5_000_000)
    #expect(group.inactiveFile() == 4096)
    #expect(try group.peakUsage() == 6_000_000)
    #expect(try group.oomKills() == 3)
  }

  @Test("A smaller limit further up binds, and its usage is found at the binding level")
  func parentLimit() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:cpu,memory:/pod/box\n", "proc/self/mountinfo": memoryMount,
      "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "52428800",
      "sys/fs/cgroup/memory/pod/memory.use_hierarchy": "1",
      "sys/fs/cgroup/memory/pod/memory.usage_in_bytes": "9000",
      "sys/fs/cgroup/memory/pod/box/memory.limit_in_bytes": "104857600",
      "sys/fs/cgroup/memory/pod/box/memory.usage_in_bytes": "4000",
    ])
    let group = try #require(try group(tree))
    #expect(group.hardLimit() == 50 * mib)
    #expect(group.bindingDirectory == tree.root + "/sys/fs/cgroup/memory/pod")
    #expect(group.usage(at: .own) == 4000)
    #expect(group.usage(at: .binding) == 9000)
  }

  @Test("A parent that does not count the groups below it does not limit them")
  func parentWithoutHierarchy() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/pod/box\n", "proc/self/mountinfo": memoryMount,
      "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "52428800",
      "sys/fs/cgroup/memory/pod/memory.use_hierarchy": "0\n",
      "sys/fs/cgroup/memory/pod/box/memory.limit_in_bytes": "104857600",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 100 * mib)
  }

  @Test("A limit that only hierarchical_memory_limit shows, above a container's mount, binds")
  func hiddenParent() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/docker/abc\n",
      "proc/self/mountinfo": "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited4K,
      "sys/fs/cgroup/memory/memory.stat": "cache 0\nhierarchical_memory_limit 33554432\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.directory == tree.root + "/sys/fs/cgroup/memory")
    #expect(group.hardLimit() == 32 * mib)
  }

  @Test("The largest multiple of the page size means unlimited", arguments: [4096, 16384, 65536])
  func sentinel(pageSize: Int) throws {
    let sentinel = Int64.max / Int64(pageSize) * Int64(pageSize)
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": memoryMount,
      "proc/meminfo": "MemTotal:       24000 kB\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "\(sentinel)\n",
      "sys/fs/cgroup/memory/memory.stat": "hierarchical_memory_limit \(sentinel)\n",
    ])
    #expect(try #require(try group(tree, pageSize: pageSize)).hardLimit() == nil)
  }

  @Test("A limit above the machine's memory is cut to it")
  func clamped() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": memoryMount,
      "proc/meminfo": "MemTotal:       24000 kB\nMemFree: 1 kB\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000000",
    ])
    let group = try #require(try group(tree))
    #expect(group.hardLimit() == 24000 << 10)
    #expect(group.memoryTotal == 24000 << 10)
  }

  @Test("A colon in a group's name is part of its path")
  func colon() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/app:web:1\n", "proc/self/mountinfo": memoryMount,
      "sys/fs/cgroup/memory/app:web:1/memory.limit_in_bytes": "8388608",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 8 * mib)
  }

  @Test("Octal escapes in mount points and roots are decoded")
  func escapes() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/a b/c\n",
      "proc/self/mountinfo": #"35 31 0:32 /a\040b /my\040groups\134x rw - cgroup cgroup rw,memory"# + "\n",
      #"my groups\x/c/memory.limit_in_bytes"#: "8388608",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 8 * mib)
  }

  @Test("Of several mounts the one that shows the least of the tree above the group is used")
  func longestRoot() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/pod/box\n",
      "proc/self/mountinfo": "1 1 0:1 / /all rw - cgroup cgroup rw,memory\n"
        + "2 1 0:1 /pod /part rw shared:1 master:2 - cgroup cgroup rw,memory\n",
      "all/other": "", "part/box/memory.limit_in_bytes": "4194304",
    ])
    #expect(try #require(try group(tree)).directory == tree.root + "/part/box")
  }

  @Test("A root is matched by whole names")
  func wholeNames() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/podium\n",
      "proc/self/mountinfo": "1 1 0:1 / /all rw - cgroup cgroup rw,memory\n"
        + "2 1 0:1 /pod /part rw - cgroup cgroup rw,memory\n",
      "all/podium/memory.limit_in_bytes": "4194304", "part/ium/memory.limit_in_bytes": "1",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 4 * mib)
  }

  @Test("A process moved after its container started is found by the tail of its path")
  func movedProcess() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/host/abc/sub\n",
      "proc/self/mountinfo": "1 1 0:1 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "sys/fs/cgroup/memory/sub/memory.limit_in_bytes": "4194304",
    ])
    #expect(try #require(try group(tree)).directory == tree.root + "/sys/fs/cgroup/memory/sub")
  }

  @Test("A path that leads to nothing below the mount means the mount itself")
  func unknownPath() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:memory:/kubepods/xyz\n",
      "proc/self/mountinfo": "1 1 0:1 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "4194304",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 4 * mib)
  }
}

@Suite("Memory limits of version 2 groups")
struct VersionTwoTests {
  @Test("The smallest memory.max and memory.high on the path bind, each on its own level")
  func nested() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/pod/box\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
      "sys/fs/cgroup/pod/memory.max": "67108864\n", "sys/fs/cgroup/pod/memory.high": "max\n",
      "sys/fs/cgroup/pod/memory.current": "70\n", "sys/fs/cgroup/pod/box/memory.max": "max\n",
      "sys/fs/cgroup/pod/box/memory.high": "33554432\n", "sys/fs/cgroup/pod/box/memory.current": "50\n",
      "sys/fs/cgroup/pod/box/memory.peak": "60\n",
      "sys/fs/cgroup/pod/box/memory.stat": "anon 10\ninactive_file 20\n",
      "sys/fs/cgroup/pod/box/memory.events": "low 0\nhigh 5\nmax 2\noom 1\noom_kill 1\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.version == .v2)
    #expect(group.hardLimit() == 64 * mib)
    #expect(group.softLimit() == 32 * mib)
    #expect(group.bindingDirectory == tree.root + "/sys/fs/cgroup/pod")
    #expect(group.usage() == 50)
    #expect(group.usage(at: .binding) == 70)
    #expect(group.inactiveFile() == 20)
    #expect(try group.peakUsage() == 60)
    #expect(try group.oomKills() == 1)
    #expect(try group.highEvents() == 5)
  }

  @Test("At the root of the tree there is neither a limit nor a usage")
  func root() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "cpu memory\n", "sys/fs/cgroup/memory.stat": "anon 1\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.hardLimit() == nil)
    #expect(group.usage() == nil)
    #expect(try group.peakUsage() == nil)
  }

  @Test("A tree without cgroup.controllers counts when a group in it has memory.max")
  func sandbox() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": unifiedMount, "sys/fs/cgroup/memory.max": "16777216\n",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 16 * mib)
  }

  @Test("A path outside the namespace's root means the mount itself")
  func outsideNamespace() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/../sibling\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "memory\n", "sys/fs/cgroup/memory.max": "16777216\n",
      "sys/fs/cgroup/sibling/memory.max": "4096\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.directory == tree.root + "/sys/fs/cgroup")
    #expect(group.hardLimit() == 16 * mib)
  }

  @Test("A mount whose root lies outside the namespace shows paths that do too")
  func outsideMount() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/../sibling\n",
      "proc/self/mountinfo": "41 31 0:38 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "sys/fs/cgroup/cgroup.controllers": "memory\n", "sys/fs/cgroup/sibling/memory.max": "8388608\n",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 8 * mib)
  }

  @Test("A removed group is left out and its parent's limit binds")
  func deleted() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/pod/box (deleted)\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "memory\n", "sys/fs/cgroup/pod/memory.max": "8388608\n",
    ])
    let group = try #require(try group(tree))
    #expect(group.directory == tree.root + "/sys/fs/cgroup/pod")
    #expect(group.hardLimit() == 8 * mib)
  }

  @Test("A group that is really called \"box (deleted)\" is taken at its name")
  func deletedByName() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/box (deleted)\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "memory\n", "sys/fs/cgroup/box (deleted)/memory.max": "8388608\n",
    ])
    #expect(try #require(try group(tree)).hardLimit() == 8 * mib)
  }

  @Test("A limit changed in place is seen at once, a move to another group after refresh")
  func followsChanges() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": unifiedMount,
      "sys/fs/cgroup/cgroup.controllers": "memory\n", "sys/fs/cgroup/a/memory.max": "8388608\n",
      "sys/fs/cgroup/b/memory.max": "4194304\n",
    ])
    var group = try #require(try group(tree))
    #expect(group.hardLimit() == 8 * mib)
    tree.write("16777216\n", to: "sys/fs/cgroup/a/memory.max")
    #expect(group.hardLimit() == 16 * mib)
    tree.write("0::/b\n", to: "proc/self/cgroup")
    try group.refresh()
    #expect(group.hardLimit() == 4 * mib)
    tree.write("", to: "proc/self/cgroup")
    #expect(throws: PlatformError.self) { try group.refresh() }
    #expect(group.hardLimit() == 4 * mib)
  }
}

@Suite("Memory limits of hybrid machines and of none")
struct HybridTests {
  private static let mounts = memoryMount + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

  @Test("A version 2 tree without the memory controller gives way to version 1")
  func fallsThrough() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "9:name=systemd:/\n4:memory:/box\n0::/\n", "proc/self/mountinfo": Self.mounts,
      "sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
      "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "8388608",
    ])
    let group = try #require(try group(tree))
    #expect(group.version == .v1)
    #expect(group.hardLimit() == 8 * mib)
  }

  @Test("A version 2 tree with the memory controller is used beside version 1 trees of others")
  func unifiedMemory() throws {
    let tree = FixtureTree([
      "proc/self/cgroup": "4:pids:/x\n0::/box\n",
      "proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" + Self.mounts,
      "sys/fs/cgroup/unified/cgroup.controllers": "memory\n", "sys/fs/cgroup/unified/box/memory.max": "4194304",
    ])
    let group = try #require(try group(tree))
    #expect(group.version == .v2)
    #expect(group.hardLimit() == 4 * mib)
  }

  @Test("A machine without control groups has no memory group")
  func none() throws {
    #expect(try group(FixtureTree(["proc/meminfo": "MemTotal: 1 kB\n"])) == nil)
    #expect(
      try group(
        FixtureTree(["proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/a rw\n"]))
        == nil)
  }

  @Test("Broken lines are passed over")
  func brokenLines() {
    #expect(ControlGroupPaths.memberships(in: "nonsense\n\n0::/a\n1:b").map(\.path) == ["/a"])
    #expect(ControlGroupPaths.mounts(in: "35 31 0:32 / /x rw\n1 2 3 4 5 6 7 8 9 10\n").isEmpty)
    #expect(ControlGroupPaths.unescaped(#"a\04"#) == #"a\04"#)
    #expect(ControlGroupPaths.unescaped(#"\777\011"#) == "\\777\t")
  }

  @Test("The group of this very process is found and its figures are sane")
  func realMachine() throws {
    guard let group = try MemoryGroup.current() else { return }
    if let usage = group.usage() { #expect(usage > 0) }
    if let limit = group.hardLimit() { #expect(limit > 0 && limit <= group.memoryTotal ?? .max) }
  }
}
