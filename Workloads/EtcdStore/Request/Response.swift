// What answers a request: graphs that die when the bytes made of them are sent.
//
// A range's response shares the store's immutable pairs instead of copying them, and is marshalled through one buffer
// of bounded size: a list of any length needs one page's array and one buffer, where etcd's unary range holds two to
// three times the bytes it returns.

import Harness
import Tricolor

/// The header that every response carries.
struct ResponseHeader: Managed {
  static let slot = TypeSlot()
  var cluster: Int
  var member: Int
  var revision: Int
  var term: Int
}

/// The answer to a transaction.
struct TransactionResponse: Managed {
  static let slot = TypeSlot()
  var header: Reference<ResponseHeader>?
  var succeeded: Bool
  /// What the failed comparison's key holds.
  var found: Reference<KeyValue>?
  var marshalled: Reference<Bytes>?
}

/// A page of a range.
struct RangeResponse: Managed {
  static let slot = TypeSlot()
  var header: Reference<ResponseHeader>?
  var pairs: Reference<ReferenceArray<KeyValue>>?
  var pairCount: Int
  /// Keys of the range follow that are not in the page.
  var hasMore: Bool
}

extension Reference where Target == RangeResponse {
  func pair(_ index: Int) -> Reference<KeyValue> { self.pairs.unsafelyUnwrapped[index].unsafelyUnwrapped }

  /// Adds a pair, doubling the array when it is full.
  func append(_ pair: Reference<KeyValue>, _ m: Mutator) throws(OutOfMemory) {
    let capacity = self.pairs?.count ?? 0
    if self.pairCount == capacity {
      let grown = try m.makeArray(of: KeyValue.self, count: max(1, capacity * 2))
      if let pairs = self.pairs {
        for index in 0..<self.pairCount { grown[index] = pairs[index] }
      }
      self.pairs = grown
    }
    self.pairs.unsafelyUnwrapped[self.pairCount] = pair
    self.pairCount += 1
  }
}

/// etcd's field numbers in KeyValue.
enum PairField {
  static let key: UInt64 = 1
  static let created: UInt64 = 2
  static let modified: UInt64 = 3
  static let version: UInt64 = 4
  static let value: UInt64 = 5
  static let lease: UInt64 = 6
}

extension Reference where Target == KeyValue {
  /// Bytes of the pair when marshalled.
  var marshalledBytes: Int { marshalledHeadBytes + valueBytes.count }

  /// Bytes before the value's content.
  private var marshalledHeadBytes: Int {
    Wire.bytesField(keyBytes.count) + Wire.integerField(self.created) + Wire.integerField(self.modified)
      + Wire.integerField(self.version) + Wire.integerField(self.lease)
      + (valueBytes.isEmpty ? 0 : Wire.bytesField(valueBytes.count) - valueBytes.count)
  }

  /// The pair marshalled, as one object.
  func marshal(_ m: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let marshalled = try m.makeBytes(count: marshalledBytes) { buffer in
      var writer = WireWriter(buffer)
      writeFields(&writer)
    }
    return marshalled
  }

  func writeFields(_ writer: inout WireWriter) {
    writer.bytes(PairField.key, keyBytes)
    writer.integer(PairField.created, self.created)
    writer.integer(PairField.modified, self.modified)
    writer.integer(PairField.version, self.version)
    writer.integer(PairField.lease, self.lease)
    if !valueBytes.isEmpty { writer.bytes(PairField.value, valueBytes) }
  }
}

/// Marshals pairs through a buffer of fixed size; what is full is sent, which here means counted and summed.
struct PageMarshaller {
  private var chunk: Reference<Bytes>
  /// Whether a buffer that was sent is not used again.
  private let freshChunks: Bool
  private var filled = 0
  /// Bytes sent so far, and a sum over them.
  private(set) var sentBytes = 0
  private(set) var sum: UInt64 = 0

  init(chunkBytes: Int, freshChunks: Bool = false, _ m: Mutator) throws(OutOfMemory) {
    self.freshChunks = freshChunks
    chunk = try m.makeBytes(count: chunkBytes)
  }

  mutating func append(_ pair: Reference<KeyValue>, _ m: Mutator) throws(OutOfMemory) {
    try copy(pair.keyBytes, m)
    try copyWord(pair.created, m)
    try copyWord(pair.modified, m)
    try copyWord(pair.version, m)
    try copyWord(pair.lease, m)
    try copy(pair.valueBytes, m)
  }

  mutating func finish(_ m: Mutator) throws(OutOfMemory) { try send(m) }

  private mutating func copyWord(_ word: Int, _ m: Mutator) throws(OutOfMemory) {
    let word = word.littleEndian
    try withUnsafeBytes(of: word) { (bytes) throws(OutOfMemory) in try copy(bytes, m) }
  }

  private mutating func copy(_ bytes: UnsafeRawBufferPointer, _ m: Mutator) throws(OutOfMemory) {
    var rest = bytes
    while !rest.isEmpty {
      if filled == chunk.count { try send(m) }
      let part = min(rest.count, chunk.count - filled)
      chunk.withBytes { target in
        UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + part])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<part]))
      }
      filled += part
      rest = UnsafeRawBufferPointer(rebasing: rest[part...])
    }
  }

  private mutating func send(_ m: Mutator) throws(OutOfMemory) {
    let sent = filled
    let part = chunk.withBytes { Checksum.hash(UnsafeRawBufferPointer(rebasing: $0[..<sent])) }
    sum = Checksum.combine(sum, part)
    sentBytes += sent
    filled = 0
    if freshChunks { chunk = try m.makeBytes(count: chunk.count) }
  }
}
