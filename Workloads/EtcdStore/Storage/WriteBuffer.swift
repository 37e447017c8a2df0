// What has been written since the last batch commit: etcd buffers marshalled pairs until 100 ms or a number of
// operations have passed, then hands them to its database. Here the database is nothing, unless there is a file: a flush forgets
// the pairs. A bound in bytes, which etcd does not have, keeps a burst of large values from filling a small container with the
// buffer alone.

import Tricolor

/// A buffered write: the revision's key bytes and the marshalled pair.
struct BufferedPair: Managed {
  static let slot = TypeSlot()
  var key: Reference<Bytes>?
  var value: Reference<Bytes>?
}

struct WriteBuffer: Managed {
  static let slot = TypeSlot()
  static let firstCapacity = 512
  static let mostPairs = 2_000
  static let mostBytes = 4 << 20
  static let mostNanoseconds: UInt64 = 100_000_000

  var pairs: Reference<ReferenceArray<BufferedPair>>?
  var pairCount = 0
  /// Bytes of their values.
  var pairBytes = 0
  var flushedAt: UInt64 = 0
  /// Batches and pairs flushed so far.
  var batches = 0
  var flushedPairs = 0
}

extension Reference where Target == BufferedPair {
  /// Writes the pair; room has been reserved.
  fileprivate func write(to file: BackingFile) {
    let key = self.key.unsafelyUnwrapped.bytes
    let main = Int(bigEndian: key.loadUnaligned(as: Int.self))
    let sub = Int(bigEndian: key.loadUnaligned(fromByteOffset: 9, as: Int.self))
    file.write(main: main, sub: sub, UnsafeRawBufferPointer(self.value.unsafelyUnwrapped.bytes))
  }
}

extension Reference where Target == WriteBuffer {
  /// Makes room for `count` more pairs.
  func reserve(_ count: Int, _ m: Mutator) throws(OutOfMemory) {
    let capacity = self.pairs?.count ?? 0
    if self.pairCount + count <= capacity { return }
    var larger = max(WriteBuffer.firstCapacity, capacity)
    while larger < self.pairCount + count { larger *= 2 }
    let grown = try m.makeArray(of: BufferedPair.self, count: larger)
    if let pairs = self.pairs {
      for index in 0..<self.pairCount { grown[index] = pairs[index] }
    }
    self.pairs = grown
  }

  /// Adds a pair; `reserve` has made room.
  func append(_ pair: Reference<BufferedPair>) {
    self.pairs.unsafelyUnwrapped[self.pairCount] = pair
    self.pairCount += 1
    self.pairBytes += pair.value?.count ?? 0
  }

  /// Hands the batch over if it is large or old enough.
  func flushIfDue(to file: BackingFile?, at now: UInt64) {
    guard
      self.pairCount >= WriteBuffer.mostPairs || self.pairBytes >= WriteBuffer.mostBytes
        || now &- self.flushedAt >= WriteBuffer.mostNanoseconds
    else { return }
    flush(to: file, at: now)
  }

  /// Hands the batch over.
  func flush(to file: BackingFile?, at now: UInt64) {
    if let file {
      for index in 0..<self.pairCount { self.pairs.unsafelyUnwrapped[index].unsafelyUnwrapped.write(to: file) }
    }
    self.batches += 1
    self.flushedPairs += self.pairCount
    self.flushedAt = now
    self.pairCount = 0
    self.pairBytes = 0
    self.pairs = nil
  }
}
