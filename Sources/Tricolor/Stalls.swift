// The stalls of threads one by one, for whoever asks: histograms tell how long stalls are, and not whether they come at once, which is what a
// thread's minimum utilisation is made of (Cheng and Blelloch, PLDI 2001).
//
// Every thread that stalls adds to one queue, and one reader empties it now and then. The queue is Vyukov's bounded one: an atomic turn in each
// slot says whose it is, so that nobody waits for anybody, and a full queue refuses instead of growing. Until it is asked for there is none,
// and a stall costs a load more.
//
// Invariant: a slot whose turn is t may be written by the one that took place t of the tail; when its turn is t + 1 the reader may read it.

import Synchronization
import TricolorPlatform

/// A time in which a thread could not go on because of the heap: a hold, an assist, sweeping for an allocation, waiting for memory.
public struct StallEvent: Sendable, Equatable {
  /// The thread, by the kernel's number.
  public let thread: Int32
  /// Nanoseconds since the heap was made.
  public let startedAt: UInt64
  /// How long it lasted, in nanoseconds of wall time.
  public let durationNanoseconds: UInt64

  /// A stall of a thread.
  public init(thread: Int32, startedAt: UInt64, durationNanoseconds: UInt64) {
    self.thread = thread
    self.startedAt = startedAt
    self.durationNanoseconds = durationNanoseconds
  }

  /// How many a heap keeps until they are taken.
  public static let mostKept = 16_384
}

extension Heap {
  /// From now on keeps the stalls of all threads for `takeStalls`. Takes 512 KiB. Stays for as long as the heap; calling
  /// it again changes nothing. Any thread.
  public func keepStalls() { core.state.pointee.statistics.stallRecorder.begin() }

  /// The stalls that have ended since the last call, in the order of their ends, and how many more there were than are kept
  /// (`StallEvent.mostKept`). None unless `keepStalls` was called.
  ///
  /// A stall may lie inside a longer one of the same thread, as a hold in an assist: both are told, the inner one first. Any thread; two
  /// callers divide the stalls between them.
  public func takeStalls() -> (stalls: [StallEvent], lost: Int) {
    core.state.pointee.statistics.stallRecorder.take(since: core.state.pointee.startTime)
  }
}

/// The queue, once there is one.
struct StallRecorder: ~Copyable {
  private let queue = Atomic<UnsafeMutableRawPointer?>(nil)

  deinit {
    guard let queue = queue.load(ordering: .acquiring)?.assumingMemoryBound(to: StallQueue.self) else { return }
    queue.deinitialize(count: 1)
    queue.deallocate()
  }

  func begin() {
    if queue.load(ordering: .acquiring) != nil { return }
    let made = UnsafeMutablePointer<StallQueue>.allocate(capacity: 1)
    made.initialize(to: StallQueue())
    if !queue.compareExchange(expected: nil, desired: UnsafeMutableRawPointer(made), ordering: .acquiringAndReleasing)
      .exchanged
    {
      made.deinitialize(count: 1)
      made.deallocate()
    }
  }

  func record(_ thread: Int32, from began: UInt64, to ended: UInt64) {
    guard let queue = queue.load(ordering: .acquiring) else { return }
    queue.assumingMemoryBound(to: StallQueue.self).pointee.add(thread, from: began, to: ended)
  }

  func take(since start: UInt64) -> (stalls: [StallEvent], lost: Int) {
    guard let queue = queue.load(ordering: .acquiring) else { return ([], 0) }
    return queue.assumingMemoryBound(to: StallQueue.self).pointee.take(since: start)
  }
}

/// Stalls on their way from the threads that had them to whoever takes them.
private struct StallQueue: ~Copyable {
  private struct Slot: ~Copyable {
    let turn: Atomic<UInt64>
    var began: UInt64 = 0
    var ended: UInt64 = 0
    var thread: Int32 = 0

    init(turn: UInt64) { self.turn = Atomic(turn) }
  }

  private static let capacity = UInt64(StallEvent.mostKept)

  private let slots: UnsafeMutablePointer<Slot>
  private let tail = Atomic<UInt64>(0)
  private let lost = Atomic<Int>(0)
  /// Where the reader goes on; only with the lock held.
  private let head = Atomic<UInt64>(0)
  private let reading = FutexLock()

  init() {
    slots = .allocate(capacity: StallEvent.mostKept)
    for place in 0..<StallEvent.mostKept { (slots + place).initialize(to: Slot(turn: UInt64(place))) }
  }

  deinit {
    slots.deinitialize(count: StallEvent.mostKept)
    slots.deallocate()
  }

  func add(_ thread: Int32, from began: UInt64, to ended: UInt64) {
    var place = tail.load(ordering: .relaxed)
    while true {
      let slot = slots + Int(place % StallQueue.capacity)
      let turn = slot.pointee.turn.load(ordering: .acquiring)
      if turn < place {
        lost.wrappingAdd(1, ordering: .relaxed)
        return
      }
      if turn == place {
        let taken = tail.compareExchange(expected: place, desired: place + 1, ordering: .relaxed)
        if taken.exchanged {
          slot.pointee.began = began
          slot.pointee.ended = ended
          slot.pointee.thread = thread
          slot.pointee.turn.store(place + 1, ordering: .releasing)
          return
        }
        place = taken.original
      } else {
        place = tail.load(ordering: .relaxed)
      }
    }
  }

  func take(since start: UInt64) -> (stalls: [StallEvent], lost: Int) {
    reading.lock()
    defer { reading.unlock() }
    var stalls: [StallEvent] = []
    var place = head.load(ordering: .relaxed)
    while case let slot = slots + Int(place % StallQueue.capacity),
      slot.pointee.turn.load(ordering: .acquiring) == place + 1
    {
      let began = max(slot.pointee.began, start)
      stalls.append(
        StallEvent(
          thread: slot.pointee.thread, startedAt: began - start,
          durationNanoseconds: max(slot.pointee.ended, began) - began))
      slot.pointee.turn.store(place + StallQueue.capacity, ordering: .releasing)
      place += 1
    }
    head.store(place, ordering: .relaxed)
    return (stalls, lost.exchange(0, ordering: .relaxed))
  }
}
