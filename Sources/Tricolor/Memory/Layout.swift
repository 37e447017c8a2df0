// What the collector knows of a kind of object: its size and where its references are. Layouts are process-wide, registered once
// and never removed; a block holds cells of one layout and one size, so an object needs no header.
//
// The table is raw memory that the tracer reads without locks: an entry is complete before its index is handed out.

import CTricolorShims
import Synchronization

/// Visits one reference slot's value: called by a custom trace function for every reference of the object.
public typealias TraceVisitor = @convention(c) (_ context: UnsafeMutableRawPointer, _ reference: UInt) -> Void
/// Reports all references of the object at `object` (of `bytes` bytes) to `visit`. Runs on collector threads, concurrently with
/// the program: it may only read the object, each reference once. An address inside an object keeps it; any other is ignored.
public typealias TraceFunction =
  @convention(c) (
    _ object: UnsafeRawPointer, _ bytes: Int, _ visit: TraceVisitor, _ context: UnsafeMutableRawPointer
  ) -> Void

/// A registered layout. Cheap to copy; equal when registered as the same.
public struct Layout: Sendable, Equatable {
  let index: UInt32

  /// The kinds of layout the collector can scan.
  public enum Kind: Sendable {
    /// Objects of `bytes` bytes with references at `references` (byte offsets, multiples of 8).
    case fixed(bytes: Int, references: [Int])
    /// Objects without references, of any size.
    case leaf
    /// An 8-byte count, then references.
    case referenceArray
    /// A 16-byte header that holds the count, then elements of `stride` bytes with references at `references` in each. The stride is a
    /// multiple of 8 when there are references.
    case elementArray(stride: Int, references: [Int])
    /// Objects of any size whose references `trace` reports.
    case custom(trace: TraceFunction)
  }

  /// Registers a layout. Throws when a size or offset is out of range; the message names it.
  public static func register(_ kind: Kind, name: String) throws(LayoutError) -> Layout {
    try LayoutTable.register(kind, name: name)
  }

  static let leaf = Layout(index: 1)
  static let referenceArray = Layout(index: 2)
  static let weak = Layout(index: 3)
  static let ephemeron = Layout(index: 4)
}

/// A layout that cannot be used.
public struct LayoutError: Error, CustomStringConvertible, Sendable {
  /// The type or layout in question.
  public let name: String
  /// What is wrong with it, and what is allowed.
  public let reason: String
  /// The name and the reason.
  public var description: String { "layout of \(name): \(reason)" }
}

/// One table entry.
struct LayoutEntry {
  enum Shape: UInt8 { case leaf, fixed, references, elements, custom, weak, ephemeron }
  var shape: Shape
  /// Object size (fixed) or element stride (elements); 0 otherwise.
  var bytes: Int
  /// Offsets of references in an object or element.
  var offsets: UnsafePointer<UInt32>?
  var offsetCount: Int
  var trace: TraceFunction?
  /// The lane of each size class, and of large objects at the end; 0 while not made. One entry for fixed layouts. Stored by any thread
  /// once the lane is made, and read by others without the lock.
  let lanes: UnsafeMutablePointer<UInt16>

  init(
    shape: Shape, bytes: Int = 0, offsets: UnsafePointer<UInt32>? = nil, offsetCount: Int = 0,
    trace: TraceFunction? = nil
  ) {
    self.shape = shape
    self.bytes = bytes
    self.offsets = offsets
    self.offsetCount = offsetCount
    self.trace = trace
    lanes = .allocate(capacity: SizeClass.count + 1)
    lanes.initialize(repeating: 0, count: SizeClass.count + 1)
  }

  /// The bitmap of reference words when all lie within the first 48 words, nil otherwise.
  var mask: UInt64? {
    var mask: UInt64 = 0
    for i in 0..<offsetCount {
      let word = Int(offsets![i]) / 8
      if word >= 48 { return nil }
      mask |= 1 << UInt64(word)
    }
    return mask
  }

  /// Bytes from one element of an array to the next.
  var elementBytes: Int { shape == .references ? 8 : bytes }

  var hasReferences: Bool { shape != .leaf && !(shape == .fixed && offsetCount == 0) }

