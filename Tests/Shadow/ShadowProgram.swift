// A whole random program: its plan, its threads, the markers and delays beside it, and what must hold at its end.

import Glibc
import Synchronization
@_spi(Testing) import Tricolor

/// How a random program runs. The seed and the plan decide everything but the interleaving of threads.
package struct ShadowPlan: Sendable {
  package var name: String
  package var threads: Int
  /// Operations of each thread.
  package var operations: Int
  /// POSIX threads that carry out each thread's part one after another: all but the last end in the middle of it.
  package var lives: Int
  package var comparingEvery: Int
  package var stress: Bool
  package var clobbers: Bool
  package var verifies: Bool
  package var checksMarks: Bool
  package var growth: Int?
  package var minimumHeap: UInt64
  package var processors: Int?
  /// Threads that mark beside the heap's own markers.
  package var extraMarkers: Int
  /// Random delays of the collector at every step of its cycle.
  package var delays: Bool
  /// Whether `GOGC` and the limit change while the program runs.
  package var changesSettings: Bool
  /// Made-up NUMA nodes, 1 for none; the policy is one that the seed decides.
  package var nodes: Int
  /// Whether cycles are young where they may be; nil where the seed decides, even ones for.
  package var young: Bool?
  package var without: Set<Operation>

  package init(
    name: String, threads: Int, operations: Int, lives: Int = 1, comparingEvery: Int = 5_000, stress: Bool = false,
    clobbers: Bool = false, verifies: Bool = false, checksMarks: Bool = false, growth: Int? = 100,
    minimumHeap: UInt64 = 256 << 10, processors: Int? = nil, extraMarkers: Int = 0, delays: Bool = false,
    changesSettings: Bool = false, nodes: Int = 1, young: Bool? = nil, without: Set<Operation> = []
  ) {
    self.name = name
    self.threads = threads
    self.operations = operations
    self.lives = lives
    self.comparingEvery = comparingEvery
    self.stress = stress
    self.clobbers = clobbers
    self.verifies = verifies
    self.checksMarks = checksMarks
    self.growth = growth
    self.minimumHeap = minimumHeap
    self.processors = processors
    self.extraMarkers = extraMarkers
    self.delays = delays
    self.changesSettings = changesSettings
    self.nodes = nodes
    self.young = young
    self.without = without
  }

  private func configuration(seed: UInt64) -> Heap.Configuration {
    var configuration = Heap.Configuration()
    configuration.gcPercent = growth
    configuration.settings.minimumHeap = minimumHeap
    configuration.settings.maxProcessors = processors
    configuration.settings.youngCycles = young ?? seed.isMultiple(of: 2) ? .always : .off
    if nodes > 1 { configuration.numa = [.local, .interleave, .node(1), .local][Int(seed / 2 % 4)] }
    configuration.settings.debug.gcStress = stress
    configuration.settings.debug.clobberFree = clobbers
    configuration.settings.debug.gcVerify = verifies
    configuration.settings.debug.gcCheckMark = checksMarks
    return configuration
  }

  /// Runs the program. Throws the first difference between heap and model.
  /// - Returns: the heap's statistics at the end.
  package func run(seed: UInt64) throws -> HeapStatistics {
    let (cleaned, registered): (Shared<[Int: Int]>, Int)
    let statistics: HeapStatistics
    do {
      let configuration = configuration(seed: seed)
      let heap =
        try nodes == 1
        ? Heap(configuration: configuration) : Heap(configuration: configuration, simulatedNodes: nodes)
      let world = try ShadowWorld(heap: heap, without: without, changesSettings: changesSettings)
      if delays { heap.onCycleStep(Self.delay) }
      let markers = startMarkers(heap)
      defer { markers.stop() }
      try runThreads(threads) { index in try runPart(seed: seed, index: index, world) }
      heap.collect()
      statistics = heap.statistics
      (cleaned, registered) = (world.cleaned, world.registeredCleanups.withLock { $0 })
    }
    // The heap has ended, and every cleanup with it.
    let ran = cleaned.withLock { $0.values.reduce(0, +) }
    if ran != registered { throw Mismatch(description: "\(ran) cleanups have run of \(registered)") }
    return statistics
  }

  private func runPart(seed: UInt64, index: Int, _ world: ShadowWorld) throws {
    var part = try onOwnThread { try ShadowThread(seed: seed, index: index, world: world) }
    for _ in 0..<lives {
      let before = part
      part = try onOwnThread {
        var part = before
        try part.run(operations: operations / lives, comparingEvery: comparingEvery)
        return part
      }
    }
  }

  private static func delay(_ step: CycleStep) {
    switch Int.random(in: 0..<8) {
    case 0: usleep(.random(in: 1..<500))
    case 1...3: sched_yield()
    default: break
    }
  }

  private func startMarkers(_ heap: Heap) -> Markers {
    let isOver = Shared(false)
    let threads = (0..<extraMarkers).map { _ in
      RunningThread { while !isOver.withLock({ $0 }) { if heap.markAsWorker() == 0 { usleep(20) } } }
    }
    return Markers(isOver: isOver, threads: threads)
  }

  private struct Markers {
    let isOver: Shared<Bool>
    let threads: [RunningThread<Void>]

    func stop() {
      isOver.withLock { $0 = true }
      for thread in threads { thread.wait() }
    }
  }
}
