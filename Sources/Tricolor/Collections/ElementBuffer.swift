// The memory behind collections: a number of slots in the first word, then the slots.
//
// A buffer of references has the layout of a reference array, so the collector scans it in slices and every slot is nil at first; one
// of plain values is a leaf. Both fill their cell: a size class's rounding is capacity, not waste.
//
// Bulk moves go in pieces with a poll between them, so that growing an array of a gigabyte holds up no handshake. While the thread's
// barrier flag is down, a piece of references is moved as bytes: no marker reads anything of this heap before this thread has
// answered the next handshake, which it does at a poll (I1). With the flag up every slot is a store of its own, in an order
// that never overwrites what is still to be moved.

import CTricolorShims
import TricolorPlatform

/// How the elements of one type lie in a buffer.
@usableFromInline struct BufferShape {
  /// Bytes from one slot to the next.
  @usableFromInline let stride: Int
  /// Where the first slot is.
  @usableFromInline let offset: Int
  /// Whether slots hold references.
  @usableFromInline let isTraced: Bool

  @inlinable @inline(__always) init(stride: Int, offset: Int, isTraced: Bool) {
    self.stride = stride
    self.offset = offset
    self.isTraced = isTraced
  }
}

extension ManagedElement {
  /// How values of this type lie in a buffer; a constant once specialised.
  @inlinable @inline(__always) static var shape: BufferShape {
    BufferShape(
      stride: MemoryLayout<Self>.stride, offset: MemoryLayout<Self>.alignment > 8 ? 16 : 8,
      isTraced: isManagedReference)
  }
}

extension Mutator {
  /// A buffer of at least `capacity` slots, as many as its cell has room for. Slots of references are nil, others hold anything.
  func makeBuffer(_ shape: BufferShape, capacity: Int) throws(OutOfMemory) -> UInt {
    let (slots, isTooMany) = capacity.multipliedReportingOverflow(by: shape.stride)
    guard !isTooMany, slots <= Mutator.mostBytes - shape.offset else {
      throw OutOfMemory(
        requestedBytes: isTooMany ? .max : slots, reason: "where an object has at most \(Mutator.mostBytes)")
    }
    let bytes = Mutator.filledBytes(shape.offset + slots)
    let buffer = try allocate(shape.isTraced ? .referenceArray : .leaf, bytes: bytes, zeroed: shape.isTraced)
    buffer.assumingMemoryBound(to: Int.self).pointee = (bytes - shape.offset) / shape.stride
    return UInt(bitPattern: buffer)
  }

  /// The bytes that an object of `bytes` bytes of variable size takes up.
  private static func filledBytes(_ bytes: Int) -> Int {
    bytes <= Geometry.largestCell
      ? SizeClass.bytes(SizeClass.index(for: bytes)) : (bytes + Geometry.blockBytes - 1) & ~(Geometry.blockBytes - 1)
  }

  /// The calling thread's mutator of the heap that the managed address `address` belongs to.
  static func current(of address: UInt) -> Mutator {
    guard let record = ThreadRecords.record(ofSlot: address), record.isRunning else {
      fatalError("tricolor: a managed collection was changed by a thread that is not inside withMutator of its heap")
    }
    return Mutator(record)
  }

  /// A safepoint of the calling thread in the heap that `address` belongs to.
  @usableFromInline @inline(never)
  static func pollCurrent(of address: UInt) { current(of: address).poll() }
}

/// Moves of slots, within a buffer and between two.
@usableFromInline enum ElementBuffer {
  /// Bytes moved between two polls: some microseconds.
  private static let pieceBytes = 32 << 10

  /// Copies `count` slots from one place to another, which may overlap. Both are of objects of the calling thread's heap.
  @usableFromInline @inline(never)
  static func copy(from source: UInt, to target: UInt, count: Int, _ shape: BufferShape) {
    let piece = max(1, pieceBytes / shape.stride)
    let isUpward = target > source
    var done = 0
    while done < count {
      let slots = min(piece, count - done)
      let start = UInt((isUpward ? count - done - slots : done) * shape.stride)
      copyPiece(from: source + start, to: target + start, slots, shape, isUpward)
      done += slots
      if done < count { Mutator.current(of: target).poll() }
    }
  }

  private static func copyPiece(
    from source: UInt, to target: UInt, _ count: Int, _ shape: BufferShape, _ isUpward: Bool
  ) {
    if !shape.isTraced || tricolor_barrier() == 0 {
      UnsafeMutableRawPointer(bitPattern: target)!.copyMemory(
        from: UnsafeRawPointer(bitPattern: source)!, byteCount: count * shape.stride)
    } else if isUpward {
      for index in stride(from: UInt(count), to: 0, by: -1) {
        storeReference(tricolor_load_word(source + (index - 1) * 8), at: target + (index - 1) * 8)
      }
    } else {
      for index in 0..<UInt(count) { storeReference(tricolor_load_word(source + index * 8), at: target + index * 8) }
    }
  }

  /// Empties `count` slots: references are nil from then on, so that they keep nothing alive. Plain values stay.
  @usableFromInline @inline(never)
  static func clear(_ start: UInt, count: Int, _ shape: BufferShape) {
    guard shape.isTraced else { return }
    let piece = max(1, pieceBytes / shape.stride)
    for index in 0..<count {
      storeReference(0, at: start + UInt(index) * 8)
      if (index + 1) % piece == 0 { Mutator.current(of: start).poll() }
    }
  }
}
