// A transaction as an object graph: what decoding a request's bytes leaves on the heap for the milliseconds it lives.
//
// As in etcd it exists twice, decoded once from what the client sent and once from the replicated log, with its own
// copy of key and value each time; the second is the one the store keeps.

import Tricolor

/// A transaction: an optional comparison of one key's revision, and what to write if it holds.
struct Request: Managed {
  static let slot = TypeSlot()
  /// As etcd's --max-txn-ops.
  static let mostOperations = 128
  var id: Int
  /// Nil when nothing is compared.
  var compareKey: Reference<Bytes>?
  /// The revision that must have written it last; 0 for a key that must not exist.
  var compareModified: Int
  var operations: Reference<ReferenceArray<Operation>>?
}

enum OperationKind {
  static let put = 0
  static let delete = 1
}

/// One write of a transaction, and what applying it has prepared.
struct Operation: Managed {
  static let slot = TypeSlot()
  var kind: Int
  var lease: Int
  var key: Reference<Bytes>?
  var value: Reference<Bytes>?
  /// Filled by the store before it commits: the key's index, its value before and after, the item of its lease, the
  /// buffered pair.
  var index: Reference<KeyIndex>?
  var before: Reference<KeyValue>?
  var after: Reference<KeyValue>?
  var leaseItem: Reference<LeaseItem>?
  var buffered: Reference<BufferedPair>?
}

extension Reference where Target == Operation {
  var keyBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self.key.unsafelyUnwrapped.bytes) }
}

extension Reference where Target == Request {
  var operationCount: Int { self.operations.unsafelyUnwrapped.count }
  func operation(_ index: Int) -> Reference<Operation> { self.operations.unsafelyUnwrapped[index].unsafelyUnwrapped }
}

/// etcd's field numbers: TxnRequest, Compare, RequestOp, PutRequest, DeleteRangeRequest, RangeRequest,
/// InternalRaftRequest.
enum RequestField {
  static let compare: UInt64 = 1
  static let success: UInt64 = 2
  static let failure: UInt64 = 3
  static let compareKey: UInt64 = 3
  static let compareModified: UInt64 = 6
  static let rangeOperation: UInt64 = 1
  static let putOperation: UInt64 = 2
  static let deleteOperation: UInt64 = 3
  static let key: UInt64 = 1
  static let value: UInt64 = 2
  static let lease: UInt64 = 3
  static let raftID: UInt64 = 1
  static let raftTransaction: UInt64 = 6
}

extension Request {
  /// Decodes a transaction from `frame`.
  ///
  /// - Throws: `StoreError` when the bytes are none or break a rule; `OutOfMemory`.
  static func decode(_ frame: UnsafeRawBufferPointer, _ m: Mutator) throws -> Reference<Request> {
    let count = try countOperations(frame)
    guard count >= 1 && count <= mostOperations else { throw StoreError.tooManyOperations(count) }
    let operations = try m.makeArray(of: Operation.self, count: count)
    let request = try m.make(Request(id: 0, compareKey: nil, compareModified: 0, operations: operations))
    var reader = WireReader(frame)
    var index = 0
    while try reader.next() {
      switch reader.field {
      case RequestField.compare: try decodeCompare(reader.inner, into: request, m)
      case RequestField.success:
        operations[index] = try decodeOperation(reader.inner, m)
        index += 1
      default: continue
      }
    }
    return request
  }

  /// Decodes the transaction in the data of a log entry.
  static func decode(entry: UnsafeRawBufferPointer, _ m: Mutator) throws -> Reference<Request> {
    var reader = WireReader(entry)
    var id = 0
    while try reader.next() {
      if reader.field == RequestField.raftID { id = reader.integer }
      if reader.field == RequestField.raftTransaction {
        let request = try decode(reader.content, m)
        request.id = id
        return request
      }
    }
    throw StoreError.malformedRequest(offset: entry.count)
  }

  /// The data of a log entry for the transaction in `frame`.
  static func raftData(id: Int, frame: UnsafeRawBufferPointer, _ m: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let size = Wire.integerField(id) + Wire.bytesField(frame.count)
    return try m.makeBytes(count: size) { buffer in
      var writer = WireWriter(buffer)
      writer.integer(RequestField.raftID, id)
      writer.bytes(RequestField.raftTransaction, frame)
    }
  }

  private static func countOperations(_ frame: UnsafeRawBufferPointer) throws(StoreError) -> Int {
    var reader = WireReader(frame)
    var count = 0
    while try reader.next() {
      if reader.field == RequestField.success { count += 1 }
    }
    return count
  }

  private static func decodeCompare(_ message: WireReader, into request: Reference<Request>, _ m: Mutator) throws {
    var reader = message
    while try reader.next() {
      switch reader.field {
      case RequestField.compareKey: request.compareKey = try m.makeBytes(copying: reader.content)
      case RequestField.compareModified: request.compareModified = reader.integer
      default: continue
      }
    }
  }

  private static func decodeOperation(_ message: WireReader, _ m: Mutator) throws -> Reference<Operation> {
    let operation = try m.make(
      Operation(
        kind: OperationKind.put, lease: 0, key: nil, value: nil, index: nil, before: nil, after: nil, leaseItem: nil,
        buffered: nil))
    var outer = message
    guard try outer.next() else { throw StoreError.emptyKey }
    operation.kind = outer.field == RequestField.deleteOperation ? OperationKind.delete : OperationKind.put
    var reader = outer.inner
    while try reader.next() {
      switch reader.field {
      case RequestField.key: operation.key = try m.makeBytes(copying: reader.content)
      case RequestField.value: operation.value = try m.makeBytes(copying: reader.content)
      case RequestField.lease: operation.lease = reader.integer
      default: continue
      }
    }
    guard let key = operation.key, key.count > 0 else { throw StoreError.emptyKey }
    if operation.kind == OperationKind.put && operation.value == nil {
      operation.value = try m.makeBytes(count: 0)
    }
    return operation
  }
}
