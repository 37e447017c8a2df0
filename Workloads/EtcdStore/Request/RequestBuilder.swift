// A client's side of a request: it says what to write, and gets the bytes that would arrive at the server, as one
// managed object.
//
// One builder serves all requests of a client: its arrays keep their capacity, so that building allocates nothing but
// the frame. Values are not passed but described, and made in the frame itself.

import Harness
import Tricolor

/// What a value's bytes are.
enum ValueSource {
  /// `count` bytes that follow from `seed`.
  case generated(seed: UInt64, count: Int)
  /// These bytes, which must stay where they are until the frame is made.
  case copied(UnsafeRawBufferPointer)

  var count: Int {
    switch self {
    case .generated(_, let count): return count
    case .copied(let bytes): return bytes.count
    }
  }

  func write(to target: UnsafeMutableRawBufferPointer) {
    switch self {
    case .copied(let bytes): target.copyMemory(from: bytes)
    case .generated(let seed, _): GeneratedValue.fill(target, seed: seed)
    }
  }
}

/// Collects a transaction and encodes it. Used by one thread at a time.
final class RequestBuilder {
  private struct Draft {
    let kind: Int
    let key: Range<Int>
    let value: ValueSource
    let lease: Int

    var messageBytes: Int {
      Wire.bytesField(key.count) + (value.count == 0 ? 0 : Wire.bytesField(value.count)) + Wire.integerField(lease)
    }
    var operationBytes: Int { Wire.bytesField(messageBytes) }
  }

  private var keys: [UInt8] = []
  private var drafts: [Draft] = []
  private var compared: (key: Range<Int>, modified: Int)? = nil
  /// Where the value of each operation lies in the last frame.
  private(set) var values: [Range<Int>] = []

  /// Begins a new transaction.
  func begin() {
    keys.removeAll(keepingCapacity: true)
    drafts.removeAll(keepingCapacity: true)
    compared = nil
  }

  /// Nothing is written unless `modified` is the revision that wrote `key` last.
  func compare(_ key: UnsafeRawBufferPointer, modified: Int) { compared = (add(key), modified) }

  func put(_ key: UnsafeRawBufferPointer, _ value: ValueSource, lease: Int = 0) {
    drafts.append(Draft(kind: OperationKind.put, key: add(key), value: value, lease: lease))
  }

  func delete(_ key: UnsafeRawBufferPointer) {
    let nothing = ValueSource.copied(UnsafeRawBufferPointer(start: nil, count: 0))
    drafts.append(Draft(kind: OperationKind.delete, key: add(key), value: nothing, lease: 0))
  }

  private func add(_ key: UnsafeRawBufferPointer) -> Range<Int> {
    keys.append(contentsOf: key)
    return keys.count - key.count..<keys.count
  }

  /// The transaction's bytes.
  func frame(_ m: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let compareBytes = compared.map { Wire.bytesField($0.key.count) + Wire.integerField($0.modified) }
    let failureBytes = compared.map { Wire.bytesField(Wire.bytesField($0.key.count)) }
    var size = drafts.reduce(0) { $0 + Wire.bytesField($1.operationBytes) }
    if let compareBytes { size += Wire.bytesField(compareBytes) }
    if let failureBytes { size += Wire.bytesField(failureBytes) }
    values.removeAll(keepingCapacity: true)
    return try m.makeBytes(count: size) { buffer in
      keys.withUnsafeBytes { keys in
        var writer = WireWriter(buffer)
        if let compared, let compareBytes {
          writer.nested(RequestField.compare, compareBytes)
          writer.bytes(RequestField.compareKey, UnsafeRawBufferPointer(rebasing: keys[compared.key]))
          writer.integer(RequestField.compareModified, compared.modified)
        }
        for draft in drafts { write(draft, keys, &writer) }
        if let compared, let failureBytes {
          writer.nested(RequestField.failure, failureBytes)
          writer.nested(RequestField.rangeOperation, Wire.bytesField(compared.key.count))
          writer.bytes(RequestField.key, UnsafeRawBufferPointer(rebasing: keys[compared.key]))
        }
      }
    }
  }

  private func write(_ draft: Draft, _ keys: UnsafeRawBufferPointer, _ writer: inout WireWriter) {
    writer.nested(RequestField.success, draft.operationBytes)
    let isPut = draft.kind == OperationKind.put
    writer.nested(isPut ? RequestField.putOperation : RequestField.deleteOperation, draft.messageBytes)
    writer.bytes(RequestField.key, UnsafeRawBufferPointer(rebasing: keys[draft.key]))
    if draft.value.count > 0 {
      let place = writer.open(RequestField.value, draft.value.count)
      values.append(place.startIndex..<place.endIndex)
      draft.value.write(to: UnsafeMutableRawBufferPointer(rebasing: place))
    } else {
      values.append(0..<0)
    }
    writer.integer(RequestField.lease, draft.lease)
  }
}

/// Values that follow from a seed: words of SplitMix, so that no two are alike and none compresses.
enum GeneratedValue {
  static func fill(_ target: UnsafeMutableRawBufferPointer, seed: UInt64) {
    var state = seed
    var offset = 0
    while offset + 8 <= target.count {
      state &+= 0x9E37_79B9_7F4A_7C15
      target.storeBytes(of: Checksum.mix(state), toByteOffset: offset, as: UInt64.self)
      offset += 8
    }
    var rest = Checksum.mix(state &+ 0x9E37_79B9_7F4A_7C15)
    while offset < target.count {
      target[offset] = UInt8(truncatingIfNeeded: rest)
      rest >>= 8
      offset += 1
    }
  }
}
