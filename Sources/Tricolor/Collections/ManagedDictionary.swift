// A hash table on the managed heap, with the names and complexities of the standard library's `Dictionary`.
//
// Open addressing with linear probing in a power of two of slots, at most three quarters full; removal moves later entries back, so there
// are no tombstones (Knuth, TAOCP 6.4, algorithm R), as in `Dictionary`. A control byte a slot holds seven bits of the hash, so that a
// probe compares keys only where they are probably equal (the idea of Abseil's Swiss tables, without their groups).
// Control bytes, keys and values are three buffers: keys and values are each a leaf or a row of references, whatever the other is.
//
// Invariants: a slot's control byte is 0 exactly when it is empty, and its key and value are nil then if they are references; between an
// entry's home and its slot no slot is empty. A table that grows is built beside the old one: an error loses nothing.

import CTricolorShims

/// The object behind a dictionary.
@usableFromInline struct DictionaryHeader: Managed {
  @usableFromInline static let slot = TypeSlot()
  var count: Int
  var controls: Reference<Bytes>?
  var keys: Reference<Bytes>?
  var values: Reference<Bytes>?
}

/// A dictionary on the managed heap, with the names and complexities of `Dictionary`.
///
/// ```swift
/// let ages = try ManagedDictionary<ManagedString, Int>(mutator)
/// try ages.updateValue(36, forKey: ManagedString("Ada", mutator))
/// print(ages["Ada"]!)
/// ```
///
/// A dictionary is a handle: copies refer to the same entries. It is valid inside `withMutator`, and one thread at a time may change it
/// while none reads it, as for `ManagedArray`. Entries come in no particular order, which changes from run to run.
///
/// What may need memory throws `OutOfMemory`, and a setter cannot throw in Swift: entries are added by `updateValue(_:forKey:)`. Keys
/// must not change their hash while they are in a dictionary; a `Reference` is hashed by identity.
@frozen
public struct ManagedDictionary<Key: ManagedElement & Hashable, Value: ManagedElement>: ManagedHandle, ManagedObject,
  ~BitwiseCopyable
{
  @usableFromInline let header: UnsafeMutableRawPointer

  /// The dictionary that `reference` refers to.
  @inlinable @inline(__always)
  public init(_ reference: Reference<ManagedDictionary<Key, Value>>) { header = reference.address }

  /// The dictionary as a plain reference, for `makeWeak`, `makeEphemeron` and cleanups.
  @inlinable @inline(__always)
  public var asReference: Reference<ManagedDictionary<Key, Value>> { Reference(unsafeAddress: header) }
}

@available(
  *, unavailable, message: "a managed dictionary is valid inside withMutator of one thread; make a Root to share it"
)
extension ManagedDictionary: Sendable {}

/// The three buffers of a dictionary.
@usableFromInline struct DictionaryTable {
  @usableFromInline let controls: UInt
  @usableFromInline let keys: UInt
  @usableFromInline let values: UInt

  @inlinable @inline(__always) init(controls: UInt, keys: UInt, values: UInt) {
    self.controls = controls
    self.keys = keys
    self.values = values
  }

  /// Slots are 0 ... mask.
  @inlinable var mask: Int {
    @inline(__always) get { Int(bitPattern: tricolor_load_word(controls)) &- 1 }
  }

  @inlinable @inline(__always)
  func control(_ slot: Int) -> UInt8 {
    UnsafePointer<UInt8>(bitPattern: controls &+ 8).unsafelyUnwrapped[slot]
  }

  @inlinable @inline(__always)
  func setControl(_ slot: Int, _ control: UInt8) {
    UnsafeMutablePointer<UInt8>(bitPattern: controls &+ 8).unsafelyUnwrapped[slot] = control
  }
}

extension ManagedDictionary {
  // MARK: Making

  /// An empty dictionary with room for at least `minimumCapacity` entries.
  ///
  /// - Throws: `OutOfMemory` under a hard limit, or for a capacity that no object can have. A negative one ends the program.
  public init(minimumCapacity: Int = 0, _ mutator: Mutator) throws(OutOfMemory) {
    header = try mutator.make(DictionaryHeader(count: 0, controls: nil, keys: nil, values: nil)).address
    if minimumCapacity != 0 { try reserveCapacity(minimumCapacity) }
  }