  /// How a cell of this layout is scanned.
  func scanWord(cellBytes: Int) -> UInt64 {
    let small = cellBytes <= Geometry.largestCell
    switch shape {
    case .leaf: return leafScanWord(cellBytes: cellBytes)
    case .references: return ScanWord.make(kind: small ? ScanWord.references : ScanWord.described, cellBytes: cellBytes)
    case .fixed where offsetCount == 0:
      return leafScanWord(cellBytes: cellBytes)
    case .fixed:
      if small, let mask { return ScanWord.make(kind: ScanWord.bitmap, cellBytes: cellBytes, mask: mask) }
      return ScanWord.make(kind: ScanWord.described, cellBytes: small ? cellBytes : 0)
    case .elements, .custom, .weak, .ephemeron:
      return ScanWord.make(kind: ScanWord.described, cellBytes: small ? cellBytes : 0)
    }
  }

  private func leafScanWord(cellBytes: Int) -> UInt64 {
    cellBytes <= Geometry.largestCell
      ? ScanWord.make(kind: ScanWord.leaf, cellBytes: cellBytes) : ScanWord.make(kind: ScanWord.largeLeaf, cellBytes: 0)
  }
}

/// The process-wide table of layouts and of the lanes that serve them.
enum LayoutTable {
  static let capacity = 1 << 16

  private struct Registry: ~Copyable {
    var count = 5
    var names: [String] = ["", "bytes", "reference array", "weak reference", "ephemeron"]
    var lanes: [LaneKey: Int] = [:]
    var laneCount = 1
  }
  private struct LaneKey: Hashable {
    let layout: UInt32
    let cellBytes: Int
  }
  private static let registry = Mutex(Registry())
  private static let published = Atomic<Int>(5)

  /// The entries, by layout index; entry 0 is unused.
  nonisolated(unsafe) private(set) static var entries: UnsafeMutablePointer<LayoutEntry>! = nil
  /// What each lane serves, by lane index; lane 0 is never used, so a zeroed slot names no lane.
  nonisolated(unsafe) private(set) static var laneClasses: UnsafeMutablePointer<LaneClass>! = nil

  /// Makes the tables, once, before the first heap and the first layout. Not at first use: each use would ask whether it is the first.
  static func prepare() {
    registry.withLock { _ in
      if entries != nil { return }
      laneClasses = .allocate(capacity: Geometry.mostLanes)
      let table = UnsafeMutablePointer<LayoutEntry>.allocate(capacity: capacity)
      (table + 1).initialize(to: LayoutEntry(shape: .leaf))
      (table + 2).initialize(to: LayoutEntry(shape: .references))
      (table + 3).initialize(to: LayoutEntry(shape: .weak))
      (table + 4).initialize(to: LayoutEntry(shape: .ephemeron))
      entries = table
    }
  }

  static func register(_ kind: Layout.Kind, name: String) throws(LayoutError) -> Layout {
    prepare()
    let entry = try makeEntry(kind, name: name)
    let index: UInt32? = registry.withLock { registry in
      guard registry.count < capacity else { return nil }
      (entries + registry.count).initialize(to: entry)
      registry.names.append(name)
      registry.count += 1
      published.store(registry.count, ordering: .releasing)
      return UInt32(registry.count - 1)
    }
    guard let index else { throw LayoutError(name: name, reason: "more than \(capacity) layouts in one process") }
    return Layout(index: index)
  }

  static func name(of layout: UInt32) -> String { registry.withLock { $0.names[Int(layout)] } }

  private static func makeEntry(_ kind: Layout.Kind, name: String) throws(LayoutError) -> LayoutEntry {
    switch kind {
    // Lanes of its own: objects of the built-in leaf layout begin with a count, which the verifier checks.
    case .leaf: return LayoutEntry(shape: .leaf)
    case .referenceArray: return entries[2]
    case .custom(let trace): return LayoutEntry(shape: .custom, trace: trace)
    case .fixed(let bytes, let references):
      return try makeEntry(.fixed, bytes: bytes, references: references, name: name)
    case .elementArray(let stride, let references):
      return try makeEntry(.elements, bytes: stride, references: references, name: name)
    }
  }

