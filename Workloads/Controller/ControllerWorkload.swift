// controller: the control plane of a fleet of 10 000 nodes at 12 sites, and how long its collector holds it. Informer caches with
// indexes, a queue with retries, policies pushed to every node, sites that are lost and listed again, bursts that add pods, and queries
// by label from any thread. After the article whose collector stops such a controller for 1.2 ms.
//
// Time is simulated, so that a minute of the machine holds an hour of the fleet and dozens of cycles. Each site's history follows from
// the seed and the number of ticks alone, whatever the threads.

import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// `tricolor run controller`.
public struct ControllerWorkload: Workload {
  public static let name = "controller"
  public static let summary =
    "a controller of 10 000 nodes at 12 sites: informer caches, work queues, policy pushes, relists"
  public static let kinds = ControllerKind.allCases.map(\.name)
  public static let mostThreads = 64
  public static var options: [any AnyWorkloadOption] { ControllerOptions.table }

  private let settings: ControllerOptions

  public init(options: OptionValues) throws(UsageError) { settings = try ControllerOptions(options) }

  init(_ settings: ControllerOptions) { self.settings = settings }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("list")
    let sites = try context.heap.withMutator { mutator in
      try (0..<settings.sites).map { site in
        try SiteController(settings.model(site), seed: context.seed, mutator)
      }
    }
    let listed = try context.runClients { client, mutator in try list(own(sites, client, context), context, mutator) }
    context.restartDuration()
    context.phase("control")
    let before = context.heap.statistics
    let witness = try Witness(context.heap)
    defer { witness.finish() }
    let faults = try context.runClients { client, mutator in
      // Where the user interrupts the listing there is nothing to control.
      if !listed.allSatisfy({ $0 }) { return 0 }
      try control(own(sites, client, context), sites, client, context, mutator)
      witness.stop()
      client.endMeasuring(mutator)
      return try check(own(sites, client, context), mutator)
    }
    witness.finish()
    let figures = ControllerFigures(
      sites: sites, settings: settings, witness: witness, context: context, before: before)
    return WorkloadResult(verified: faults.reduce(0, +) == 0, figures: figures.json(faults: faults.reduce(0, +)))
  }

  private func own(_ sites: [SiteController], _ client: Client, _ context: RunContext) -> [SiteController] {
    sites.filter { $0.model.site % context.threads == client.index }
  }

  /// Fills the caches; false when the user interrupts.
  private func list(
    _ sites: [SiteController], _ context: RunContext, _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    for site in sites where !context.isInterrupted {
      try site.relist(nil, mutator) { context.isInterrupted }
    }
    return !context.isInterrupted
  }

  /// Ticks, for as long as the run lasts; a run ends between ticks.
  private func control(
    _ own: [SiteController], _ all: [SiteController], _ client: Client, _ context: RunContext, _ mutator: Mutator
  ) throws(OutOfMemory) {
    let began = Clock.monotonic()
    let last = context.extent == .natural ? settings.minutes * Schedule.ticksInMinute : .max
    var tick = 0
    while tick < last && !client.shouldStop {
      for site in own { try site.tick(all, client, mutator) }
      tick += 1
      if settings.speed > 0 {
        wait(until: began + UInt64(tick) * Schedule.tickNanoseconds / UInt64(settings.speed), mutator)
      }
    }
  }

  private func wait(until time: UInt64, _ mutator: Mutator) {
    let now = Clock.monotonic()
    if now < time { mutator.blocking { Witness.sleep(nanoseconds: time - now) } }
  }

  /// Lets everything arrive, then compares; how much is wrong.
  private func check(_ sites: [SiteController], _ mutator: Mutator) throws(OutOfMemory) -> Int {
    var faults = 0
    for site in sites {
      if try !site.drain(mutator) { faults += 1 }
      faults += site.countFaults(mutator)
    }
    return faults
  }
}
