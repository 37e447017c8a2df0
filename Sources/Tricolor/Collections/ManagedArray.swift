// A growable array on the managed heap: a header of two words, the count and the buffer, and the buffer apart, so that the array keeps
// its identity when it grows. Names and complexities are those of the standard library's `Array`.
//
// It differs from `Array` where the heap makes it differ: it is a handle, so copies of it are the same array; it is made by a mutator,
// so it has no `init()` and cannot be a `RangeReplaceableCollection` or be written as a literal; and what may need memory throws
// `OutOfMemory`. Nothing is lost by such an error: new memory is there before the old is given up.
//
// Invariants: count <= capacity, the first word of the buffer; slots of references from count on are nil, so removed elements die.

public import CTricolorShims

/// The object behind an array.
@usableFromInline struct ArrayHeader: Managed {
  @usableFromInline static let slot = TypeSlot()
  var count: Int
  var buffer: Reference<Bytes>?
}

/// An array on the managed heap that grows, with the names and complexities of `Array`.
///
/// ```swift
/// let squares = try ManagedArray<Int>(mutator)
/// for i in 1...10 { try squares.append(i * i) }
/// print(squares.last!, squares.reduce(0, +))
/// ```
///
/// An array is a handle: copies refer to the same elements, and so do a payload's field and a `Root`. Like a `Reference` it is valid inside
/// `withMutator`. An array that holds references keeps the objects alive; a Swift array of references does not, since the collector
/// does not look into memory of `malloc`.
///
/// One thread at a time may change an array, and none may read it meanwhile; threads that share one need a lock, as for `Array`.
@frozen public struct ManagedArray<Element: ManagedElement>: ManagedHandle, ManagedObject, ~BitwiseCopyable {
  @usableFromInline let header: UnsafeMutableRawPointer

  /// The array that `reference` refers to.
  @inlinable @inline(__always)
  public init(_ reference: Reference<ManagedArray<Element>>) { header = reference.address }

  /// The array as a plain reference, for `makeWeak`, `makeEphemeron` and cleanups.
  @inlinable @inline(__always)
  public var asReference: Reference<ManagedArray<Element>> { Reference(unsafeAddress: header) }
}

@available(
  *, unavailable, message: "a managed array is valid inside withMutator of one thread; make a Root to share it"
)
extension ManagedArray: Sendable {}

extension ManagedArray {
  // MARK: Making

  /// An empty array with room for at least `minimumCapacity` elements.
  ///
  /// - Throws: `OutOfMemory` under a hard limit, or for a capacity that no object can have. A negative one ends the program.
  public init(minimumCapacity: Int = 0, _ mutator: Mutator) throws(OutOfMemory) {
    header = try mutator.make(ArrayHeader(count: 0, buffer: nil)).address
    if minimumCapacity != 0 { try reserveCapacity(minimumCapacity) }
  }

  /// An array of the elements of `elements`, in order. Linear.
  @inlinable
  public init(_ elements: some Sequence<Element>, _ mutator: Mutator) throws(OutOfMemory) {
    try self.init(minimumCapacity: elements.underestimatedCount, mutator)
    try append(contentsOf: elements)
  }

  /// An array of `count` times `element`. Linear. A negative count ends the program.
  @inlinable
  public init(repeating element: Element, count: Int, _ mutator: Mutator) throws(OutOfMemory) {
    try self.init(minimumCapacity: count, mutator)
    for _ in 0..<count { try append(element) }
  }

  // MARK: Size

  /// The number of elements. Constant time.
  @inlinable public var count: Int {
    @inline(__always) get { header.assumingMemoryBound(to: Int.self).pointee }
  }

  @inlinable @inline(__always)
  func setCount(_ count: Int) { header.assumingMemoryBound(to: Int.self).pointee = count }

  /// Whether there are no elements. Constant time.
  @inlinable public var isEmpty: Bool { count == 0 }

