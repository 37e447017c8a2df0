// Threads of the collector: small stacks, a name that ps and perf show, idle priority, processors to stay on.
//
// Why not Thread or a task: Foundation's resident size would count against the limit the heap keeps, and the pool of Swift
// concurrency has one priority range and must never block, while marking workers want SCHED_IDLE and do block.

import CTricolorShims
import Glibc
import Synchronization

/// How the scheduler treats a thread.
public enum ThreadPriority: Sendable {
  /// As any other thread of the process.
  case normal
  /// SCHED_IDLE: runs where a processor has nothing else to do, and gives way at once.
  case idle
}

/// A joinable thread outside Swift concurrency.
public struct NativeThread: Sendable {
  private static let stackBytes = 512 << 10
  private static let refused = Atomic<Int>(0)

  private let handle: pthread_t

  /// Starts a thread that runs `body` and ends.
  ///
  /// - Parameters:
  ///   - name: shown by ps, top and perf; the kernel keeps the first 15 bytes.
  ///   - priority: a wish; where the kernel refuses it the thread runs at normal priority and `refusedPriorities` rises.
  ///   - processors: the processors it may run on; nil for all of the process's.
  /// - Throws: when the kernel has no room for another thread, or none of `processors` may be used.
  public static func start(
    name: String, priority: ThreadPriority = .normal, processors: [Int]? = nil, _ body: @escaping @Sendable () -> Void
  ) throws(PlatformError) -> NativeThread {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, max(stackBytes, Int(sysconf(Int32(_SC_THREAD_STACK_MIN)))))
    if let processors { try bind(&attributes, to: processors) }

    let entry = Unmanaged.passRetained(Entry(name: name, priority: priority, body: body))
    var handle = pthread_t()
    let code =
      FaultInjection.allows(.startThread)
      ? pthread_create(&handle, &attributes, { runEntry($0) }, entry.toOpaque()) : errno
    guard code == 0 else {
      entry.release()
      let place = processors.map { " on processors \($0)" } ?? ""
      throw PlatformError(call: "pthread_create of \"\(name)\"\(place)", code: code)
    }
    return NativeThread(handle: handle)
  }

  /// Waits until the thread has ended; called by the thread itself, lets go of it, to end on its own. Exactly one caller may join a thread,
  /// once.
  public func join() {
    if pthread_equal(pthread_self(), handle) != 0 {
      pthread_detach(handle)
      return
    }
    let code = pthread_join(handle, nil)
    precondition(code == 0, "pthread_join failed: \(String(cString: strerror(code)))")
  }

  /// The kernel's number for the calling thread, as in /proc/self/task.
  public static var currentID: Int32 { tricolor_thread_id() }

  /// The name of a thread of this process by the kernel's number; nil when there is no such thread, or the kernel does not say.
  public static func name(of id: Int32) -> String? {
    guard let text = try? KernelFile.text("/proc/self/task/\(id)/comm") else { return nil }
    return String(text.prefix { $0 != "\n" })
  }

  /// The highest address of the calling thread's stack.
  ///
  /// - Throws: where the system does not say.
  public static func currentStackBase() throws(PlatformError) -> UInt {
    let base = FaultInjection.allows(.findStack) ? tricolor_find_stack_base() : 0
    guard base != 0 else { throw PlatformError(call: "finding the stack of thread \(currentID)", code: errno) }
    return base
  }

  /// How often the kernel refused a change of priority since the process began.
  public static var refusedPriorities: Int { refused.load(ordering: .relaxed) }

  /// Changes the calling thread's priority; false, and counted in `refusedPriorities`, where the kernel refuses.
  @discardableResult
  public static func setCurrentPriority(_ priority: ThreadPriority) -> Bool {
    let code: Int32
    switch priority {
    case .idle: code = tricolor_become_idle_priority()
    case .normal:
      var parameters = sched_param()
      code = pthread_setschedparam(pthread_self(), SCHED_OTHER, &parameters)
    }
    if code != 0 { refused.wrappingAdd(1, ordering: .relaxed) }
    return code == 0
  }

  /// Confines the calling thread to `processors`.
  ///
  /// - Throws: `EINVAL` when the process may use none of them.
  public static func confineCurrent(to processors: ProcessorSet) throws(PlatformError) {
    let code = processors.withMask { tricolor_confine_thread($0, $1) }
    guard code == 0 else { throw PlatformError(call: "binding a thread to processors \(processors)", code: code) }
  }

  fileprivate final class Entry {
    let name: String
    let priority: ThreadPriority
    let body: @Sendable () -> Void

    init(name: String, priority: ThreadPriority, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.priority = priority
      self.body = body
    }
  }

  private static func bind(_ attributes: inout pthread_attr_t, to processors: [Int]) throws(PlatformError) {
    var set = ProcessorSet()
    for processor in processors {
      guard set.insert(processor) else {
        throw PlatformError(
          call: "binding a thread to processor \(processor)", code: EINVAL,
          detail: "processors are numbered 0 to \(ProcessorSet.capacity - 1)")
      }
    }
    let code = set.withMask { tricolor_set_attribute_processors(&attributes, $0, $1) }
    guard code == 0 else { throw PlatformError(call: "binding a thread to processors \(processors)", code: code) }
  }
}

private func runEntry(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let entry = Unmanaged<NativeThread.Entry>.fromOpaque(argument!).takeRetainedValue()
  _ = tricolor_name_thread(String(decoding: entry.name.utf8.prefix(15), as: UTF8.self))
  if entry.priority == .idle { NativeThread.setCurrentPriority(.idle) }
  entry.body()
  return nil
}
