// Threads for tests: POSIX threads with the usual stack, since what is tested attaches, parks and detaches whole threads.

import Glibc

/// A value that several threads change under a lock. The lock is POSIX's: the standard library's is not built with
/// ThreadSanitizer, which would take what it guards for racy.
final class Shared<Value: Sendable>: @unchecked Sendable {
  private var value: Value
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init(_ initial: Value) {
    value = initial
    mutex.initialize(to: pthread_mutex_t())
    let code = pthread_mutex_init(mutex, nil)
    precondition(code == 0, "pthread_mutex_init failed: \(code)")
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func withLock<Answer: Sendable>(_ body: (inout Value) throws -> Answer) rethrows -> Answer {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}

/// A running thread that answers a value or an error. Joined exactly once.
struct RunningThread<Value: Sendable>: Sendable {
  private let handle: pthread_t
  private let outcome: Shared<Result<Value, any Error>?>

  init(_ body: @escaping @Sendable () throws -> Value) {
    let outcome = Shared<Result<Value, any Error>?>(nil)
    let start = Start {
      let ended = Result { try body() }
      outcome.withLock { $0 = ended }
    }
    var handle = pthread_t()
    let code = pthread_create(&handle, nil, { runStart($0) }, Unmanaged.passRetained(start).toOpaque())
    precondition(code == 0, "pthread_create failed: \(code)")
    self.handle = handle
    self.outcome = outcome
  }

  /// Waits until the thread has ended, and with it its mutators; what it answered or threw.
  func join() throws -> Value {
    wait()
    return try outcome.withLock { $0 }!.get()
  }

  /// Waits for the end of a thread whose answer nobody needs.
  func wait() {
    let code = pthread_join(handle, nil)
    precondition(code == 0, "pthread_join failed: \(code)")
  }
}

/// Runs `body(0) … body(count − 1)` on threads of their own and waits for all; their values in order, or the first error.
@discardableResult
func runThreads<Value: Sendable>(
  _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
  let threads = (0..<count).map { index in RunningThread { try body(index) } }
  return try threads.map { thread in Result { try thread.join() } }.map { try $0.get() }
}

/// Runs `body` on a thread of its own: nothing it held stays behind on the caller's stack.
@discardableResult
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
  try RunningThread(body).join()
}

private final class Start {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runStart(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().run()
  return nil
}
