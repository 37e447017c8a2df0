// Threads, the lock and the event in raw memory, and the clocks.

import Glibc
import Testing

@testable import TricolorPlatform

/// Zeroed raw memory that tests share between threads.
private struct Shared: @unchecked Sendable {
  let bytes = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)

  init() { memset(bytes, 0, 4096) }

  var lock: UnsafeMutablePointer<FutexLock> { bytes.assumingMemoryBound(to: FutexLock.self) }
  var event: UnsafeMutablePointer<FutexEvent> { (bytes + 64).assumingMemoryBound(to: FutexEvent.self) }
  func tryLock() -> Bool { lock.pointee.tryLock() }
  func signals() -> UInt32 { event.pointee.current() }
  func wait(past seen: UInt32, timeoutNanoseconds: Int64 = -1) -> Bool {
    event.pointee.wait(past: seen, timeoutNanoseconds: timeoutNanoseconds)
  }

  var counters: UnsafeMutablePointer<Int> { (bytes + 128).assumingMemoryBound(to: Int.self) }
}

@Suite("Threads, locks and events")
struct ThreadTests {
  @Test("Four threads under one lock lose no update and never meet")
  func contention() throws {
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    let rounds = 20_000
    let threads = try (0..<4).map { number in
      try NativeThread.start(name: "locker \(number)") {
        for round in 0..<rounds {
          shared.lock.pointee.withLock {
            shared.counters[1] += 1
            if shared.counters[1] != 1 { shared.counters[2] += 1 }
            shared.counters[0] += 1
            // Giving the processor away with the lock held makes the others sleep in the kernel.
            if round % 1000 == 0 { sched_yield() }
            shared.counters[1] -= 1
          }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(shared.counters[0] == 4 * rounds)
    #expect(shared.counters[2] == 0)
    #expect(shared.tryLock())
  }

  @Test("A held lock cannot be tried, and a body that throws frees it")
  func tryAndThrow() {
    struct Stop: Error {}
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    #expect(shared.tryLock())
    #expect(!shared.tryLock())
    shared.lock.pointee.unlock()
    #expect(throws: Stop.self) { try shared.lock.pointee.withLock { throw Stop() } }
    let answer = shared.lock.pointee.withLock { 7 }
    #expect(answer == 7)
  }

  @Test("A waiter that must sleep gets the lock when it is freed")
  func sleeper() throws {
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    shared.lock.pointee.lock()
    let thread = try NativeThread.start(name: "sleeper") {
      shared.event.pointee.signalAll()
      shared.lock.pointee.withLock { shared.counters[0] = 1 }
    }
    #expect(shared.wait(past: 0))
    usleep(20_000)
    shared.lock.pointee.unlock()
    thread.join()
    #expect(shared.counters[0] == 1)
  }

  @Test("A signal before the wait is not lost, and a wait without one runs out")
  func event() {
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    let seen = shared.signals()
    #expect(!shared.wait(past: seen, timeoutNanoseconds: 1_000_000))
    #expect(!shared.wait(past: seen, timeoutNanoseconds: 0))
    shared.event.pointee.signalAll()
    #expect(shared.signals() == seen + 1)
    #expect(shared.wait(past: seen))
  }

  @Test("One signal wakes every waiter, and what was written before it is seen")
  func wakesAll() throws {
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    let seen = shared.signals()
    let threads = try (0..<3).map { number in
      try NativeThread.start(name: "waiter") {
        if shared.event.pointee.wait(past: seen) { shared.counters[1 + number] = shared.counters[0] }
      }
    }
    usleep(10_000)
    shared.counters[0] = 42
    shared.event.pointee.signalAll()
    for thread in threads { thread.join() }
    #expect((1...3).map { shared.counters[$0] } == [42, 42, 42])
  }

  @Test("Two threads that hand a turn to and fro never miss each other")
  func handOver() throws {
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    let rounds = 5000
    let threads = try (0..<2).map { mine in
      try NativeThread.start(name: "turn \(mine)") {
        for _ in 0..<rounds {
          while true {
            let seen = shared.signals()
            if shared.lock.pointee.withLock({ shared.counters[0] % 2 == mine }) { break }
            shared.event.pointee.wait(past: seen)
          }
          shared.lock.pointee.withLock { shared.counters[0] += 1 }
          shared.event.pointee.signalAll()
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(shared.counters[0] == 2 * rounds)
  }

  @Test("A thread has its name, its priority and its processors")
  func attributes() throws {
    let processor = try #require(ProcessorSet.allowed()?.processors.first)
    let shared = Shared()
    defer { shared.bytes.deallocate() }
    let refusedBefore = NativeThread.refusedPriorities
    let thread = try NativeThread.start(name: "a name that is too long", priority: .idle, processors: [processor]) {
      let name = shared.bytes + 512
      copyThreadName(name)
      shared.counters[0] = Int(sched_getscheduler(0))
      shared.counters[1] = ProcessorSet.allowed().map { $0.processors == [processor] ? 1 : 0 } ?? 0
      shared.counters[2] = NativeThread.setCurrentPriority(.normal) ? Int(sched_getscheduler(0)) : -1
      shared.counters[3] = Int(NativeThread.currentID)
    }
    thread.join()
    #expect(String(cString: (shared.bytes + 512).assumingMemoryBound(to: CChar.self)) == "a name that is ")
    let idlePolicy = 5
    #expect(shared.counters[0] == idlePolicy || NativeThread.refusedPriorities > refusedBefore)
    #expect(shared.counters[1] == 1)
    #expect(shared.counters[2] == 0 || NativeThread.refusedPriorities > refusedBefore)
    #expect(shared.counters[3] != Int(NativeThread.currentID))
  }

  @Test("A thread on processors that do not exist is refused", arguments: [[-1], [8192], [8191]])
  func refusedProcessors(processors: [Int]) {
    let error = #expect(throws: PlatformError.self) {
      _ = try NativeThread.start(name: "nowhere", processors: processors) {}
    }
    #expect(error?.code == EINVAL)
    #expect(error?.description.contains("\(processors[0])") == true)
  }

  @Test("Clocks do not go back, and processor time passes with work")
  func clocks() {
    let wall = Clock.monotonic()
    let thread = Clock.threadCPU()
    let process = Clock.processCPU()
    var sum: UInt64 = 0
    while Clock.threadCPU() == thread { sum &+= 1 }
    #expect(Clock.monotonic() >= wall)
    #expect(Clock.threadCPU() > thread)
    #expect(Clock.processCPU() > process)
  }
}

/// Copies the calling thread's name from /proc, ended with 0 where the line end was.
private func copyThreadName(_ buffer: UnsafeMutableRawPointer) {
  let descriptor = open("/proc/self/task/\(NativeThread.currentID)/comm", O_RDONLY)
  let count = read(descriptor, buffer, 32)
  close(descriptor)
  if count > 0 { buffer.storeBytes(of: 0, toByteOffset: count - 1, as: UInt8.self) }
}