  /// How many elements there is room for without growing. Constant time.
  @inlinable public var capacity: Int {
    @inline(__always) get { buffer == 0 ? 0 : Int(bitPattern: tricolor_load_word(buffer)) }
  }

  /// The buffer's address, 0 before there is one.
  @inlinable var buffer: UInt {
    @inline(__always) get { tricolor_load_word(UInt(bitPattern: header) &+ 8) }
  }

  /// Where element `index` is, which must be in the buffer.
  @inlinable @inline(__always)
  func slot(_ index: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: address(index)).unsafelyUnwrapped
  }

  @inlinable @inline(__always)
  func address(_ index: Int) -> UInt {
    buffer &+ UInt(bitPattern: Element.shape.offset &+ index &* Element.shape.stride)
  }

  /// Makes room for at least `minimumCapacity` elements in all. Linear when it has to grow. A negative capacity ends the program.
  public func reserveCapacity(_ minimumCapacity: Int) throws(OutOfMemory) {
    if minimumCapacity < 0 { fatalError("tricolor: a capacity of \(minimumCapacity); allowed is 0 and more") }
    if minimumCapacity > capacity { try moveElements(capacity: minimumCapacity) }
  }

  /// Grows to at least twice the capacity, so that appending is constant time on average.
  @usableFromInline @inline(never)
  func grow(by extra: Int) throws(OutOfMemory) {
    try moveElements(capacity: Swift.max(count + extra, 2 * capacity))
  }

  private func moveElements(capacity: Int) throws(OutOfMemory) {
    let shape = Element.shape
    let new = try Mutator.current(of: UInt(bitPattern: header)).makeBuffer(shape, capacity: capacity)
    ElementBuffer.copy(from: address(0), to: new + UInt(shape.offset), count: count, shape)
    storeReference(new, at: UInt(bitPattern: header) + 8)
    tricolor_keep(UInt(bitPattern: header))
  }

  // MARK: Appending and removing

  /// Adds `element` at the end. Constant time on average.
  @inlinable
  public func append(_ element: Element) throws(OutOfMemory) {
    let count = self.count
    if _slowPath(count == capacity) { try grow(by: 1) }
    Element.storeElement(element, at: slot(count))
    setCount(count &+ 1)
  }

  /// Adds the elements of `elements` at the end. Linear in their number. `elements` must not be a view of this array, which would
  /// grow while it is read; this array itself may be given.
  @inlinable
  public func append(contentsOf elements: some Sequence<Element>) throws(OutOfMemory) {
    for element in elements { try append(element) }
  }

  /// Adds the elements that `elements` has now, which may be this array itself. Linear in their number.
  @inlinable
  public func append(contentsOf elements: ManagedArray<Element>) throws(OutOfMemory) {
    let (count, added) = (self.count, elements.count)
    if count + added > capacity { try grow(by: added) }
    if added == 0 { return }
    ElementBuffer.copy(from: elements.address(0), to: address(count), count: added, Element.shape)
    setCount(count + added)
  }

  /// Inserts `element` before position `index`, 0 ... count. Linear in the number of elements behind it.
  @inlinable
  public func insert(_ element: Element, at index: Int) throws(OutOfMemory) {
    let count = self.count
    if index < 0 || index > count { refusePosition(index, count) }
    if count == capacity { try grow(by: 1) }
    setCount(count + 1)
    ElementBuffer.copy(from: address(index), to: address(index + 1), count: count - index, Element.shape)
    Element.storeElement(element, at: slot(index))
  }

  /// Removes and answers the element at `index`. Linear in the number of elements behind it.
  @inlinable @discardableResult
  public func remove(at index: Int) -> Element {
    let element = self[index]
    removeSubrange(index..<index + 1)
    return element
  }

  /// Removes and answers the last element; ends the program when there is none. Constant time.
  @inlinable @discardableResult
  public func removeLast() -> Element {
    guard let element = popLast() else { refuseEmpty() }
    return element
  }

  /// Removes and answers the last element, nil when there is none. Constant time.
  @inlinable @discardableResult
  public func popLast() -> Element? {
    let count = self.count
    if count == 0 { return nil }
    let element = Element.loadElement(from: slot(count - 1))
    if Element.isManagedReference { storeReference(0, at: address(count - 1)) }
    setCount(count - 1)
    return element
  }

  /// Removes and answers the first element; ends the program when there is none. Linear.
  @inlinable @discardableResult
  public func removeFirst() -> Element {
    if isEmpty { refuseEmpty() }
    return remove(at: 0)
  }

  /// Removes the last `count` elements. Linear in `count`.
  @inlinable
  public func removeLast(_ count: Int) { removeSubrange(self.count - count..<self.count) }

  /// Removes the elements in `range`, which must lie in 0 ..< count. Linear in the number of elements from its start on.
  @inlinable
  public func removeSubrange(_ range: Range<Int>) {
    let count = self.count
    if range.lowerBound < 0 || range.upperBound > count { refuseRange(range, count) }
    if range.isEmpty { return }
    ElementBuffer.copy(
      from: address(range.upperBound), to: address(range.lowerBound), count: count - range.upperBound, Element.shape)
    ElementBuffer.clear(address(count - range.count), count: range.count, Element.shape)
    setCount(count - range.count)
  }

  /// Puts the elements of `elements` in the place of those in `range`, which must lie in 0 ..< count. Linear in the number of new
  /// elements and of those from the start of `range` on. `elements` must not be a view of this array.
  @inlinable
  public func replaceSubrange(_ range: Range<Int>, with elements: some Collection<Element>) throws(OutOfMemory) {
    let count = self.count
    if range.lowerBound < 0 || range.upperBound > count { refuseRange(range, count) }
    let more = elements.count - range.count
    if more > 0 {
      if count + more > capacity { try grow(by: more) }
      setCount(count + more)
      ElementBuffer.copy(
        from: address(range.upperBound), to: address(range.upperBound + more), count: count - range.upperBound,
        Element.shape)
    } else if more < 0 {
      removeSubrange(range.upperBound + more..<range.upperBound)
    }
    var index = range.lowerBound
    for element in elements {
      self[index] = element
      index += 1
    }
  }

  /// Inserts the elements of `elements` before position `index`, 0 ... count. Linear in their number and that of elements behind them.
  @inlinable
  public func insert(contentsOf elements: some Collection<Element>, at index: Int) throws(OutOfMemory) {
    if index < 0 || index > count { refusePosition(index, count) }
    try replaceSubrange(index..<index, with: elements)
  }

  /// Removes all elements, and gives the buffer up unless its capacity is to be kept. Linear if it is.
  public func removeAll(keepingCapacity: Bool = false) {
    if keepingCapacity {
      if count > 0 { ElementBuffer.clear(address(0), count: count, Element.shape) }
    } else {
      storeReference(0, at: UInt(bitPattern: header) + 8)
    }
    setCount(0)
  }

  /// Removes every element for which `shouldBeRemoved` answers true; the others keep their order. Linear. When it throws, the
  /// array holds what it held, the elements looked at in another order.
  @inlinable
  public func removeAll<E: Error>(where shouldBeRemoved: (Element) throws(E) -> Bool) throws(E) {
    var kept = 0
    for index in 0..<count where try !shouldBeRemoved(self[index]) {
      if index != kept { swapAt(kept, index) }
      kept += 1
    }
    removeSubrange(kept..<count)
  }

  // MARK: Reordering

  /// Sorts the elements; equal ones may change places. Takes O(n log n) comparisons and eight bytes of native memory an element.
  ///
  /// What is sorted is a list of positions, and the elements are moved once it is known where they go: at no time is native memory all
  /// that refers to an object. The predicate must not change the array. When it throws, nothing has moved.
  @inlinable
  public func sort(by areInIncreasingOrder: (Element, Element) throws -> Bool) rethrows {
    var order = Array(indices)
    try order.sort { try areInIncreasingOrder(self[$0], self[$1]) }
    rearrange(&order)
  }

  /// Moves the element at `order[i]` to `i`, for all i, along the cycles of the permutation.
  @inlinable
  func rearrange(_ order: inout [Int]) {
    for start in order.indices where order[start] != start {
      let first = self[start]
      var index = start
      while order[index] != start {
        let next = order[index]
        self[index] = self[next]
        order[index] = index
        index = next
      }
      self[index] = first
      order[index] = index
      if start % 1024 == 0 { Mutator.pollCurrent(of: UInt(bitPattern: header)) }
    }
  }

  /// Reverses the order of the elements. Linear.
  @inlinable
  public func reverse() {
    let count = self.count
    for index in 0..<count / 2 { swapAt(index, count - 1 - index) }
  }
}

