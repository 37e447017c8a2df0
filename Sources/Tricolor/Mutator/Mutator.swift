// The mutator a program sees: allocation, polls, blocking regions, roots. One pointer to pooled state, so that the allocation fast
// path in the client's module is: load the run, add, compare, store, return.
//
// A copyable, non-Sendable struct and not a class or ~Copyable: the only shape that is fast in every context and does not crash
// the 6.3 compiler when captured (docs/decisions.md, "Shape of the mutator").

public import CTricolorShims
public import Synchronization
import TricolorPlatform

/// The heap cannot give more memory: thrown only under a hard limit, or when the reserved address range is used up.
public struct OutOfMemory: Error, CustomStringConvertible, Sendable {
  /// Bytes asked for.
  public let requestedBytes: Int
  /// Why there is none.
  public let reason: String
  /// How much was asked for, and why it is not to be had.
  public var description: String { "out of managed memory: \(requestedBytes) bytes asked for, \(reason)" }
}

/// A thread's access to a heap, valid inside the `withMutator` call that gave it.
@frozen public struct Mutator: ~BitwiseCopyable {
  @usableFromInline let base: UnsafeMutableRawPointer

  init(_ core: MutatorCore) { base = core.base }

  var core: MutatorCore { MutatorCore(base: base) }
}

@available(*, unavailable, message: "a Mutator belongs to its thread; call withMutator on the other thread")
extension Mutator: Sendable {}

extension Mutator {
  // MARK: Allocation

  /// A new object holding `value`. Cost: about ten instructions when the run has room. References in `value` need no barrier: the
  /// object is new, so either it is white and found from this stack, or black and the barrier's snapshot covers them.
  @inlinable @inline(__always)
  public func make<T: Managed>(_ value: T) throws(OutOfMemory) -> Reference<T> {
    let run = Mutator.run(at: UInt(bitPattern: base) &+ UInt(T.slot.runOffset.load(ordering: .relaxed)))
    let cell = run.pointee.cursor
    let next = cell &+ UInt(roundedToGranules(MemoryLayout<T>.size))
    let address: UnsafeMutableRawPointer
    if _fastPath(next <= run.pointee.limit) {
      run.pointee.cursor = next
      address = UnsafeMutableRawPointer(bitPattern: cell).unsafelyUnwrapped
    } else {
      address = try makeSlowly(T.self)
    }
    address.initializeMemory(as: T.self, to: value)
    return Reference(unsafeAddress: address)
  }

  /// The run at an address. In a register of its own, since each allocation loads the cursor that the one before has stored:
  /// 1.3 ns from one to the next, and 2.5 where the operands are sums (measured on a Xeon of 2023).
  @inlinable @inline(__always) static func run(at address: UInt) -> UnsafeMutablePointer<Run> {
    UnsafeMutablePointer(bitPattern: tricolor_in_register(address)).unsafelyUnwrapped
  }

  /// Bytes, all zero.
  public func makeBytes(count: Int) throws(OutOfMemory) -> Reference<Bytes> {
    Mutator.check(count: count, stride: 1)
    let object = try allocate(.leaf, bytes: 8 + count, zeroed: true)
    object.assumingMemoryBound(to: Int.self).pointee = count
    return Reference(unsafeAddress: object)
  }

  /// A copy of `source`.
  public func makeBytes(copying source: UnsafeRawBufferPointer) throws(OutOfMemory) -> Reference<Bytes> {
    let object = try allocate(.leaf, bytes: 8 + source.count, zeroed: false)
    object.assumingMemoryBound(to: Int.self).pointee = source.count
    if let start = source.baseAddress { (object + 8).copyMemory(from: start, byteCount: source.count) }
    return Reference(unsafeAddress: object)
  }

