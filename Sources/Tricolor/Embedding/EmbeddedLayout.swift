// Layouts for programs in other languages, which keep in memory of their own what the fast path needs of one, and allocation by them.
//
// A layout's lanes are made with it where its objects have one size, and at the first object of each size otherwise; a table that is full is
// an error at that point.

import CTricolorShims
import Synchronization

/// What a program keeps of a layout, field by field as tricolor.h has it.
package struct EmbeddedLayout {
  package let index: UInt32
  /// The cell's bytes of a fixed layout whose objects share blocks, else 0.
  package let bytes: UInt32
  /// The offset of the layout's run in a mutator's record; that of the empty run where there is none.
  package let run: UInt32
  package let kind: UInt32
  /// Lanes by size class.
  package let lanes: UnsafePointer<UInt16>?

  package enum Kind: UInt32 {
    case none, fixed, leaf, references, elements, custom
  }

  /// Registers a layout and makes its lane.
  package static func make(_ kind: Layout.Kind, name: String) throws(LayoutError) -> EmbeddedLayout {
    let layout = try Layout.register(kind, name: name)
    let entry = LayoutTable.entries[Int(layout.index)]
    switch kind {
    case .fixed(let bytes, _):
      let lane = try LayoutTable.madeLane(of: layout, bytes: bytes)
      let cell = LayoutTable.laneClasses[lane].cellBytes
      let run = cell == 0 ? 0 : MutatorCore.runsOffset + lane * MemoryLayout<Run>.stride
      return EmbeddedLayout(layout, .fixed, bytes: UInt32(cell), run: UInt32(run), lanes: nil)
    case .leaf: return EmbeddedLayout(layout, .leaf, lanes: entry.lanes)
    case .custom: return EmbeddedLayout(layout, .custom, lanes: entry.lanes)
    case .referenceArray: return EmbeddedLayout(layout, .references, lanes: nil)
    case .elementArray: return EmbeddedLayout(layout, .elements, lanes: nil)
    }
  }

  /// A layout of objects of which every word may refer to an object.
  package static func makeConservative(name: String) throws(LayoutError) -> EmbeddedLayout {
    try make(.custom(trace: traceEveryWord), name: name)
  }

  private init(_ layout: Layout, _ kind: Kind, bytes: UInt32 = 0, run: UInt32 = 0, lanes: UnsafePointer<UInt16>?) {
    index = layout.index
    self.bytes = bytes
    self.run = run
    self.kind = kind.rawValue
    self.lanes = lanes
  }

  /// The kind of the layout a program keeps as `index` and `kind`; nil when there is none such.
  package static func kind(index: UInt32, kind: UInt32) -> Kind? {
    guard index > LayoutTable.lastBuiltIn, index < LayoutTable.count, let kind = Kind(rawValue: kind) else {
      return nil
    }
    let shape = LayoutTable.entries[Int(index)].shape
    switch (kind, shape) {
    case (.fixed, .fixed), (.leaf, .leaf), (.references, .references), (.elements, .elements), (.custom, .custom):
      return kind
    default: return nil
    }
  }

  /// The size of a fixed layout's objects, or of an array layout's elements.
  package static func bytes(of index: UInt32) -> Int { LayoutTable.entries[Int(index)].bytes }
}

/// The trace function of conservative layouts: each word goes to the visitor, which ignores what leads to no object.
private func traceEveryWord(
  _ object: UnsafeRawPointer, _ bytes: Int, _ visit: TraceVisitor, _ context: UnsafeMutableRawPointer
) {
  let start = UInt(bitPattern: object)
  for address in stride(from: start, to: start + UInt(bytes) & ~7, by: 8) {
    let word = tricolor_load_word(address)
    if word != 0 { visit(context, word) }
  }
}

/// An object that could not be made.
package enum AllocationFailure: Error {
  case outOfMemory(OutOfMemory)
  /// The table of lanes is full.
  case layout(LayoutError)
}

extension EmbeddedMutator {
  /// The most bytes an object may have.
  package static let mostBytes = Mutator.mostBytes

