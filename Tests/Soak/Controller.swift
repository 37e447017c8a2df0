// Works the heap's settings while the store is at work: limit and GOGC up and down, forced cycles, now and then an examination of the
// whole heap; and takes the samples.
//
// What is done and in which order follows from the seed; when, and so what it meets, does not. Samples are taken at random
// distances around the interval: at equal ones they would beat with the store's rounds and show its phases in turn as a slow wave.

import Harness
import Synchronization
import Tricolor
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

/// How often the controller did what.
struct ControlCounts: Sendable {
  var limitChanges = 0
  var percentChanges = 0
  var forcedCycles = 0
  var verifications = 0
}

/// The controller of one soak. `run` on a thread of its own.
final class Controller: Sendable {
  private struct State {
    var samples: [SoakSample] = []
    var counts = ControlCounts()
    var verification: HeapVerification?
    var error: (any Error)?
  }

  private static let limitShares = [0.625, 0.75, 1, 1.5, 2]
  private static let percents: [Int?] = [25, 50, 100, 200, nil]
  private static let referencePercent = 100
  private static let longestPause = 500_000_000
  private static let progressInterval: UInt64 = 5_000_000_000

  private let context: RunContext
  private let options: SoakOptions
  private let began = Clock.monotonic()
  private let state = Mutex(State())
  private let isStopping = Atomic<Bool>(false)
  private let wake = FutexEvent()

  init(_ context: RunContext, _ options: SoakOptions) {
    self.context = context
    self.options = options
  }

  var samples: [SoakSample] { state.withLock { $0.samples } }
  var counts: ControlCounts { state.withLock { $0.counts } }
  /// The examination that found faults, nil when none did.
  var faults: HeapVerification? { state.withLock { $0.verification } }
  /// What kept the controller from taking samples.
  var error: (any Error)? { state.withLock { $0.error } }

  func stop() {
    isStopping.store(true, ordering: .relaxed)
    wake.signalAll()
  }

  /// Until `stop`, a fault, or an error. Nothing is done before the store is loaded.
  func run() {
    var random = SplitMix64(seed: options.seed)
    while isRunning && ["", "load"].contains(context.phaseName) { pause(10_000_000) }
    var sampleAt = Clock.monotonic() + options.interval
    var progressAt: UInt64 = 0
    while isRunning {
      let now = Clock.monotonic()
      if now >= sampleAt {
        takeSample()
        sampleAt = now + options.interval / 2 + UInt64(random.below(Int(options.interval >> 10))) << 10
        if options.showsProgress && now >= progressAt {
          showProgress()
          progressAt = now + Controller.progressInterval
        }
      } else {
        step(&random)
        pause(min(UInt64(random.below(Controller.longestPause)), options.interval, sampleAt - now))
      }
    }
  }

  private var isRunning: Bool {
    !isStopping.load(ordering: .relaxed) && state.withLock { $0.verification == nil && $0.error == nil }
  }

  private func pause(_ nanoseconds: UInt64) {
    let seen = wake.current()
    if isRunning { wake.wait(past: seen, timeoutNanoseconds: Int64(nanoseconds)) }
  }

  // MARK: Steps

  private func step(_ random: inout SplitMix64) {
    switch random.below(100) {
    case 0..<45:
      let share = Controller.limitShares[random.below(Controller.limitShares.count)]
      context.heap.configuration.memoryLimit = .bytes(Int64(Double(options.limitBytes) * share))
      state.withLock { $0.counts.limitChanges += 1 }
    case 45..<65:
      var configuration = context.heap.configuration
      configuration.gcPercent = Controller.percents[random.below(Controller.percents.count)]
      configuration.tunes = random.below(2) == 0
      context.heap.configuration = configuration
      state.withLock { $0.counts.percentChanges += 1 }
    case 65..<95:
      context.heap.collect()
      state.withLock { $0.counts.forcedCycles += 1 }
    default: verify()
    }
  }

  private func verify() {
    let verification = context.heap.verify()
    state.withLock {
      $0.counts.verifications += 1
      if !verification.isSound { $0.verification = verification }
    }
  }

  // MARK: Samples

  /// A sample under the reference settings, after a forced cycle.
  private func takeSample() {
    context.heap.configuration.memoryLimit = .bytes(Int64(options.limitBytes))
    context.heap.configuration.gcPercent = Controller.referencePercent
    context.heap.configuration.tunes = false
    context.heap.collect()
    do {
      let sample = try SoakSample(
        time: Clock.monotonic() - began, operations: context.operations, context.heap)
      state.withLock {
        $0.counts.forcedCycles += 1
        $0.samples.append(sample)
      }
    } catch {
      state.withLock { $0.error = error }
    }
  }

  private func showProgress() {
    guard let sample = samples.last else { return }
    let statistics = sample.statistics
    OutputFile.writeToStandardError(
      "soak \(context.phaseName)  \(Figures.fixed(Double(sample.time) / 1e9, 0)) s  "
        + "\(Figures.count(sample.operations)) operations  RSS \(Figures.bytes(statistics.residentBytes))  "
        + "blocks \(Figures.bytes(statistics.usedBlockBytes))  metadata \(Figures.bytes(statistics.metadataBytes))  "
        + "\(Figures.count(statistics.cycles)) cycles  \(Figures.count(statistics.attachedMutators)) threads\n")
  }
}