  /// Bytes of which `fill` must write every one: what it leaves is whatever the memory held.
  public func makeBytes(
    count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(OutOfMemory) -> Reference<Bytes> {
    Mutator.check(count: count, stride: 1)
    let object = try allocate(.leaf, bytes: 8 + count, zeroed: false)
    object.assumingMemoryBound(to: Int.self).pointee = count
    fill(UnsafeMutableRawBufferPointer(start: object + 8, count: count))
    tricolor_keep(UInt(bitPattern: object))
    return Reference(unsafeAddress: object)
  }

  /// An array of `count` nil references.
  public func makeArray<Element>(
    of type: Element.Type, count: Int
  ) throws(OutOfMemory) -> Reference<ReferenceArray<Element>> {
    Mutator.check(count: count, stride: 8)
    let object = try allocate(.referenceArray, bytes: 8 + 8 * count, zeroed: true)
    object.assumingMemoryBound(to: Int.self).pointee = count
    return Reference(unsafeAddress: object)
  }

  /// An array of `count` payload structs whose bytes are all zero (references nil).
  public func makeElements<Element: Managed>(
    of type: Element.Type, count: Int
  ) throws(OutOfMemory) -> Reference<ElementArray<Element>> {
    Mutator.check(count: count, stride: MemoryLayout<Element>.stride)
    let layout = PayloadLayout.elementArray(of: type)
    let object = try allocate(layout, bytes: 16 + count * MemoryLayout<Element>.stride, zeroed: true)
    object.assumingMemoryBound(to: Int.self).pointee = count
    return Reference(unsafeAddress: object)
  }

  /// A zeroed object of a layout registered by hand; `bytes` is its size (for `fixed` layouts the registered size).
  ///
  /// References may be stored in it as plain words until this thread next allocates, polls, blocks or leaves the heap. From then on
  /// each store of one must go through a `Reference`, whose barrier remembers it: the object may be old by then, and be looked
  /// at again by a young cycle only where something was stored (docs/protocol.md, "Young cycles").
  public func allocate(_ layout: Layout, bytes: Int) throws(OutOfMemory) -> UnsafeMutableRawPointer {
    guard bytes >= 0 && bytes <= Mutator.mostBytes else {
      fatalError("tricolor: an object of \(bytes) bytes; allowed are 0 to \(Mutator.mostBytes)")
    }
    if let size = LayoutTable.fixedBytes(of: layout), size != bytes {
      fatalError("tricolor: an object of \(bytes) bytes of a layout whose objects have \(size)")
    }
    return try allocate(layout, bytes: bytes, zeroed: true)
  }

  /// The bytes of the largest object.
  static let mostBytes = 1 << 46

  /// Ends the program, with the count in the message, when an object of that many elements cannot be.
  @inline(__always) static func check(count: Int, stride: Int) {
    if count < 0 || count > mostBytes / stride { refuse(count: count, stride: stride) }
  }

  @inline(never) private static func refuse(count: Int, stride: Int) -> Never {
    fatalError("tricolor: an object of \(count) elements; allowed are 0 to \(mostBytes / stride)")
  }

  func allocate(_ layout: Layout, bytes: Int, zeroed: Bool) throws(OutOfMemory) -> UnsafeMutableRawPointer {
    let lane = LayoutTable.lane(of: layout, bytes: bytes)
    let cellBytes = UInt(LayoutTable.laneClasses[lane].cellBytes)
    if cellBytes == 0 {
      let address = try core.allocateLarge(lane: lane, bytes: bytes, zeroed: zeroed)
      return UnsafeMutableRawPointer(bitPattern: address)!
    }
    let run = core.run(lane)
    let cell: UInt
    if run.pointee.cursor &+ cellBytes <= run.pointee.limit {
      cell = run.pointee.cursor
      run.pointee.cursor = cell &+ cellBytes
    } else {
      cell = try core.allocateSlowly(slot: lane)
    }
    let object = UnsafeMutableRawPointer(bitPattern: cell)!
    if zeroed && !core.info(lane).pointee.isZeroed {
      object.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }
    return object
  }

  @usableFromInline @inline(never)
  func makeSlowly<T: Managed>(_ type: T.Type) throws(OutOfMemory) -> UnsafeMutableRawPointer {
    if T.slot.runOffset.load(ordering: .acquiring) == 0 { PayloadLayout.register(type) }
    let offset = Int(T.slot.runOffset.load(ordering: .relaxed))
    let lane = (offset - MutatorCore.runsOffset) / MemoryLayout<Run>.stride
    let size = roundedToGranules(MemoryLayout<T>.size)
    let address =
      size > Geometry.largestCell
      ? try core.allocateLarge(lane: lane, bytes: size, zeroed: true) : try core.allocateSlowly(slot: lane)
    return UnsafeMutableRawPointer(bitPattern: address)!
  }

  // MARK: Safepoints

  /// A safepoint: answers the collector if it asks. Call it in loops that run long without allocating. Cost: a load and a branch.
  @inlinable @inline(__always)
  public func poll() {
    if _slowPath(tricolor_load_flag(base + 16) != 0) { pollSlowly() }
  }

  @usableFromInline @inline(never) func pollSlowly() { core.safepoint() }

  /// Runs `body`, which may block or compute for long, while the collector of this heap answers for this thread. `body` must not
  /// touch the heap. A region inside another is part of it.
  @inline(never)
  public func blocking<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    guard core.isRunning else { return try body() }
    return try core.whileParked(body)
  }

  /// A root that holds `reference`.
  @inlinable public func root<Target>(_ reference: Reference<Target>?) -> Root<Target> {
    Root(reference, mutator: self)
  }

  /// A root of one owner that holds `reference`: ends with its variable, and takes no memory of `malloc`.
  @inlinable public func uniqueRoot<Target>(_ reference: Reference<Target>?) -> UniqueRoot<Target> {
    UniqueRoot(reference, mutator: self)
  }
}
