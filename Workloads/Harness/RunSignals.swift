// What may end a run before its work is done: its time is up, a client failed, or somebody sends SIGINT or SIGTERM.
//
// All are single flags that clients read with a plain load. The signal handler only stores one; a second signal of the same
// kind has the kernel's default effect, so a run that does not react can still be ended.

import Glibc
import Synchronization

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

  /// Whether one came since `catch`.
  @inline(__always) public static var wasReceived: Bool { received.load(ordering: .relaxed) != 0 }

  /// From now on the first SIGINT or SIGTERM sets the flag instead of ending the process.
  public static func `catch`() {
    // Also makes sure that the flag is initialised before a handler can run.
    received.store(0, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in Interrupt.received.store(number, ordering: .relaxed) }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_RESTART
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    unblock()
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
