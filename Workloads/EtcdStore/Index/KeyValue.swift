// What the store keeps for one revision of a key: immutable once committed, so readers, watchers and lists share it.
//
// A real etcd keeps values in a memory-mapped file and copies them at every read. Here they live on the managed heap,
// held by the revision records of the index and of the log: compaction drops those records, and the collector finds out
// who else still reads.

import Tricolor

/// One revision of a key. A deletion is one without value and with version 0.
struct KeyValue: Managed {
  static let slot = TypeSlot()
  var key: Reference<Bytes>?
  var value: Reference<Bytes>?
  /// The revision that created the key, and the one that wrote this.
  var created: Int
  var modified: Int
  /// 1 for the first write after creation; 0 for a deletion.
  var version: Int
  /// The lease it hangs on, 0 for none.
  var lease: Int
}

/// A place in the history of a key: its revision (transaction, then place in the transaction) and what was written.
struct RevisionRecord: Managed {
  static let slot = TypeSlot()
  var main: Int
  var sub: Int
  var pair: Reference<KeyValue>?
}

extension Reference where Target == KeyValue {
  var isDeletion: Bool { self.version == 0 }
  var keyBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self.key.unsafelyUnwrapped.bytes) }
  /// Empty for a deletion.
  var valueBytes: UnsafeRawBufferPointer {
    if let value { return UnsafeRawBufferPointer(value.bytes) }
    return UnsafeRawBufferPointer(start: nil, count: 0)
  }
  /// Bytes of key and value.
  var contentBytes: Int { keyBytes.count + valueBytes.count }
  /// Bytes of value and record, as the history is accounted in.
  var footprint: Int { valueBytes.count + 96 }
}