extension ManagedArray where Element: Comparable {
  /// Sorts the elements, the smallest first. As `sort(by:)`.
  @inlinable public func sort() { sort(by: <) }
}

extension ManagedArray: RandomAccessCollection, MutableCollection {
  /// 0.
  @inlinable public var startIndex: Int { 0 }
  /// The number of elements.
  @inlinable public var endIndex: Int { count }

  /// Element `index`; ends the program outside 0 ..< count. Constant time.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) get {
      check(index)
      return Element.loadElement(from: slot(index))
    }
    @inline(__always) nonmutating set {
      check(index)
      Element.storeElement(newValue, at: slot(index))
    }
  }

  /// Exchanges two elements. Constant time.
  @inlinable
  public func swapAt(_ first: Int, _ second: Int) {
    let element = self[first]
    self[first] = self[second]
    self[second] = element
  }

  @inlinable @inline(__always)
  func check(_ index: Int) {
    if _slowPath(UInt(bitPattern: index) >= UInt(bitPattern: count)) { refuseIndex(index, count) }
  }
}

extension ManagedArray where Element: BitwiseCopyable {
  /// The elements in memory, for the duration of `body`, which must not change the array. The array stays alive during the call.
  @inlinable
  public func withUnsafeMutableBufferPointer<R, E: Error>(
    _ body: (UnsafeMutableBufferPointer<Element>) throws(E) -> R
  ) throws(E) -> R {
    let start = buffer == 0 ? nil : slot(0).assumingMemoryBound(to: Element.self)
    let result = try body(UnsafeMutableBufferPointer(start: start, count: count))
    tricolor_keep(UInt(bitPattern: header))
    return result
  }
}

