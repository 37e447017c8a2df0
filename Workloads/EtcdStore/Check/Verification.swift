// The check at the end: the whole store against all shadows, in both directions.
//
// Every key of the index is walked in order; each must be in exactly one shadow with the same value, lease, version and
// revisions; and since all keys of the store are different, shadows that hold more entries than were found have lost
// keys.

import Harness
import Tricolor

/// What a comparison of the store with its shadows found. All counts are of keys.
struct Verification: Sendable, Equatable {
  var keys = 0
  /// In both, but not the same.
  var wrongValues = 0
  var wrongVersions = 0
  var wrongRevisions = 0
  /// In the store only, and in a shadow only.
  var extra = 0
  var missing = 0
  /// Keys of the index that do not come after the one before.
  var misplaced = 0
  /// The index counts other keys than a walk finds.
  var miscounted = 0
  /// Bytes of all live values.
  var valueBytes = 0
  /// Over keys, values, versions and leases in key order, but not over revisions, which depend on the order in which
  /// threads come.
  var checksum: UInt64 = 0

  var holds: Bool {
    wrongValues + wrongVersions + wrongRevisions + extra + missing + misplaced + miscounted == 0
  }
}

extension EtcdStore {
  /// Compares every live key with `shadows`. No one else may use the store meanwhile.
  func verify(against shadows: [Partition], _ m: Mutator) -> Verification {
    var result = Verification()
    let tree = state(m).keys
    var previous: Reference<Bytes>? = nil
    var visited = 0
    tree.ascend(from: UnsafeRawBufferPointer(start: nil, count: 0)) { index in
      visited += 1
      if let previous, ByteOrder.compare(UnsafeRawBufferPointer(previous.bytes), index.keyBytes) >= 0 {
        result.misplaced += 1
      }
      previous = index.key
      if let pair = index.current { compare(pair, with: shadows, into: &result) }
      m.poll()
      return true
    }
    result.miscounted = abs(visited - tree.keyCount)
    let known = shadows.reduce(0) { $0 + $1.shadow.count }
    result.missing = max(0, known - (result.keys - result.extra))
    return result
  }

  private func compare(_ pair: Reference<KeyValue>, with shadows: [Partition], into result: inout Verification) {
    let key = ShadowTable.hash(pair.keyBytes)
    let content = ShadowTable.content(value: Checksum.hash(pair.valueBytes), lease: pair.lease)
    result.keys += 1
    result.valueBytes += pair.valueBytes.count
    for part in [key, content, UInt64(pair.version)] { result.checksum = Checksum.combine(result.checksum, part) }
    guard let expected = entry(key, in: shadows) else {
      result.extra += 1
      return
    }
    if expected.content != content { result.wrongValues += 1 }
    if Int(expected.version) != pair.version { result.wrongVersions += 1 }
    if expected.modified != pair.modified || expected.created != UInt32(truncatingIfNeeded: pair.created) {
      result.wrongRevisions += 1
    }
  }

  /// What the shadows know of a key: most are in the one their hash says, events in that of the client that made them.
  private func entry(_ key: UInt64, in shadows: [Partition]) -> ShadowEntry? {
    for step in 0..<shadows.count {
      if let entry = shadows[(Partition.home(of: key, among: shadows.count) + step) % shadows.count].shadow[key] {
        return entry
      }
    }
    return nil
  }
}