  /// A dictionary of the pairs of `pairs`; ends the program when a key comes twice. Linear.
  @inlinable
  public init(
    uniqueKeysWithValues pairs: some Sequence<(Key, Value)>, _ mutator: Mutator
  ) throws(OutOfMemory) {
    try self.init(minimumCapacity: pairs.underestimatedCount, mutator)
    for (key, value) in pairs {
      if try updateValue(value, forKey: key) != nil { refuseDuplicate("\(key)") }
    }
  }

  // MARK: Size

  /// The number of entries. Constant time.
  @inlinable public var count: Int {
    @inline(__always) get { header.assumingMemoryBound(to: Int.self).pointee }
  }

  @inlinable @inline(__always)
  func setCount(_ count: Int) { header.assumingMemoryBound(to: Int.self).pointee = count }

  /// Whether there are no entries. Constant time.
  @inlinable public var isEmpty: Bool { count == 0 }

  /// How many entries there is room for without growing. Constant time.
  @inlinable public var capacity: Int { table.map { ($0.mask + 1) / 4 * 3 } ?? 0 }

  /// Makes room for at least `minimumCapacity` entries in all. Linear when it has to grow. A negative capacity ends the program.
  @inlinable
  public func reserveCapacity(_ minimumCapacity: Int) throws(OutOfMemory) {
    if minimumCapacity < 0 { refuseCapacity(minimumCapacity) }
    if minimumCapacity > capacity { try resize(minimumCapacity) }
  }

  // MARK: Entries

  /// The value of `key`, nil when there is none. Constant time on average.
  @inlinable
  public subscript(key: Key) -> Value? {
    guard let table, let slot = find(table, key.hashValue, { $0 == key }) else { return nil }
    return value(table, slot)
  }

  /// The value of `key`, or `defaultValue` when there is none. Constant time on average.
  @inlinable
  public subscript(key: Key, default defaultValue: @autoclosure () -> Value) -> Value { self[key] ?? defaultValue() }

  /// Sets the value of `key`; the value it had, nil when the key is new. Constant time on average.
  @inlinable @discardableResult
  public func updateValue(_ value: Value, forKey key: Key) throws(OutOfMemory) -> Value? {
    let hash = key.hashValue
    if let table, let slot = find(table, hash, { $0 == key }) {
      let old = self.value(table, slot)
      Value.storeElement(value, at: valueSlot(table, slot))
      return old
    }
    if count >= capacity { try resize(count + 1) }
    insert(key, value, hash, into: table.unsafelyUnwrapped)
    setCount(count + 1)
    return nil
  }

  /// Removes the entry of `key`; its value, nil when there was none. Constant time on average.
  @inlinable @discardableResult
  public func removeValue(forKey key: Key) -> Value? {
    guard let table, let slot = find(table, key.hashValue, { $0 == key }) else { return nil }
    return removeEntry(table, slot)
  }

  /// Removes and answers the entry at `index`, which must be of an entry. Constant time on average.
  @inlinable @discardableResult
  public func remove(at index: Index) -> (key: Key, value: Value) {
    let entry = self[index]
    _ = removeEntry(table.unsafelyUnwrapped, index.slot)
    return entry
  }

  /// Removes and answers some entry, nil when there is none.
  @inlinable @discardableResult
  public func popFirst() -> (key: Key, value: Value)? { isEmpty ? nil : remove(at: startIndex) }

  /// Removes all entries, and gives the memory up unless the capacity is to be kept. Linear in the capacity if it is.
  @inlinable
  public func removeAll(keepingCapacity: Bool = false) {
    if keepingCapacity, let table {
      let slots = table.mask + 1
      UnsafeMutableRawPointer(bitPattern: table.controls + 8).unsafelyUnwrapped.initializeMemory(
        as: UInt8.self, repeating: 0, count: slots)
      ElementBuffer.clear(table.keys + UInt(Key.shape.offset), count: slots, Key.shape)
      ElementBuffer.clear(table.values + UInt(Value.shape.offset), count: slots, Value.shape)
    } else {
      for word in 1...3 { storeReference(0, at: UInt(bitPattern: header) + UInt(word) * 8) }
    }
    setCount(0)
  }

