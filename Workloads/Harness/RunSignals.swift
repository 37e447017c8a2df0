// What may end a run before its work is done: its time is up, a client failed, or somebody sends SIGINT or SIGTERM.
//
// All are single flags that clients read with a plain load. The signal handler only stores one. Another signal more than a second
// later has the kernel's default effect, so a run that does not react can still be ended; nearer ones are the same request: a
// terminal, timeout(1) and a parent that passes signals on may each send one.

import Glibc
import Synchronization
import TricolorPlatform

/// Flags that end a run early. Safe from any thread.
final class RunSignals: Sendable {
  private let timeIsUp = Atomic<Bool>(false)
  private let hasFailed = Atomic<Bool>(false)

  /// Whether clients should end now.
  @inline(__always) var shouldEnd: Bool {
    timeIsUp.load(ordering: .relaxed) || hasFailed.load(ordering: .relaxed) || Interrupt.wasReceived
  }

  /// A client failed: the others need not go on.
  func fail() { hasFailed.store(true, ordering: .relaxed) }
  func endTime() { timeIsUp.store(true, ordering: .relaxed) }
  func restartTime() { timeIsUp.store(false, ordering: .relaxed) }
}

/// SIGINT and SIGTERM, turned into a flag.
public enum Interrupt {
  private static let received = Atomic<Int32>(0)
  private static let receivedAt = Atomic<UInt64>(0)
  /// Signals within this many nanoseconds of the first are one request.
  private static let patience: UInt64 = 1_000_000_000

  /// Whether one came since `catch`.
  @inline(__always) public static var wasReceived: Bool { received.load(ordering: .relaxed) != 0 }

  /// From now on SIGINT and SIGTERM set the flag instead of ending the process; more than a second after the first, they end it.
  public static func `catch`() {
    // Also makes sure that both are initialised before a handler can run.
    received.store(0, ordering: .relaxed)
    receivedAt.store(0, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { Interrupt.receive($0) }
    action.sa_flags = SA_RESTART
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    unblock()
  }

  /// The signal handler: a clock and two atomics, all allowed in one.
  private static func receive(_ number: Int32) {
    let now = Clock.monotonic()
    let first = receivedAt.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    if first.exchanged { received.store(number, ordering: .relaxed) }
    if first.exchanged || now < first.original + patience { return }
    signal(number, SIG_DFL)
    raise(number)
  }

  /// Lets SIGINT and SIGTERM through: whoever started this process may have had them blocked, and blocks are inherited.
  public static func unblock() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }
}
