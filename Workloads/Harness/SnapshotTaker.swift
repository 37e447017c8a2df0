// SIGQUIT: a snapshot of the run's heap, as a file in the current folder and in a few lines on standard error. The run goes on.
//
// On a thread of its own, so that the reporter goes on too; the clients are held only while the graph is copied. The signal handler counts and wakes. Signals
// that come while a snapshot is being written are one request for another. Under a memory limit that leaves no room for the copy nothing is taken,
// and that is said: the signal must not be what ends the run.

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform
import TricolorTelemetry

enum SnapshotTaker {
  /// Signalled by SIGQUIT, and at the end of a run.
  private static let wake = FutexEvent()
  private static let asked = Atomic<Int>(0)
  /// Layouts that are shown on standard error.
  private static let shown = 10

  /// Runs `body`, and at each SIGQUIT meanwhile takes a snapshot of `heap`. One that is being written is finished.
  ///
  /// - Throws: what `body` throws; `PlatformError` when there is no room for a thread.
  static func watch<R>(_ heap: Heap, named name: String, _ body: () throws -> R) throws -> R {
    let isOver = Flag()
    catchSignal()
    let thread = try NativeThread.start(name: "snapshots") {
      var (done, number) = (asked.load(ordering: .acquiring), 0)
      while !isOver.isSet {
        let seen = wake.current()
        let wanted = asked.load(ordering: .acquiring)
        if wanted != done {
          done = wanted
          number += 1
          take(heap, to: "\(name)-\(getpid())-\(number).heapsnapshot")
        } else if !isOver.isSet {
          wake.wait(past: seen)
        }
      }
    }
    defer {
      isOver.set()
      wake.signalAll()
      thread.join()
    }
    return try body()
  }

  private static func take(_ heap: Heap, to path: String) {
    do throws(SnapshotError) {
      let snapshot = try heap.snapshot()
      try snapshot.write(to: path)
      OutputFile.writeToStandardError("tricolor: \(path): \(try SnapshotText.table(snapshot, most: shown))")
    } catch {
      OutputFile.writeToStandardError("tricolor: \(error)\n")
    }
  }

  private static func catchSignal() {
    // Also makes sure that both are initialised before a handler can run.
    _ = (wake.current(), asked.load(ordering: .relaxed))
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in SnapshotTaker.receive() }
    action.sa_flags = SA_RESTART
    sigaction(SIGQUIT, &action, nil)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGQUIT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// The signal handler: two atomics and a system call, all allowed in one.
  private static func receive() {
    let code = errno
    asked.wrappingAdd(1, ordering: .acquiringAndReleasing)
    wake.signalAll()
    errno = code
  }
}

/// Something that becomes true once.
private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