  /// Adds the pairs of `pairs`; for a key that is there already, the value that `combine` makes of the old and the new one. Linear. When
  /// `combine` or memory fails, the pairs before are in.
  @inlinable
  public func merge(
    _ pairs: some Sequence<(Key, Value)>, uniquingKeysWith combine: (Value, Value) throws -> Value
  ) throws {
    for (key, value) in pairs {
      let merged = if let old = self[key] { try combine(old, value) } else { value }
      try updateValue(merged, forKey: key)
    }
  }

  // MARK: Slots

  /// The buffers, nil before there are any.
  @inlinable var table: DictionaryTable? {
    @inline(__always) get {
      let words = UInt(bitPattern: header)
      let controls = tricolor_load_word(words &+ 8)
      if controls == 0 { return nil }
      return DictionaryTable(
        controls: controls, keys: tricolor_load_word(words &+ 16), values: tricolor_load_word(words &+ 24))
    }
  }

  @inlinable @inline(__always)
  func keySlot(_ table: DictionaryTable, _ slot: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(
      bitPattern: table.keys &+ UInt(bitPattern: Key.shape.offset &+ slot &* Key.shape.stride)
    ).unsafelyUnwrapped
  }

  @inlinable @inline(__always)
  func valueSlot(_ table: DictionaryTable, _ slot: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(
      bitPattern: table.values &+ UInt(bitPattern: Value.shape.offset &+ slot &* Value.shape.stride)
    ).unsafelyUnwrapped
  }

  @inlinable @inline(__always)
  func key(_ table: DictionaryTable, _ slot: Int) -> Key { Key.loadElement(from: keySlot(table, slot)) }

  @inlinable @inline(__always)
  func value(_ table: DictionaryTable, _ slot: Int) -> Value { Value.loadElement(from: valueSlot(table, slot)) }

  /// What a full slot's control byte says of the hash; its low bits choose the slot.
  @inlinable @inline(__always)
  static func control(_ hash: Int) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: UInt(bitPattern: hash) >> 57) }

  /// The slot of the key with this hash for which `isEqual` answers true, nil when there is none.
  @inlinable @inline(__always)
  func find(_ table: DictionaryTable, _ hash: Int, _ isEqual: (Key) -> Bool) -> Int? {
    let mask = table.mask
    let wanted = Self.control(hash)
    var slot = hash & mask
    while true {
      let control = table.control(slot)
      if control == 0 { return nil }
      if control == wanted, isEqual(key(table, slot)) { return slot }
      slot = (slot &+ 1) & mask
    }
  }

  /// Puts an entry whose key is new into a table with room.
  @inlinable
  func insert(_ key: Key, _ value: Value, _ hash: Int, into table: DictionaryTable) {
    let mask = table.mask
    var slot = hash & mask
    while table.control(slot) != 0 { slot = (slot &+ 1) & mask }
    Key.storeElement(key, at: keySlot(table, slot))
    Value.storeElement(value, at: valueSlot(table, slot))
    table.setControl(slot, Self.control(hash))
  }

  /// Empties a full slot and moves back what a search would no longer find; the value it had.
  @inlinable
  func removeEntry(_ table: DictionaryTable, _ slot: Int) -> Value {
    let removed = value(table, slot)
    let mask = table.mask
    var hole = slot
    var next = (slot &+ 1) & mask
    while table.control(next) != 0 {
      let key = key(table, next)
      let home = key.hashValue & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        Key.storeElement(key, at: keySlot(table, hole))
        Value.storeElement(value(table, next), at: valueSlot(table, hole))
        table.setControl(hole, table.control(next))
        hole = next
      }
      next = (next &+ 1) & mask
    }
    table.setControl(hole, 0)
    if Key.isManagedReference { storeReference(0, at: UInt(bitPattern: keySlot(table, hole))) }
    if Value.isManagedReference { storeReference(0, at: UInt(bitPattern: valueSlot(table, hole))) }
    setCount(count - 1)
    return removed
  }

  /// Moves all entries into a new table with room for `capacity` entries and at least twice as many slots as now.
  @inlinable
  func resize(_ capacity: Int) throws(OutOfMemory) {
    let words = UInt(bitPattern: header)
    let slots = table.map { 2 * ($0.mask + 1) } ?? 8
    let new = try Mutator.makeTable(words, leastSlots: slots, entries: capacity, Key.shape, Value.shape)
    if let old = table {
      for slot in 0...old.mask {
        if old.control(slot) != 0 {
          let key = key(old, slot)
          insert(key, value(old, slot), key.hashValue, into: new)
        }
        if slot % 4096 == 4095 { Mutator.pollCurrent(of: words) }
      }
    }
    storeReference(new.controls, at: words + 8)
    storeReference(new.keys, at: words + 16)
    storeReference(new.values, at: words + 24)
    tricolor_keep(words)
  }
}

