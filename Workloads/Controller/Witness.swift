// Two threads that do almost nothing, to tell the collector's interruptions from the machine's: each sleeps a millisecond and sees how much
// later it goes on. One never enters the heap; the other is a mutator, allocates an object each time and links it to the one before.
// What the second loses beyond the first is the heap's.
//
// The idea is Tene's jHiccup (2011): a thread that should never wait shows what every thread may have to.

import Glibc
import Harness
import Histogram
import Synchronization
import Tricolor
import TricolorPlatform

struct WitnessMark: Managed {
  static let slot = TypeSlot()
  var number: Int
  var previous: Reference<WitnessMark>?
}

/// The two threads, from `init` to `finish`.
final class Witness: Sendable {
  static let sleepNanoseconds: UInt64 = 1_000_000

  private let isOver = Atomic<Bool>(false)
  private let outside = Mutex(Latencies.empty())
  private let inside = Mutex(Latencies.empty())
  nonisolated(unsafe) private var threads: [NativeThread] = []

  init(_ heap: Heap) throws {
    threads.append(try NativeThread.start(name: "witness-outside") { self.watchOutside() })
    do {
      threads.append(try NativeThread.start(name: "witness-inside") { self.watchInside(heap) })
    } catch {
      finish()
      throw error
    }
  }

  /// From now on nothing is recorded. From any thread.
  func stop() { isOver.store(true, ordering: .relaxed) }

  /// Stops and waits for both threads.
  func finish() {
    stop()
    for thread in threads { thread.join() }
    threads = []
  }

  /// Lateness after a sleep, in nanoseconds.
  var json: JSONValue {
    .object([
      .init("outsideNanoseconds", outside.withLock { LatencyFigures($0).json }),
      .init("insideNanoseconds", inside.withLock { LatencyFigures($0).json }),
    ])
  }

  private func watchOutside() {
    while !isOver.load(ordering: .relaxed) {
      let late = Witness.lateness { Witness.sleep() }
      outside.withLock { _ = $0.record(late) }
    }
  }

  private func watchInside(_ heap: Heap) {
    heap.withMutator { mutator in
      var last: Reference<WitnessMark>? = nil
      var number = 0
      while !isOver.load(ordering: .relaxed) {
        let late = Witness.lateness {
          mutator.blocking { Witness.sleep() }
          last?.previous = nil
          // Under a hard limit there may be no room; then there is nothing to link.
          if let mark = try? mutator.make(WitnessMark(number: number, previous: last)) { last = mark }
          number += 1
        }
        inside.withLock { _ = $0.record(late) }
      }
    }
  }

  /// Sleeps, at least so long unless a signal comes.
  static func sleep(nanoseconds: UInt64 = sleepNanoseconds) {
    var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    nanosleep(&time, nil)
  }

  private static func lateness(_ body: () -> Void) -> UInt64 {
    let began = Clock.monotonic()
    body()
    let took = Clock.monotonic() - began
    return took > sleepNanoseconds ? took - sleepNanoseconds : 0
  }
}
