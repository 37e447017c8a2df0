// The process of the store ends and starts again: everything on the heap goes, and the file's records are read.
//
// The clients' ends of the watches are given all they should have had first; they begin anew from the next write on.

import Harness
import Tricolor
import TricolorPlatform

/// What a restart did.
struct RestartReport: Sendable {
  let nanoseconds: UInt64
  let records: Int
  let keys: Int
  let fileBytes: Int

  var json: JSONValue {
    [
      "nanoseconds": .unsigned(nanoseconds), "records": .integer(records), "keys": .integer(keys),
      "fileBytes": .integer(fileBytes),
    ]
  }
}

/// What a store counts and a restart would forget.
struct StoreCounts: Sendable {
  var compactions = 0
  var batches = 0
  var expiredLeases = 0
  var slowRequests = 0
  var victims = 0
  var cancellations = 0
  var watchersWithWrongCount = 0
}

extension WorkDriver {
  /// Stops the store and makes it anew from its file. Clients do not run.
  ///
  /// - Throws: `OutOfMemory` where a hard limit has no room for what is read; `PlatformError`.
  func restart() throws {
    stopSender()
    let file = context.heap.withMutator { m in
      drain(m)
      keepCounts(m)
      store.stop(m)
      return store.backing
    }
    guard let file else { preconditionFailure("a restart needs a file, which the options make sure of") }
    context.heap.collect()
    let began = Clock.monotonic()
    try context.heap.withMutator { m in
      let (recovered, records) = try EtcdStore.recovered(from: file, options.storeConfiguration, m)
      store = recovered
      restarts.append(
        RestartReport(
          nanoseconds: Clock.monotonic() - began, records: records, keys: recovered.state(m).keys.keyCount,
          fileBytes: file.fileBytes))
      try WorkDriver.setUpWatchers(options, recovered, m)
    }
    for partition in partitions { partition.restartList() }
    try startSender()
  }

  private func keepCounts(_ m: Mutator) {
    let state = store.state(m)
    past.compactions += state.compactions
    past.batches += state.batch.batches
    past.expiredLeases += state.expiredLeases
    past.slowRequests += state.slowRequests
    past.victims += state.watches.victims
    past.cancellations += state.watches.cancellations
    past.watchersWithWrongCount += wrongWatchers(m)
  }
}