extension ManagedArray: Equatable where Element: Equatable {
  /// Whether both hold equal elements in the same order; `asReference` compares identity.
  @inlinable public static func == (left: ManagedArray, right: ManagedArray) -> Bool {
    left.header == right.header || left.elementsEqual(right)
  }
}

extension ManagedArray: CustomStringConvertible {
  /// The elements, as `Array` writes them.
  public var description: String {
    "[" + map { String(reflecting: $0) }.joined(separator: ", ") + "]"
  }
}

// MARK: Refusals

/// Ends the program: an index of no element.
@usableFromInline @inline(never)
func refuseIndex(_ index: Int, _ count: Int) -> Never {
  fatalError("tricolor: index \(index) of a collection whose elements are 0 ..< \(count)")
}

/// Ends the program: a position where nothing can be inserted.
@usableFromInline @inline(never)
func refusePosition(_ index: Int, _ count: Int) -> Never {
  fatalError("tricolor: insertion at \(index); allowed is 0 ... \(count)")
}

/// Ends the program: a range that is not of the collection.
@usableFromInline @inline(never)
func refuseRange(_ range: Range<Int>, _ count: Int) -> Never {
  fatalError("tricolor: range \(range) of a collection whose elements are 0 ..< \(count)")
}

/// Ends the program: nothing can be removed.
@usableFromInline @inline(never)
func refuseEmpty() -> Never { fatalError("tricolor: an element was removed from an empty collection") }
