// Something keeps what it should let go: a chain of chunks that grows at a steady rate beside the store's work, until the phase ends, memory is
// refused, or the store sheds it.
//
// It shows how the end comes. Under a limit the collector works more and more for less and less; what keeps that from going on for ever is the
// bound on its CPU, and then, as somebody chose: shedding (the pressure level is critical, and what is kept is dropped), a hard limit (an
// allocation fails with OutOfMemory), a policy that ends the process, or the kernel.

import Glibc
import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// A link of what is kept.
struct LeakedChunk: Managed {
  static let slot = TypeSlot()
  static let bytes = 64 << 10
  var content: Reference<Bytes>?
  var next: Reference<LeakedChunk>?
}

/// One leak at a time, on a thread of its own.
final class Leak: Sendable {
  private static let pauseMicroseconds: UInt32 = 2_000

  /// Why a leak ended.
  enum Ending: String, Sendable {
    case phaseEnded = "the phase ended"
    case outOfMemory = "memory was refused"
    case shed = "shed at critical pressure"
  }

  /// What came of the last one.
  struct Figures: Sendable {
    var times = 0
    var keptBytes = 0
    var nanoseconds: UInt64 = 0
    var ending = Ending.phaseEnded

    var json: JSONValue {
      [
        "times": .integer(times), "keptBytes": .integer(keptBytes), "nanoseconds": .unsigned(nanoseconds),
        "ending": .string(ending.rawValue),
      ]
    }
  }

  private let heap: Heap
  private let shedding: LoadShedding
  private let bytesPerSecond: Int
  private let isOver = Atomic<Bool>(false)
  private let state = Mutex(Figures())

  init(_ heap: Heap, _ shedding: LoadShedding, bytesPerSecond: Int) {
    self.heap = heap
    self.shedding = shedding
    self.bytesPerSecond = bytesPerSecond
  }

  /// What came of the last one, nil when there was none.
  var figures: Figures? { state.withLock { $0.times == 0 ? nil : $0 } }

  /// Runs `body` while memory leaks; what was kept is let go afterwards.
  ///
  /// - Throws: `PlatformError` when the thread cannot be started; what `body` throws.
  func during<R>(_ body: () throws -> R) throws -> R {
    isOver.store(false, ordering: .relaxed)
    let thread = try NativeThread.start(name: "leak") { self.heap.withMutator { m in self.run(m) } }
    defer {
      isOver.store(true, ordering: .relaxed)
      thread.join()
    }
    return try body()
  }

  private var goesOn: Bool { !shedding.isCritical && !isOver.load(ordering: .relaxed) }

  private func run(_ m: Mutator) {
    let began = Clock.monotonic()
    var figures = Figures()
    figures.times = state.withLock { $0.times } + 1
    var kept: Reference<LeakedChunk>? = nil
    while figures.ending == .phaseEnded && goesOn {
      let due = Int(Double(Clock.monotonic() - began) / 1e9 * Double(bytesPerSecond))
      do throws(OutOfMemory) {
        while figures.keptBytes + LeakedChunk.bytes <= due && goesOn {
          let content = try m.makeBytes(count: LeakedChunk.bytes) { memset($0.baseAddress!, 1, $0.count) }
          kept = try m.make(LeakedChunk(content: content, next: kept))
          figures.keptBytes += LeakedChunk.bytes
        }
      } catch {
        figures.ending = .outOfMemory
      }
      m.blocking { _ = usleep(Leak.pauseMicroseconds) }
    }
    if figures.ending == .phaseEnded && shedding.isCritical { figures.ending = .shed }
    figures.nanoseconds = Clock.monotonic() - began
    withExtendedLifetime(kept) {}
    state.withLock { $0 = figures }
  }
}