  private static func makeEntry(
    _ shape: LayoutEntry.Shape, bytes: Int, references: [Int], name: String
  ) throws(LayoutError) -> LayoutEntry {
    guard bytes > 0, bytes <= Int(UInt32.max) else {
      throw LayoutError(name: name, reason: "size \(bytes) is not in 1 ... \(UInt32.max)")
    }
    for offset in references where offset < 0 || offset % 8 != 0 || offset + 8 > bytes {
      throw LayoutError(
        name: name, reason: "reference offset \(offset) is not a multiple of 8 in 0 ... \(bytes - 8)")
    }
    if shape == .elements && !references.isEmpty && bytes % 8 != 0 {
      throw LayoutError(name: name, reason: "stride \(bytes) of elements with references is not a multiple of 8")
    }
    let offsets = UnsafeMutablePointer<UInt32>.allocate(capacity: max(1, references.count))
    for (i, offset) in references.sorted().enumerated() { offsets[i] = UInt32(offset) }
    return LayoutEntry(shape: shape, bytes: bytes, offsets: offsets, offsetCount: references.count)
  }

  /// The lane for cells of `cellBytes` bytes (whole granules) of `layout`, made at first use.
  static func lane(layout: Layout, cellBytes: Int) throws(LayoutError) -> Int {
    let entry = entries[Int(layout.index)]
    let key = LaneKey(layout: layout.index, cellBytes: cellBytes > Geometry.largestCell ? Int.max : cellBytes)
    let lane: Int? = registry.withLock { registry in
      if let known = registry.lanes[key] { return known }
      guard registry.laneCount < Geometry.mostLanes else { return nil }
      let lane = registry.laneCount
      (laneClasses + lane).initialize(to: LaneClass(layout: layout, entry: entry, cellBytes: cellBytes))
      registry.laneCount += 1
      registry.lanes[key] = lane
      return lane
    }
    guard let lane else {
      throw LayoutError(
        name: name(of: layout.index), reason: "more than \(Geometry.mostLanes) pairs of layout and cell size")
    }
    return lane
  }

  /// The lane for an object of `bytes` bytes of `layout`. Constant time after the first object of its size class.
  /// Running out of lanes is a programming error of the size of 4096 layouts, and fatal.
  @inline(__always) static func lane(of layout: Layout, bytes: Int) -> Int {
    let entry = entries + Int(layout.index)
    let isFixed = entry.pointee.shape == .fixed
    let index = isFixed ? 0 : bytes > Geometry.largestCell ? SizeClass.count : SizeClass.index(for: bytes)
    let known = Int(tricolor_load_index(entry.pointee.lanes + index))
    return known != 0 ? known : makeLane(layout, entry, index)
  }

  /// The lane of a layout of variable size for one size class, 0 before the first object of that class.
  static func knownLane(of layout: Layout, sizeClass: Int) -> Int {
    Int(tricolor_load_index(entries[Int(layout.index)].lanes + sizeClass))
  }

  @inline(never) private static func makeLane(
    _ layout: Layout, _ entry: UnsafeMutablePointer<LayoutEntry>, _ index: Int
  ) -> Int {
    let cellBytes: Int
    if entry.pointee.shape == .fixed {
      cellBytes = roundedToGranules(entry.pointee.bytes)
    } else {
      cellBytes = index == SizeClass.count ? Int.max : SizeClass.bytes(index)
    }
    do {
      let lane = try lane(layout: layout, cellBytes: cellBytes)
      tricolor_store_index(entry.pointee.lanes + index, UInt16(lane))
      return lane
    } catch {
      fatalError("tricolor: \(error)")
    }
  }

  /// The size of a fixed layout's objects, nil for layouts of variable size.
  static func fixedBytes(of layout: Layout) -> Int? {
    let entry = entries + Int(layout.index)
    return entry.pointee.shape == .fixed ? entry.pointee.bytes : nil
  }

  static var laneCount: Int { registry.withLock { $0.laneCount } }
  /// Layouts made so far, the unused first one among them. Their entries are complete.
  static var count: Int { published.load(ordering: .acquiring) }
}
