// Where the process sits in the control group trees: /proc/self/cgroup matched against /proc/self/mountinfo.
//
// Three kinds of machine are alike to the callers: version 1 (a tree for each controller), version 2 (one tree), and hybrid,
// where a version 2 tree is mounted but some controllers live in version 1 trees. "Is there a cgroup2 mount?" answers nothing
// on a hybrid machine, so a version 2 tree counts for a controller only if it has that controller.
//
// Traps that cost others real limits: group names may contain ':' (split on the first two only); paths in mountinfo are octal
// escaped; a mount may show only a part of the tree (its `root`); a path beginning "/.." lies outside the namespace's root; a
// removed group's path ends in " (deleted)"; a process moved after its container started has a path that no mount's root
// prefixes.

/// Which interface a control group has.
public enum ControlGroupVersion: Sendable, Equatable {
  /// A tree for each controller, with `memory.limit_in_bytes`.
  case v1
  /// One tree for all controllers, with `memory.max`.
  case v2
}

/// The directories whose limits bind the process for one controller.
struct ControlGroupChain: Equatable, Sendable {
  let version: ControlGroupVersion
  /// The process's own group first, the mount point last; never empty.
  let directories: [String]
}

/// The control group trees that the process can see, and its place in each.
struct ControlGroupPaths: Sendable {
  struct Membership: Equatable {
    /// Empty for version 2.
    var controllers: [String]
    var path: String
  }

  struct Mount: Equatable {
    var version: ControlGroupVersion
    var controllers: [String]
    var root: String
    var point: String
  }

  let memberships: [Membership]
  let mounts: [Mount]
  private let mountPrefix: String

  /// Reads both tables. A kernel without control groups gives empty ones.
  ///
  /// - Parameters:
  ///   - procRoot: where proc is mounted.
  ///   - mountPrefix: put before every mount point, so that a copied tree can stand for a machine.
  init(procRoot: String = "/proc", mountPrefix: String = "") throws(PlatformError) {
    memberships = Self.memberships(in: try KernelFile.text(procRoot + "/self/cgroup") ?? "")
    mounts = Self.mounts(in: try KernelFile.text(procRoot + "/self/mountinfo") ?? "")
    self.mountPrefix = mountPrefix
  }

  /// The chain that binds `controller`, nil when no visible tree has it.
  ///
  /// - Parameter mark: a file that only groups with this controller have, for the version 2 trees (some sandboxes') that lack
  ///   cgroup.controllers.
  func chain(of controller: String, mark: String) throws(PlatformError) -> ControlGroupChain? {
    if let chain = unifiedChain(), try unifiedTree(chain, has: controller, mark: mark) { return chain }
    guard let membership = memberships.first(where: { $0.controllers.contains(controller) }) else { return nil }
    let candidates = mounts.filter { $0.version == .v1 && $0.controllers.contains(controller) }
    return directories(of: membership.path, among: candidates).map { ControlGroupChain(version: .v1, directories: $0) }
  }

  private func unifiedChain() -> ControlGroupChain? {
    guard let membership = memberships.first(where: { $0.controllers.isEmpty }) else { return nil }
    let candidates = mounts.filter { $0.version == .v2 }
    return directories(of: membership.path, among: candidates).map { ControlGroupChain(version: .v2, directories: $0) }
  }

  private func unifiedTree(
    _ chain: ControlGroupChain, has controller: String, mark: String
  ) throws(PlatformError) -> Bool {
    let controllers = try KernelFile.text(chain.directories[chain.directories.count - 1] + "/cgroup.controllers") ?? ""
    if controllers.split(whereSeparator: \.isWhitespace).contains(where: { $0 == controller }) { return true }
    return chain.directories.contains { KernelFile.exists($0 + "/" + mark) }
  }

  /// From the group at `path` up to its mount point; groups that are gone are left out.
  private func directories(of path: String, among mounts: [Mount]) -> [String]? {
    let deepestFirst = mounts.sorted { $0.root.utf8.count > $1.root.utf8.count }
    for mount in deepestFirst {
      if let below = Self.components(of: path, below: mount.root) {
        return existing(below, under: mountPrefix + mount.point)
      }
    }
    guard let mount = deepestFirst.last else { return nil }
    return existing(Self.components(path), movedUnder: mountPrefix + mount.point)
  }

  /// The chain for a path that no mount's root prefixes: its longest tail that is a group below the mount, else the mount.
  private func existing(_ components: [String], movedUnder point: String) -> [String] {
    if !components.contains("..") {
      for first in components.indices {
        let tail = Array(components[first...])
        if KernelFile.isDirectory(Self.directory(point, tail)) { return existing(tail, under: point) }
      }
    }
    return existing([], under: point)
  }

  private func existing(_ components: [String], under point: String) -> [String] {
    var components = components
    if let last = components.last, last.hasSuffix(Self.deletedMark),
      !KernelFile.isDirectory(Self.directory(point, components))
    {
      components[components.count - 1] = String(last.dropLast(Self.deletedMark.count))
    }
    while !components.isEmpty, !KernelFile.isDirectory(Self.directory(point, components)) { components.removeLast() }
    return (0...components.count).reversed().map { Self.directory(point, Array(components[..<$0])) }
  }

  private static let deletedMark = " (deleted)"

  private static func directory(_ point: String, _ components: [String]) -> String {
    components.reduce(point == "/" ? "" : point) { $0 + "/" + $1 }
  }

  private static func components(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

  /// What of `path` lies below `root`; nil when it lies elsewhere or leads out of it.
  private static func components(of path: String, below root: String) -> [String]? {
    let whole = components(path)
    let upper = components(root)
    guard whole.starts(with: upper) else { return nil }
    let below = Array(whole[upper.count...])
    return below.contains("..") ? nil : below
  }
}

extension ControlGroupPaths {
  /// The lines "id:controllers:path" of /proc/self/cgroup.
  static func memberships(in text: String) -> [Membership] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return nil }
      return Membership(controllers: fields[1].split(separator: ",").map(String.init), path: String(fields[2]))
    }
  }

  /// The control group mounts of /proc/self/mountinfo.
  static func mounts(in text: String) -> [Mount] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ")
      // Fields 6 on are optional and end with "-"; then come type, source and the tree's own options.
      guard fields.count >= 10, let dash = fields[6...].firstIndex(of: "-"), dash + 3 < fields.count else { return nil }
      let version: ControlGroupVersion
      switch fields[dash + 1] {
      case "cgroup": version = .v1
      case "cgroup2": version = .v2
      default: return nil
      }
      return Mount(
        version: version, controllers: version == .v1 ? fields[dash + 3].split(separator: ",").map(String.init) : [],
        root: unescaped(fields[3]), point: unescaped(fields[4]))
    }
  }

  /// Text with its octal escapes ("\040" for a blank) decoded.
  static func unescaped(_ text: Substring) -> String {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
        let code = UInt8(String(decoding: bytes[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
      {
        decoded.append(code)
        index += 4
      } else {
        decoded.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }
}
