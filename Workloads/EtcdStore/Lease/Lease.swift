// A lease and the keys that hang on it: when it ends, they are deleted.
//
// The keys are a hash set of their own, because a put that changes a key's lease must find the key in the old one.

import Harness
import Tricolor

/// A lease.
struct Lease: Managed {
  static let slot = TypeSlot()
  var id: Int
  /// How long it lives after a grant or renewal, and when it ends, on its session's clock.
  var lifetime: Int
  var expiry: Int
  /// The session whose clock it ends by, and its place in that session's queue.
  var session: Int
  var place: Int
  var items: Reference<LeaseItems>?
  var nextInBucket: Reference<Lease>?
}

/// A key in a lease's set.
struct LeaseItem: Managed {
  static let slot = TypeSlot()
  var keyHash: UInt64
  var key: Reference<Bytes>?
  var next: Reference<LeaseItem>?
}

/// The set of keys on one lease: chained buckets that double when it is full.
struct LeaseItems: Managed {
  static let slot = TypeSlot()
  static let firstBuckets = 8
  var buckets: Reference<ReferenceArray<LeaseItem>>?
  var itemCount: Int
}

extension LeaseItems {
  static func make(_ m: Mutator) throws(OutOfMemory) -> Reference<LeaseItems> {
    try m.make(LeaseItems(buckets: try m.makeArray(of: LeaseItem.self, count: firstBuckets), itemCount: 0))
  }
}

extension Reference where Target == LeaseItems {
  private func bucket(_ hash: UInt64) -> Int { Int(hash & UInt64(self.buckets.unsafelyUnwrapped.count - 1)) }

  /// Adds `new` unless its key is in the set.
  func insert(_ new: Reference<LeaseItem>) {
    let table = self.buckets.unsafelyUnwrapped
    let index = bucket(new.keyHash)
    var next = table[index]
    while let item = next {
      if item.keyHash == new.keyHash && item.holds(new.keyBytes) { return }
      next = item.next
    }
    new.next = table[index]
    table[index] = new
    self.itemCount += 1
  }

  /// Takes the key out; false when it is not in the set.
  @discardableResult
  func remove(_ key: UnsafeRawBufferPointer) -> Bool {
    let table = self.buckets.unsafelyUnwrapped
    let hash = Checksum.hash(key)
    let index = bucket(hash)
    var previous: Reference<LeaseItem>? = nil
    var next = table[index]
    while let item = next {
      next = item.next
      if item.keyHash == hash && item.holds(key) {
        if let previous { previous.next = next } else { table[index] = next }
        self.itemCount -= 1
        return true
      }
      previous = item
    }
    return false
  }

  /// Makes room for one more without long chains.
  func reserve(_ m: Mutator) throws(OutOfMemory) {
    let table = self.buckets.unsafelyUnwrapped
    guard self.itemCount >= table.count else { return }
    let grown = try m.makeArray(of: LeaseItem.self, count: table.count * 2)
    for index in 0..<table.count {
      var next = table[index]
      while let item = next {
        next = item.next
        let place = Int(item.keyHash & UInt64(grown.count - 1))
        item.next = grown[place]
        grown[place] = item
      }
    }
    self.buckets = grown
  }

  /// The keys, in byte order.
  func sortedKeys(_ m: Mutator) throws(OutOfMemory) -> Reference<ReferenceArray<Bytes>> {
    let keys = try m.makeArray(of: Bytes.self, count: self.itemCount)
    var count = 0
    let table = self.buckets.unsafelyUnwrapped
    for index in 0..<table.count {
      var next = table[index]
      while let item = next {
        keys[count] = item.key
        count += 1
        next = item.next
      }
    }
    keys.sortBytes()
    return keys
  }
}

extension Reference where Target == LeaseItem {
  var keyBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self.key.unsafelyUnwrapped.bytes) }
  func holds(_ other: UnsafeRawBufferPointer) -> Bool { ByteOrder.equal(keyBytes, other) }
}

extension Reference where Target == ReferenceArray<Bytes> {
  /// Sorts an array without nil slots in place by byte order: a heap sort, which needs no memory.
  func sortBytes() {
    var start = count / 2 - 1
    while start >= 0 {
      sink(start, end: count)
      start -= 1
    }
    var end = count - 1
    while end > 0 {
      swapSlots(0, end)
      sink(0, end: end)
      end -= 1
    }
  }

  private func sink(_ start: Int, end: Int) {
    var parent = start
    while parent * 2 + 1 < end {
      var larger = parent * 2 + 1
      if larger + 1 < end && precedes(larger, larger + 1) { larger += 1 }
      if !precedes(parent, larger) { return }
      swapSlots(parent, larger)
      parent = larger
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    ByteOrder.compare(
      UnsafeRawBufferPointer(self[left].unsafelyUnwrapped.bytes),
      UnsafeRawBufferPointer(self[right].unsafelyUnwrapped.bytes)) < 0
  }

  private func swapSlots(_ left: Int, _ right: Int) {
    let kept = self[left]
    self[left] = self[right]
    self[right] = kept
  }
}
