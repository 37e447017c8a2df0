// Between threads and tasks: a thread that waits for a task, and work that a task may do until a deadline only.

import Synchronization
import Tricolor
import TricolorPlatform

/// Runs `body` as a task and waits for it on the calling thread, which is none of the pool's.
func awaitTask<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
  let outcome = TaskOutcome<R>()
  Task.detached {
    do { outcome.end(.success(try await body())) } catch { outcome.end(.failure(error)) }
  }
  return try outcome.wait().get()
}

/// A result that a thread waits for.
private final class TaskOutcome<R: Sendable>: Sendable {
  private let result = Mutex<Result<R, any Error>?>(nil)
  private let event = FutexEvent()

  func end(_ result: Result<R, any Error>) {
    self.result.withLock { $0 = result }
    event.signalAll()
  }

  func wait() -> Result<R, any Error> {
    while true {
      let seen = event.current()
      if let result = result.withLock({ $0 }) { return result }
      event.wait(past: seen)
    }
  }
}

/// A deadline came before the work was done.
struct DeadlineExceeded: Error {}

/// Does `body`, and cancels it and all its children at `deadline`. Deadlines nest: an outer one that comes first ends the inner ones too.
///
/// - Throws: `DeadlineExceeded` when the deadline came first; what `body` throws, as `CancellationError` when somebody outside cancels.
func withDeadline(_ deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () async throws -> Void) async throws
{
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask(operation: body)
    group.addTask {
      try await Task.sleep(until: deadline, clock: .continuous)
      throw DeadlineExceeded()
    }
    defer { group.cancelAll() }
    try await group.next()
  }
}
