// The raft log of a node's stores, as far as memory goes: entries of 4 KiB that a placement driver's node has allocated are read by the leader's
// node and appended to memory of its own, with a checksum. What that costs where the two are not one node is what placing leaders is for.
//
// On made-up nodes an append takes what it takes, and beside it stands what reading the entry from another node would add: its lines of 64
// bytes, times what one takes from the own node, times the penalty less one. Nothing sleeps. On real nodes the time that passes has it in it.
//
// Invariant of a list: `first` to `last` by `next` are `count` entries in the order they were posted.

import Harness
import Histogram
import Tricolor
import TricolorPlatform

struct LogEntry: Managed {
  static let slot = TypeSlot()
  static let bytes = 4096
  var region: UInt32
  var checksum: UInt64
  var payload: Reference<Bytes>?
  var next: Reference<LogEntry>? = nil

  /// An entry on node `node` with content that follows from `seed`.
  static func make(
    region: Int, seed: UInt64, onNode node: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<LogEntry> {
    let payload = try mutator.makeBytes(count: bytes, onNode: node)
    let checksum = payload.withBytes { bytes in
      for word in 0..<bytes.count / 8 {
        bytes.storeBytes(of: seed &+ UInt64(word) &* 0x9E37_79B9_7F4A_7C15, toByteOffset: 8 * word, as: UInt64.self)
      }
      return Checksum.hash(UnsafeRawBufferPointer(bytes))
    }
    return try mutator.make(LogEntry(region: UInt32(region), checksum: checksum, payload: payload), onNode: node)
  }
}

/// Entries on the way from one node to another.
struct EntryList: Managed {
  static let slot = TypeSlot()
  var count = 0
  var first: Reference<LogEntry>? = nil
  var last: Reference<LogEntry>? = nil
}

extension Reference where Target == EntryList {
  func add(_ entry: Reference<LogEntry>) {
    if let last = self.last { last.next = entry } else { self.first = entry }
    self.last = entry
    self.count += 1
  }

  /// The oldest entry, cut off from those that follow it: a stale word on a stack would keep all of them.
  func take() -> Reference<LogEntry>? {
    guard let first = self.first else { return nil }
    self.first = first.next
    first.next = nil
    if self.first == nil { self.last = nil }
    self.count -= 1
    return first
  }
}

/// What appends cost on a node.
struct AppendCosts {
  /// Nanoseconds that passed, by whether the entry came from the node's own memory.
  private(set) var local = Latencies.empty()
  private(set) var remote = Latencies.empty()
  private(set) var localNanoseconds: UInt64 = 0
  private(set) var remoteNanoseconds: UInt64 = 0
  /// Nanoseconds that other nodes' memory would have added, where nodes are made up.
  private(set) var modelledNanoseconds = 0.0

  var count: Int { Int(local.totalCount + remote.totalCount) }
  var remoteCount: Int { Int(remote.totalCount) }

  mutating func add(_ nanoseconds: UInt64, isLocal: Bool, modelled: Double) {
    if isLocal {
      _ = local.record(min(nanoseconds, Latencies.largest))
      localNanoseconds += nanoseconds
    } else {
      _ = remote.record(min(nanoseconds, Latencies.largest))
      remoteNanoseconds += nanoseconds
    }
    modelledNanoseconds += modelled
  }

  mutating func add(_ other: AppendCosts) {
    local.add(other.local)
    remote.add(other.remote)
    localNanoseconds += other.localNanoseconds
    remoteNanoseconds += other.remoteNanoseconds
    modelledNanoseconds += other.modelledNanoseconds
  }

  /// By how much an append costs more than if all entries had been local: medians of local and remote ones by their shares over the median of
  /// local ones, less one. On made-up nodes what passed is the same for both, and what was modelled comes on top. Nil where nothing was local.
  func increase(isSimulated: Bool) -> Double? {
    if isSimulated {
      var all = local
      all.add(remote)
      return count > 0 ? modelledNanoseconds / Double(count) / AppendCosts.median(all) : nil
    }
    guard local.totalCount > 0 else { return nil }
    if remote.totalCount == 0 { return 0 }
    return Double(remoteCount) / Double(count) * (AppendCosts.median(remote) / AppendCosts.median(local) - 1)
  }

  /// At least a nanosecond.
  private static func median(_ histogram: Histogram<UInt64>) -> Double {
    Double(max(1, histogram.valueAtPercentile(50)))
  }
}

/// The last entries appended on a node. Used by one thread at a time.
final class NodeLog: Sendable {
  private static let segmentBytes = 1 << 20
  private static let segments = 8
  private static let lineBytes = 64

  private let node: Int
  private let nodes: NodeMap
  private let lineNanoseconds: Double
  private let ring: Root<ReferenceArray<Bytes>>
  nonisolated(unsafe) private var segment = 0
  nonisolated(unsafe) private var used = 0
  nonisolated(unsafe) private(set) var costs = AppendCosts()
  /// Sum of the checksums of all entries, as read here, and entries that were not what they should be.
  nonisolated(unsafe) private(set) var sum: UInt64 = 0
  nonisolated(unsafe) private(set) var faults = 0

  init(node: Int, nodes: NodeMap, lineNanoseconds: Double, _ mutator: Mutator) throws(OutOfMemory) {
    self.node = node
    self.nodes = nodes
    self.lineNanoseconds = lineNanoseconds
    let ring = try mutator.makeArray(of: Bytes.self, count: NodeLog.segments, onNode: nodes.numbers[node])
    ring[0] = try mutator.makeBytes(count: NodeLog.segmentBytes, onNode: nodes.numbers[node])
    self.ring = mutator.root(ring)
  }

  /// Appends an entry; how long that took.
  func append(_ entry: Reference<LogEntry>, _ mutator: Mutator) throws(OutOfMemory) -> UInt64 {
    let target = try room(mutator)
    let payload = entry.payload!
    let offset = used
    let began = Clock.monotonic()
    let checksum = target.withBytes { target in
      payload.withBytes { payload in
        (target.baseAddress! + offset).copyMemory(from: payload.baseAddress!, byteCount: payload.count)
        return Checksum.hash(UnsafeRawBufferPointer(start: target.baseAddress! + offset, count: payload.count))
      }
    }
    let took = Clock.monotonic() - began
    used += LogEntry.bytes
    sum &+= checksum
    if checksum != entry.checksum { faults += 1 }
    let home = nodes.node(of: payload, mutator) ?? node
    costs.add(took, isLocal: home == node, modelled: modelled(readingFrom: home))
    return took
  }

  func modelled(readingFrom home: Int) -> Double {
    guard nodes.isSimulated else { return 0 }
    return Double(LogEntry.bytes / NodeLog.lineBytes) * lineNanoseconds * (nodes.penalties[node][home] - 1)
  }

  /// The segment with room for an entry; a full one is followed by a new one in the place of the oldest.
  private func room(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let ring = self.ring.get(mutator)!
    if used + LogEntry.bytes > NodeLog.segmentBytes {
      segment = (segment + 1) % NodeLog.segments
      used = 0
      ring[segment] = try mutator.makeBytes(count: NodeLog.segmentBytes, onNode: nodes.numbers[node])
    }
    return ring[segment]!
  }
}
