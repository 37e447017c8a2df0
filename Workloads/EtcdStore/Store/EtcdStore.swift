// A key store in the manner of etcd on a managed heap: everything etcd keeps on Go's heap, and the values too.
//
// A write goes the way of etcd's put: bytes from the client, decoded to a graph, marshalled for the replicated log,
// decoded again by the applier, kept; buffered marshalled once more for the backend, and sent to watchers marshalled
// for each of them. So a put makes six to eight copies of its value, of which one lives long, one for the length of the
// log, and the rest for milliseconds: the load a collector has to live with. (etcd main, server/etcdserver and
// server/storage/mvcc.)
//
// Writes are applied one at a time under the store's writer lock; readers share it, and marshal outside of it, since
// what they found is immutable. Everything before the lock and all allocation of an apply may fail for lack of memory
// without changing anything.

import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// The store. Thread-safe; every method takes the calling thread's mutator of the heap it was made on.
public final class EtcdStore: Sendable {
  let configuration: StoreConfiguration
  /// Where records are also kept, nil for nowhere. Guarded by the writer lock.
  let backing: BackingFile?
  let root: Root<StoreState>
  let lock = MutatorReadWriteLock()
  let queues = QueueLock()
  let isCompacting = Atomic<Bool>(false)
  private let requests = Atomic<Int>(0)
  /// Transactions that were applied when there was no memory left for their answer.
  let lostAnswers = Atomic<Int>(0)

  /// An empty store at revision 1, as a new etcd has.
  init(_ configuration: StoreConfiguration, backing: BackingFile? = nil, _ m: Mutator) throws(OutOfMemory) {
    self.configuration = configuration
    self.backing = backing
    root = m.root(try StoreState.make(configuration, m))
  }

  func state(_ m: Mutator) -> Reference<StoreState> { root.get(m).unsafelyUnwrapped }
}

/// What became of a transaction.
struct TransactionOutcome: Sendable {
  /// Whether its comparison held, so that it was applied.
  let succeeded: Bool
  /// The store's revision when it was done: its own, if it wrote anything.
  let revision: Int
  /// The revision that wrote the compared key last, 0 for a key that does not exist; 0 without a comparison.
  var foundModified = 0
  /// The history has grown so much that somebody should compact it.
  var compactionIsDue = false
}

extension EtcdStore {
  /// Applies the transaction whose bytes are `frame`.
  ///
  /// - Throws: `StoreError` for a request that is not allowed; `OutOfMemory`. Neither changes anything.
  func submit(_ frame: Reference<Bytes>, _ m: Mutator) throws -> TransactionOutcome {
    let trace = try Trace.begin(operation: frame.count, at: Clock.monotonic(), m)
    let received = try frame.withBytes { try Request.decode(UnsafeRawBufferPointer($0), m) }
    try received.checkKeys()
    try trace.step(.decoded, field: received.operationCount, at: Clock.monotonic(), m)

    received.id = requests.wrappingAdd(1, ordering: .relaxed).newValue
    let data = try Request.raftData(id: received.id, frame: UnsafeRawBufferPointer(frame.bytes), m)
    let entry = try m.make(RaftEntry(index: 0, term: 0, data: data))
    let request = try data.withBytes { try Request.decode(entry: UnsafeRawBufferPointer($0), m) }
    let response = try m.make(
      TransactionResponse(
        header: try m.make(ResponseHeader(cluster: 1, member: 1, revision: 0, term: RaftLog.term)), succeeded: false,
        found: nil, marshalled: nil))
    try trace.step(.proposed, field: received.id, at: Clock.monotonic(), m)

    let outcome = try lock.writing(m) {
      try apply(request, entry: entry, response, state(m), m)
    }
    do throws(OutOfMemory) {
      try answer(response, outcome, m)
    } catch {
      lostAnswers.wrappingAdd(1, ordering: .relaxed)
    }
    noteSlow(trace, m)
    return outcome
  }

  private func noteSlow(_ trace: Reference<Trace>, _ m: Mutator) {
    guard trace.isSlow(at: Clock.monotonic()) else { return }
    lock.writing(m) { state(m).slowRequests += 1 }
  }

  /// Makes the bytes that would be sent to the client.
  private func answer(
    _ response: Reference<TransactionResponse>, _ outcome: TransactionOutcome, _ m: Mutator
  ) throws(OutOfMemory) {
    response.header.unsafelyUnwrapped.revision = outcome.revision
    response.succeeded = outcome.succeeded
    guard let found = response.found else {
      response.marshalled = try m.makeBytes(count: 32)
      return
    }
    response.marshalled = try found.marshal(m)
  }
}

extension Reference where Target == Request {
  /// A transaction may write a key once.
  fileprivate func checkKeys() throws(StoreError) {
    for index in 1..<max(1, operationCount) {
      for other in 0..<index where ByteOrder.equal(operation(index).keyBytes, operation(other).keyBytes) {
        throw .duplicateKey
      }
    }
  }
}
