// What a placement driver keeps of a region, as objects on the managed heap: immutable, as in PD (TiKV's placement driver). A heartbeat is decoded into
// all new objects, which take the old ones' place; those die when nothing refers to them any more, at the age of a heartbeat's period.
//
// A heartbeat is 67 objects, 4.1 KiB, of which seven, a third of a KiB, live on: what PD needed for one is 60 to 87 allocations of 4.0 to
// 5.8 KB (tikv/pd pull request 5692).

import Glibc
import Harness
import Tricolor

struct Peer: Managed {
  static let slot = TypeSlot()
  var id: UInt64
  var store: Int32
  var isLeader: Bool
  var pendingBytes: Int
  var applied: UInt64
  var downSeconds: Int
  var term: Int
}

struct Region: Managed {
  static let slot = TypeSlot()
  var number: UInt32
  var epoch: UInt32
  var configuration: UInt32
  var term: UInt32
  var version: UInt64
  var sizeMiB: Int
  /// KiB a second, as the peers' reports add up.
  var flow: Int
  var keys: Int
  var interval: Int
  var startKey: Reference<Bytes>?
  var endKey: Reference<Bytes>?
  var peers: Reference<ReferenceArray<Peer>>?
  var leader: Reference<Peer>?
}

/// What a heartbeat says of a part of a region's flow; a list of them comes with each.
struct FlowReport: Managed {
  static let slot = TypeSlot()
  static let reports = 60
  var store: Int32
  var kind: Int32
  var bytes: Int
  var keys: Int
  var queries: Int
  var window: InlineArray<3, Int> = [0, 0, 0]
  var next: Reference<FlowReport>?
}

/// A region with much flow, by a moving average; as PD's cache of such regions it keeps an old object of the region alive.
struct HotRegion: Managed {
  static let slot = TypeSlot()
  var number: UInt32
  var hits: UInt32
  var average: Int
  var region: Reference<Region>?
}

/// Keys of regions: a number in hexadecimal, and so many bytes after it that keys are 24 to 40 bytes long. They are in the numbers' order.
enum RegionKey {
  private static let digits = 16
  static let most = 40

  static func count(_ number: UInt64) -> Int { 24 + Int(Checksum.mix(number) % 17) }

  /// Writes the key of `number` to the first `count(number)` bytes.
  static func write(_ number: UInt64, to bytes: UnsafeMutableRawBufferPointer) {
    let suffix = Checksum.mix(number)
    for place in 0..<count(number) {
      let nibble =
        place < digits ? UInt8(number >> UInt64(4 * (digits - 1 - place)) & 15) : UInt8(suffix >> UInt64(place) & 15)
      bytes[place] = nibble + (nibble < 10 ? 48 : 87)
    }
  }

  static func make(_ number: UInt64, onNode node: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let key = try mutator.makeBytes(count: count(number), onNode: node)
    key.withBytes { write(number, to: $0) }
    return key
  }

  /// Runs `body` with the bytes of a key that is on no heap.
  static func with<R>(_ number: UInt64, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    withUnsafeTemporaryAllocation(byteCount: most, alignment: 8) { bytes in
      write(number, to: bytes)
      return body(UnsafeRawBufferPointer(rebasing: bytes[0..<count(number)]))
    }
  }
}

extension Reference where Target == Bytes {
  /// Whether these bytes come after `other`, in the order of dictionaries.
  func isAfter(_ other: UnsafeRawBufferPointer) -> Bool {
    withBytes { bytes in
      let common = memcmp(bytes.baseAddress!, other.baseAddress!, Swift.min(bytes.count, other.count))
      return common == 0 ? bytes.count > other.count : common > 0
    }
  }

  func holds(_ number: UInt64) -> Bool {
    RegionKey.with(number) { key in withBytes { $0.elementsEqual(key) } }
  }
}

extension Reference where Target == Region {
  /// Whether the region's keys are around `key`.
  func covers(_ key: UnsafeRawBufferPointer) -> Bool { !self.startKey!.isAfter(key) && self.endKey!.isAfter(key) }

  func hasPeer(on store: Int) -> Bool {
    let peers = self.peers!
    return (0..<peers.count).contains { Int(peers[$0]!.store) == store }
  }
}
