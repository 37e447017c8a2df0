// The root object of a store: everything else on the managed heap hangs on it, and it hangs on the store's one `Root`.

import Tricolor

struct StoreState: Managed {
  static let slot = TypeSlot()
  var tree: Reference<KeyTree>?
  var log: Reference<RevisionLog>?
  var raft: Reference<RaftLog>?
  var buffer: Reference<WriteBuffer>?
  var lessor: Reference<Lessor>?
  var hub: Reference<WatchHub>?
  var revision = 1
  /// Reads below it are refused.
  var compacted = 0
  /// Bytes of all keys and values there are now.
  var pairBytes = 0
  /// Bytes that the next compaction could free: superseded values, deleted ones and deletions.
  var historyBytes = 0
  /// A revision that half of `historyBytes` lies behind, 0 while there is not that much.
  var halfway = 0
  var compactions = 0
  var expiredLeases = 0
  var slowRequests = 0
}

/// What a store is made with.
struct StoreConfiguration: Sendable {
  /// Log entries kept in memory.
  var raftRetain = 1_000
  /// Sessions that may grant leases.
  var sessions = 1
  var streams = 1
  var watchers = 16
  /// How many of the streams have a client that takes `slowDelay` nanoseconds over an event.
  var slowStreams = 0
  var slowDelay: UInt64 = 20_000_000
  /// Bytes of history that make a compaction due.
  var historyBytes = 16 << 20
  /// The buffer that lists are marshalled through.
  var chunkBytes = 64 << 10
}

extension StoreState {
  static func make(_ configuration: StoreConfiguration, _ m: Mutator) throws(OutOfMemory) -> Reference<StoreState> {
    let state = try m.make(StoreState())
    state.tree = try m.make(KeyTree())
    state.log = try m.make(RevisionLog())
    state.raft = try RaftLog.make(retain: configuration.raftRetain, m)
    state.buffer = try m.make(WriteBuffer())
    state.lessor = try Lessor.make(sessions: configuration.sessions, m)
    state.hub = try WatchHub.make(
      streams: configuration.streams, watchers: configuration.watchers, slowStreams: configuration.slowStreams,
      slowDelay: configuration.slowDelay, m)
    return state
  }
}

extension Reference where Target == StoreState {
  var keys: Reference<KeyTree> { self.tree.unsafelyUnwrapped }
  var history: Reference<RevisionLog> { self.log.unsafelyUnwrapped }
  var entries: Reference<RaftLog> { self.raft.unsafelyUnwrapped }
  var batch: Reference<WriteBuffer> { self.buffer.unsafelyUnwrapped }
  var leases: Reference<Lessor> { self.lessor.unsafelyUnwrapped }
  var watches: Reference<WatchHub> { self.hub.unsafelyUnwrapped }
}
