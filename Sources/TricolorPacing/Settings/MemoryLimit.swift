// `GOMEMLIMIT`: Go's grammar, Kubernetes' units, and limits that follow the container.
//
// Relative limits are of the smallest memory limit on the path from the process's own cgroup up to the root, which only
// the caller can read; where there is none, a relative limit is no limit. `auto` is 90 %: what is left pays for kernel
// memory, page tables and the time between two readings (the default of most who solved this for Go, see automemlimit).

/// A limit on the memory of the process, absolute or relative to its container.
public enum MemoryLimit: Equatable, Sendable {
  /// No limit.
  case off
  /// A number of bytes, at least 0.
  case bytes(Int64)
  /// 90 % of the container's limit.
  case auto
  /// A share of the container's limit in percent, 1...100, less a number of bytes.
  case percent(Int, minus: Int64)

  /// The share that `auto` takes, in percent.
  public static let autoPercent = 90

  /// What a limit may look like, for messages.
  public static let allowed =
    "off, auto, N% or N%-SIZE (N from 1 to 100, of the cgroup's limit), or a size: \(ByteSize.allowed)"
}

extension MemoryLimit {
  /// Reads a limit.
  ///
  /// - Parameter name: the setting it is for, named in the error.
  public static func parse(_ text: String, name: String = "GOMEMLIMIT") throws(SettingsError) -> MemoryLimit {
    if text == "off" { return .off }
    if text == "auto" { return .auto }
    if let limit = share(text) { return limit }
    if let bytes = ByteSize.bytes(text) { return .bytes(bytes) }
    throw SettingsError(name: name, value: text, allowed: allowed)
  }

  private static func share(_ text: String) -> MemoryLimit? {
    let (digits, rest) = text.splitAfterDigits
    guard let percent = Int64(digits: digits), (1...100).contains(percent), let tail = rest.remainder(after: "%") else {
      return nil
    }
    if tail.isEmpty { return .percent(Int(percent), minus: 0) }
    guard let size = tail.remainder(after: "-"), let bytes = ByteSize.bytes(size) else { return nil }
    return .percent(Int(percent), minus: bytes)
  }

  /// Whether it is one that `parse` could answer.
  var isAllowed: Bool {
    switch self {
    case .off, .auto: true
    case .bytes(let bytes): bytes >= 0
    case .percent(let percent, let minus): (1...100).contains(percent) && minus >= 0
    }
  }

  /// Whether the limit changes with the container's.
  public var followsCgroup: Bool {
    switch self {
    case .off, .bytes: false
    case .auto, .percent: true
    }
  }

  /// The limit in bytes, nil for none.
  ///
  /// - Parameter cgroupLimit: the container's limit in bytes, nil when there is none. A share less more than itself is
  ///   0: collect all the time.
  public func resolve(cgroupLimit: Int64?) -> Int64? {
    switch self {
    case .off: nil
    case .bytes(let bytes): bytes
    case .auto: cgroupLimit.map { MemoryLimit.share(MemoryLimit.autoPercent, of: $0) }
    case .percent(let percent, let minus):
      cgroupLimit.map { max(0, MemoryLimit.share(percent, of: $0) - max(0, minus)) }
    }
  }

  /// Cut towards zero, without overflow for a share of up to 100 %.
  private static func share(_ percent: Int, of limit: Int64) -> Int64 {
    Int64(clamping: UInt64(max(0, limit)).percent(UInt64(max(0, percent))))
  }
}

extension MemoryLimit: CustomStringConvertible {
  /// A spelling that `parse` reads back.
  public var description: String {
    switch self {
    case .off: "off"
    case .auto: "auto"
    case .bytes(let bytes): ByteSize.text(bytes)
    case .percent(let percent, 0): "\(percent)%"
    case .percent(let percent, let minus): "\(percent)%-\(ByteSize.text(minus))"
    }
  }
}
