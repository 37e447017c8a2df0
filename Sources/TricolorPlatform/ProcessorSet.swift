// A set of processor numbers in the kernel's own shape (a mask of 8192 bits, its largest configuration), and the text form the
// kernel writes in cpulist files: "0-3,8,10-11". cpu_set_t stops at 1024 processors, so the mask is our own words.

import CTricolorShims

/// Processors by their kernel numbers.
public struct ProcessorSet: Equatable, Sendable, CustomStringConvertible {
  /// Processor numbers are below this.
  public static let capacity = 8192

  private var words = [UInt64](repeating: 0, count: capacity / 64)

  /// The empty set.
  public init() {}

  /// These processors; those whose number is not below `capacity` are left out.
  public init(_ processors: [Int]) {
    for processor in processors { _ = insert(processor) }
  }

  /// A list in the kernel's form, blanks and line ends around it ignored; nil when it is not one.
  public init?(list: some StringProtocol) {
    for range in list.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      let ends = range.split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count <= 2, let first = Int(ends[0]), let last = Int(ends[ends.count - 1]), first <= last else {
        return nil
      }
      for processor in first...last where !insert(processor) { return nil }
    }
  }

  /// The processors the calling thread may run on, or nil when the kernel does not say.
  public static func allowed() -> ProcessorSet? {
    var set = ProcessorSet()
    let bytes = set.words.count * 8
    return tricolor_allowed_processors(&set.words, bytes) == 0 ? set : nil
  }

  /// Adds a processor; false when its number is below 0 or not below `capacity`.
  public mutating func insert(_ processor: Int) -> Bool {
    guard processor >= 0, processor < Self.capacity else { return false }
    words[processor / 64] |= 1 << UInt64(processor % 64)
    return true
  }

  public func contains(_ processor: Int) -> Bool {
    processor >= 0 && processor < Self.capacity && words[processor / 64] & 1 << UInt64(processor % 64) != 0
  }

  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// The numbers, ascending.
  public var processors: [Int] { (0..<Self.capacity).filter(contains) }

  /// The kernel's form: "0-3,8".
  public var description: String {
    var ranges: [(first: Int, last: Int)] = []
    for processor in processors {
      if let last = ranges.last, last.last == processor - 1 {
        ranges[ranges.count - 1].last = processor
      } else {
        ranges.append((processor, processor))
      }
    }
    return ranges.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }.joined(separator: ",")
  }

  func withMask<R>(_ body: (UnsafePointer<UInt64>, Int) -> R) -> R {
    words.withUnsafeBufferPointer { body($0.baseAddress!, $0.count * 8) }
  }
}
