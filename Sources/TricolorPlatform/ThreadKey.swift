// A thread-specific value whose destructor runs when its thread ends: the only notice of a thread's end that works for threads that
// somebody else made.

import Glibc

/// A POSIX thread-specific key. Safe from any thread.
public struct ThreadKey: Sendable {
  private let key: pthread_key_t

  /// A key whose `destructor` is called with the value of each ending thread that has set one.
  ///
  /// - Throws: when the process has used up its keys (1024).
  public init(destructor: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void) throws(PlatformError) {
    var key = pthread_key_t()
    let code = FaultInjection.allows(.threadExit) ? pthread_key_create(&key, destructor) : errno
    guard code == 0 else { throw PlatformError(call: "pthread_key_create", code: code) }
    self.key = key
  }

  /// Sets the calling thread's value.
  ///
  /// - Throws: when there is no memory for it.
  public func set(_ value: UnsafeMutableRawPointer) throws(PlatformError) {
    let code = FaultInjection.allows(.threadExit) ? pthread_setspecific(key, value) : errno
    guard code == 0 else { throw PlatformError(call: "pthread_setspecific", code: code) }
  }
}