  /// An object of a layout that `EmbeddedLayout.kind` knows.
  package func allocate(layout index: UInt32, bytes: Int) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let layout = Layout(index: index)
    return try allocate(layout, bytes: bytes, zeroed: LayoutTable.entries[Int(index)].hasReferences)
  }

  /// An array of `count` elements, which fit.
  package func allocateElements(layout index: UInt32, count: Int) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let layout = Layout(index: index)
    let object = try allocate(layout, bytes: 16 + count * EmbeddedLayout.bytes(of: index), zeroed: true)
    object.assumingMemoryBound(to: Int.self).pointee = count
    return object
  }

  /// An array of `count` references.
  package func allocateReferences(count: Int) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let object = try allocate(.referenceArray, bytes: 8 + 8 * count, zeroed: true)
    object.assumingMemoryBound(to: Int.self).pointee = count
    return object
  }

  func allocate(
    _ layout: Layout, bytes: Int, zeroed: Bool
  ) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    do throws(LayoutError) {
      _ = try LayoutTable.madeLane(of: layout, bytes: bytes)
    } catch {
      throw .layout(error)
    }
    do throws(OutOfMemory) {
      return try Mutator(core).allocate(layout, bytes: bytes, zeroed: zeroed)
    } catch {
      throw .outOfMemory(error)
    }
  }
}

/// Objects by address, whatever allocated them.
package enum EmbeddedObject {
  /// The start of the cell that `address` lies in; nil outside every heap. Right for addresses in objects that are alive.
  package static func start(around address: UInt) -> UInt? { addressMap.cellStart(address) }

  /// Whether the object that begins at `address` has no references; nil when none begins there.
  package static func isLeaf(at address: UInt) -> Bool? {
    guard addressMap.cellStart(address) == address else { return nil }
    return ScanWord.isLeaf(addressMap.scanWords[addressMap.block(of: address)])
  }

  /// Keeps an object alive up to this point.
  @inline(__always) package static func keep(_ object: UInt) { tricolor_keep(object) }

  /// The bytes of the object that begins at `address`, nil when none does.
  package static func bytes(at address: UInt) -> Int? {
    guard addressMap.cellStart(address) == address else { return nil }
    return Int(addressMap.head(of: address).pointee.cellBytes)
  }
}

extension EmbeddedMutator {
  /// Whether an object of this mutator's heap begins at `address`, as far as can be told without a look at which cells are in use.
  package func owns(_ address: UnsafeRawPointer) -> Bool {
    let word = UInt(bitPattern: address)
    return addressMap.owner(of: word) == UnsafeMutableRawPointer(core.heap.state) && addressMap.cellStart(word) == word
  }
}

extension AddressMap {
  /// The start of the cell that `address` lies in, allocated or not; nil in no block in use. May be asked while blocks are swept.
  func cellStart(_ address: UInt) -> UInt? {
    guard owner(of: address) != nil else { return nil }
    var block = self.block(of: address)
    if descriptors[block].kind == BlockKind.continuation.rawValue { block -= Int(descriptors[block].span) }
    let descriptor = descriptors + block
    let start = self.address(ofBlock: block)
    if descriptor.pointee.kind == BlockKind.large.rawValue {
      return UInt64(address - start) < descriptor.pointee.cellBytes ? start : nil
    }
    guard descriptor.pointee.kind == BlockKind.cells.rawValue else { return nil }
    let index = (UInt64(address - start) &* UInt64(descriptor.pointee.reciprocal)) >> 32
    guard index < UInt64(descriptor.pointee.cellCount) else { return nil }
    return start + UInt(index * descriptor.pointee.cellBytes)
  }
}

extension LayoutTable {
  /// The layouts that `prepare` makes.
  static let lastBuiltIn: UInt32 = 4

  /// The lane for an object of `bytes` bytes of `layout`, made now if need be.
  ///
  /// - Throws: when there are as many lanes as there can be.
  static func madeLane(of layout: Layout, bytes: Int) throws(LayoutError) -> Int {
    let entry = entries + Int(layout.index)
    let isFixed = entry.pointee.shape == .fixed
    let index = isFixed ? 0 : bytes > Geometry.largestCell ? SizeClass.count : SizeClass.index(for: bytes)
    let known = Int(tricolor_load_index(entry.pointee.lanes + index))
    if known != 0 { return known }
    let cellBytes = isFixed ? roundedToGranules(bytes) : index == SizeClass.count ? Int.max : SizeClass.bytes(index)
    let lane = try lane(layout: layout, cellBytes: cellBytes)
    tricolor_store_index(entry.pointee.lanes + index, UInt16(lane))
    return lane
  }
}