extension Mutator {
  /// The most slots a dictionary can have: those of which the control bytes fit into an object.
  private static let mostSlots = 1 << 45

  /// An empty table for the dictionary at `dictionary`.
  @usableFromInline @inline(never)
  static func makeTable(
    _ dictionary: UInt, leastSlots: Int, entries: Int, _ keys: BufferShape, _ values: BufferShape
  ) throws(OutOfMemory) -> DictionaryTable {
    var slots = leastSlots
    while slots / 4 * 3 < entries {
      if slots == mostSlots {
        throw OutOfMemory(requestedBytes: .max, reason: "where a dictionary has at most \(mostSlots / 4 * 3) entries")
      }
      slots *= 2
    }
    let mutator = current(of: dictionary)
    let controls = try mutator.makeBytes(count: slots)
    // A buffer's first word is its number of slots, and so it is for bytes.
    let keyBuffer = try mutator.makeBuffer(keys, capacity: slots)
    let valueBuffer = try mutator.makeBuffer(values, capacity: slots)
    tricolor_keep(dictionary)
    return DictionaryTable(controls: controls.word, keys: keyBuffer, values: valueBuffer)
  }
}

extension ManagedDictionary where Key == ManagedString {
  /// The value of the key with the same UTF-8 bytes as `text`, nil when there is none. Makes no managed string.
  @inlinable
  public subscript(text: some StringProtocol) -> Value? {
    guard let table, let slot = find(text, table) else { return nil }
    return value(table, slot)
  }

  /// Removes the entry of the key with the same UTF-8 bytes as `text`; its value, nil when there was none.
  @inlinable @discardableResult
  public func removeValue(forKey text: some StringProtocol) -> Value? {
    guard let table, let slot = find(text, table) else { return nil }
    return removeEntry(table, slot)
  }

  @inlinable
  func find(_ text: some StringProtocol, _ table: DictionaryTable) -> Int? {
    ManagedString.withUTF8(of: text) { bytes in
      find(table, ManagedString.hash(of: bytes)) { $0.hasBytes(bytes) }
    }
  }
}

// MARK: Reading all

extension ManagedDictionary: Collection {
  /// The place of an entry. Any change of the dictionary ends its validity.
  @frozen public struct Index: Comparable {
    @usableFromInline let slot: Int

    @inlinable init(slot: Int) { self.slot = slot }

    /// Whether `left` comes before `right`.
    @inlinable public static func < (left: Index, right: Index) -> Bool { left.slot < right.slot }
  }

  /// The first entry's place. Linear in the number of empty slots before it.
  @inlinable public var startIndex: Index { index(atOrAfter: 0) }

  /// The place after the last entry.
  @inlinable public var endIndex: Index { Index(slot: table.map { $0.mask + 1 } ?? 0) }

  /// The place of the entry after the one at `index`. Constant time on average.
  @inlinable public func index(after index: Index) -> Index { self.index(atOrAfter: index.slot + 1) }

