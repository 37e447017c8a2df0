// A soak: the etcd-like store for as long as one likes, while threads come and go, settings change and cycles are forced. It
// shows what only time shows: memory, mappings or descriptors that grow, and damage that takes many cycles to be made.
//
// The store is the workload of `tricolor run etcd`, with its own check at the end; its client threads last for one turn. What lives is
// bounded: keys are given, events end with their leases, history is compacted. So whatever grows is a leak.

import EtcdStore
import Harness
import Tricolor
import TricolorPacing
import TricolorPlatform

/// What a soak works with.
struct SoakOptions: Sendable {
  /// How long, with loading.
  var nanoseconds: UInt64 = 3_600_000_000_000
  var seed = RunRequest.defaultSeed
  var threads = 2
  /// Operations a second of all clients together; nil for as many as they can. Early and late are compared under one load, else the
  /// verdict would be about the machine: how many blocks are in use follows from the rate.
  var rate: Int? = 8_000
  /// The memory limit of samples, in bytes; between them it is from five eighths of it to twice as much.
  var limitBytes = 256 << 20
  var showsProgress = false
  var store = EtcdStoreOptions()

  private static let longestInterval: UInt64 = 10_000_000_000
  private static let shortestInterval: UInt64 = 250_000_000

  /// Nanoseconds between samples: a 360th of the time, within bounds.
  var interval: UInt64 { min(SoakOptions.longestInterval, max(SoakOptions.shortestInterval, nanoseconds / 360)) }

  /// Rounds are so short that a sixth of the time, which is judged, has several.
  fileprivate var relayedStore: EtcdStoreOptions {
    var store = self.store
    store.relays = true
    store.roundNanoseconds = min(store.roundNanoseconds, nanoseconds / 30)
    return store
  }
}

/// One soak.
final class Soak: Sendable {
  private let options: SoakOptions
  private let context: RunContext
  private let controller: Controller
  private let visitors: Visitors

  /// - Parameter settings: the heap's; limit and `GOGC` are the controller's to choose.
  /// - Throws: `HeapError`.
  init(_ options: SoakOptions, settings: Settings = Settings()) throws(HeapError) {
    var settings = settings
    settings.memoryLimit = .bytes(Int64(options.limitBytes))
    let heap = try Heap(configuration: .init(settings: settings))
    self.options = options
    context = RunContext(
      heap: heap, threads: options.threads, seed: options.seed, extent: .nanoseconds(options.nanoseconds),
      kinds: EtcdStoreWorkload.kinds, rate: options.rate)
    controller = Controller(context, options)
    visitors = Visitors(heap, seed: ~options.seed)
  }

  /// Runs until the time is up or the user interrupts, and reports.
  ///
  /// - Parameter onFaults: called on a thread of its own when the heap is found broken, with the report until then. The
  ///   store works on, on a heap that is not to be trusted: whoever can, ends the process.
  /// - Throws: `PlatformError` when threads or samples cannot be had; `OutOfMemory`.
  func run(onFaults: @escaping @Sendable (SoakReport) -> Void) throws -> SoakReport {
    let helpers = [
      try NativeThread.start(name: "controller") {
        self.controller.run()
        if self.controller.faults != nil { onFaults(self.report(nil)) }
      },
      try NativeThread.start(name: "visitors") { self.visitors.run() },
    ]
    let outcome = Result { try EtcdStoreWorkload(options.relayedStore).run(context) }
    controller.stop()
    visitors.stop()
    for helper in helpers { helper.join() }
    if let error = controller.error ?? visitors.error { throw error }
    return report(try outcome.get())
  }

  /// What is known now; `result` is nil while the store is at work.
  private func report(_ result: WorkloadResult?) -> SoakReport {
    SoakReport(
      options: options, samples: controller.samples, counts: controller.counts, visits: visitors.visits,
      brokenChains: visitors.brokenChains, faults: controller.faults, result: result)
  }
}