  @inlinable
  func index(atOrAfter start: Int) -> Index {
    guard let table else { return Index(slot: 0) }
    var slot = start
    while slot <= table.mask && table.control(slot) == 0 { slot += 1 }
    return Index(slot: slot)
  }

  /// The entry at `index`; ends the program when there is none. Constant time.
  @inlinable
  public subscript(index: Index) -> (key: Key, value: Value) {
    guard let table, index.slot >= 0, index.slot <= table.mask, table.control(index.slot) != 0 else { refuseNoEntry() }
    return (key(table, index.slot), value(table, index.slot))
  }

  /// The place of the entry of `key`, nil when there is none. Constant time on average.
  @inlinable
  public func index(forKey key: Key) -> Index? {
    guard let table, let slot = find(table, key.hashValue, { $0 == key }) else { return nil }
    return Index(slot: slot)
  }

  /// The keys, in the order of the entries; a view, which shows later changes. Constant time.
  @inlinable public var keys: Keys { Keys(dictionary: self) }

  /// The values, in the order of the entries; a view, which shows later changes. Constant time.
  @inlinable public var values: Values { Values(dictionary: self) }

  /// The keys of a dictionary.
  @frozen public struct Keys: Collection, ~BitwiseCopyable {
    @usableFromInline let dictionary: ManagedDictionary

    @inlinable init(dictionary: ManagedDictionary) { self.dictionary = dictionary }

    /// The first entry's place.
    @inlinable public var startIndex: Index { dictionary.startIndex }
    /// The place after the last entry.
    @inlinable public var endIndex: Index { dictionary.endIndex }
    /// The number of entries. Constant time.
    @inlinable public var count: Int { dictionary.count }
    /// The next entry's place.
    @inlinable public func index(after index: Index) -> Index { dictionary.index(after: index) }
    /// The key at `index`; ends the program when there is no entry.
    @inlinable public subscript(index: Index) -> Key { dictionary[index].key }
    /// Whether there is an entry of `key`. Constant time on average.
    @inlinable public func contains(_ key: Key) -> Bool { dictionary.index(forKey: key) != nil }
  }

  /// The values of a dictionary.
  @frozen public struct Values: Collection, ~BitwiseCopyable {
    @usableFromInline let dictionary: ManagedDictionary

    @inlinable init(dictionary: ManagedDictionary) { self.dictionary = dictionary }

    /// The first entry's place.
    @inlinable public var startIndex: Index { dictionary.startIndex }
    /// The place after the last entry.
    @inlinable public var endIndex: Index { dictionary.endIndex }
    /// The number of entries. Constant time.
    @inlinable public var count: Int { dictionary.count }
    /// The next entry's place.
    @inlinable public func index(after index: Index) -> Index { dictionary.index(after: index) }
    /// The value at `index`; ends the program when there is no entry.
    @inlinable public subscript(index: Index) -> Value { dictionary[index].value }
  }
}

extension ManagedDictionary: Equatable where Value: Equatable {
  /// Whether both have the same keys with equal values; `asReference` compares identity. Linear.
  @inlinable
  public static func == (left: ManagedDictionary, right: ManagedDictionary) -> Bool {
    left.header == right.header || left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
  }
}

extension ManagedDictionary: CustomStringConvertible {
  /// The entries, as `Dictionary` writes them.
  public var description: String {
    isEmpty
      ? "[:]"
      : "[" + map { "\(String(reflecting: $0.key)): \(String(reflecting: $0.value))" }.joined(separator: ", ") + "]"
  }
}

// MARK: Refusals

/// Ends the program: a key that must be new is there.
@usableFromInline @inline(never)
func refuseDuplicate(_ key: String) -> Never { fatalError("tricolor: the key \(key) comes twice") }

/// Ends the program: an index at which there is no entry.
@usableFromInline @inline(never)
func refuseNoEntry() -> Never { fatalError("tricolor: an index of a dictionary was used that is of no entry") }

/// Ends the program: a capacity below zero.
@usableFromInline @inline(never)
func refuseCapacity(_ capacity: Int) -> Never {
  fatalError("tricolor: a capacity of \(capacity); allowed is 0 and more")
}
