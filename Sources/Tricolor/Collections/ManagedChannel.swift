// A bounded queue of managed objects between threads and tasks: a ring of references on the managed heap, held by a root, and the
// bookkeeping in native memory under a lock.
//
// Whoever finds nothing to take, or no room, waits in a queue of his own side, threads and tasks alike. An element that is put in is promised
// to the first who waits, and so is the room of one that is taken out: a promise cannot be taken by others, so nobody is passed over for
// ever and nobody is woken in vain. A task that is cancelled leaves the queue; a promise that came before that holds.
//
// No reference is kept outside the ring: who is promised an element takes it from the ring once he is inside `withMutator`. A thread
// waits, for the lock too, in a blocking region only: it may be held by a thread that the collector holds.
//
// Invariants, under the lock: the `count` slots from `first` on hold elements, the others nil; promisedElements <= count and
// count + promisedRoom <= capacity; while somebody waits for an element (for room) all of it is promised; who is closed promises no room.

import Synchronization
import TricolorPlatform

/// An element could not be sent, because the channel is closed.
public struct ChannelClosed: Error, CustomStringConvertible, Sendable, Equatable {
  /// What was wrong.
  public var description: String { "the channel is closed" }
}

/// A bounded first-in, first-out queue of managed objects for many producers and consumers, threads and tasks.
///
/// ```swift
/// let jobs = try heap.withMutator { try ManagedChannel<Reference<Job>>(capacity: 64, $0) }
/// // a producer                                        // a consumer
/// try await jobs.send { try $0.make(Job(number: 1)) }  while let sum = try await jobs.receive({ _, job in job.number }) { … }
/// ```
///
/// A channel is an ordinary Swift object, `Sendable`, that keeps its elements and its heap alive. Threads use the forms with a mutator, which
/// block (the collector answers meanwhile); tasks use the `async` forms, which give their thread back while they wait. Elements come
/// out in the order they were put in. Every operation takes constant time and one lock, beside the time spent waiting.
public final class ManagedChannel<Message: ManagedHandle>: Sendable {
  /// The number of elements that can wait in the channel.
  public let capacity: Int

  private let heap: Heap
  private let ring: Root<ReferenceArray<Message.Object>>
  private let lock = FutexLock()
  nonisolated(unsafe) private var first = 0
  nonisolated(unsafe) private var elements = 0
  nonisolated(unsafe) private var promisedElements = 0
  nonisolated(unsafe) private var promisedRoom = 0
  nonisolated(unsafe) private var closed = false
  nonisolated(unsafe) private var receivers = WaiterQueue()
  nonisolated(unsafe) private var senders = WaiterQueue()

  /// An empty channel for at most `capacity` elements of the mutator's heap; a capacity below 1 ends the program.
  public init(capacity: Int, _ mutator: Mutator) throws(OutOfMemory) {
    if capacity < 1 { fatalError("tricolor: a channel of capacity \(capacity); allowed is 1 and more") }
    self.capacity = capacity
    heap = Heap.object(of: mutator.core.heap)
    ring = mutator.root(try mutator.makeArray(of: Message.Object.self, count: capacity))
  }

  // MARK: State

  /// The number of elements in the channel at this moment.
  public var count: Int { lock.withLock { elements } }

  /// Whether the channel has been closed.
  public var isClosed: Bool { lock.withLock { closed } }

  /// No element can be sent any more: who waits to send gets `ChannelClosed`. What is in the channel can still be received, after which
  /// receivers get nil, as those do who wait now. Closing again does nothing. Any thread.
  public func close() {
    let (endedReceivers, endedSenders) = lock.withLock {
      closed = true
      return (receivers.takeAll(), senders.takeAll())
    }
    for waiter in endedReceivers + endedSenders { waiter.settle(.closed) }
  }

  // MARK: Threads

  /// Puts `message` in, waiting while there is no room.
  ///
  /// - Throws: `ChannelClosed` when the channel is closed, before or while it waits.
  public func send(_ message: Message, _ mutator: Mutator) throws(ChannelClosed) {
    heap.checkOwns(mutator)
    guard wait(for: .room, mutator) == .granted else { throw ChannelClosed() }
    try put(message, mutator)
  }

  /// The oldest element, waiting while there is none; nil once the channel is closed and empty.
  public func receive(_ mutator: Mutator) -> Message? {
    heap.checkOwns(mutator)
    return wait(for: .element, mutator) == .granted ? take(mutator) : nil
  }

  /// Puts `message` in if there is room; false when there is none.
  ///
  /// - Throws: `ChannelClosed` when the channel is closed.
  public func trySend(_ message: Message, _ mutator: Mutator) throws(ChannelClosed) -> Bool {
    heap.checkOwns(mutator)
    switch holdingLock(mutator, { claim(.room) }) {
    case .granted: try put(message, mutator)
    case .closed: throw ChannelClosed()
    case .cancelled, nil: return false
    }
    return true
  }

  /// The oldest element, nil when there is none now.
  public func tryReceive(_ mutator: Mutator) -> Message? {
    heap.checkOwns(mutator)
    return holdingLock(mutator) { claim(.element) } == .granted ? take(mutator) : nil
  }

  // MARK: Tasks

  /// Waits for room without blocking a thread, and then puts in what `make` answers, inside `withMutator`.
  ///
  /// - Throws: `ChannelClosed`; `CancellationError` when the task is cancelled before there is room; what `make` throws, with nothing sent.
  public func send(_ make: sending (Mutator) throws -> Message) async throws {
    try await claimOrThrow(.room)
    try putMade(make)
  }

  /// Waits for room without blocking a thread, and puts in what `root` holds; ends the program when that is nothing.
  ///
  /// - Throws: `ChannelClosed`; `CancellationError` when the task is cancelled before there is room.
  public func send(_ root: Root<Message.Object>) async throws {
    try await send { mutator in
      guard let reference = root.get(mutator) else { fatalError("tricolor: an empty root was sent through a channel") }
      return Message(reference)
    }
  }

  /// Waits for an element without blocking a thread, and answers what `body` makes of it, inside `withMutator`; nil once the channel is
  /// closed and empty.
  ///
  /// - Throws: `CancellationError` when the task is cancelled before there is an element; what `body` throws, with the element taken.
  public func receive<R: Sendable>(_ body: sending (Mutator, Message) throws -> R) async throws -> R? {
    switch await claim(.element) {
    case .granted: return try takeInto(body)
    case .closed: return nil
    case .cancelled: throw CancellationError()
    }
  }

  private func claimOrThrow(_ side: Side) async throws {
    switch await claim(side) {
    case .granted: return
    case .closed: throw ChannelClosed()
    case .cancelled: throw CancellationError()
    }
  }

  private func putMade(_ make: (Mutator) throws -> Message) throws {
    let mutator = heap.enter()
    defer { Heap.leave(mutator) }
    let message: Message
    do {
      message = try make(mutator)
    } catch {
      giveRoomBack(mutator)
      throw error
    }
    try put(message, mutator)
  }

  private func takeInto<R>(_ body: (Mutator, Message) throws -> R) throws -> R {
    let mutator = heap.enter()
    defer { Heap.leave(mutator) }
    return try body(mutator, take(mutator))
  }

  // MARK: Promises

  private enum Side { case element, room }

  /// Promises the caller an element or room if there is some that nobody else is promised. The lock is held. Nil when he has to wait.
  private func claim(_ side: Side) -> Waiter.Outcome? {
    switch side {
    case .element:
      if elements > promisedElements {
        promisedElements += 1
        return .granted
      }
      return closed ? .closed : nil
    case .room:
      if closed { return .closed }
      guard elements + promisedRoom < capacity else { return nil }
      promisedRoom += 1
      return .granted
    }
  }

  /// Puts in an element for which room is promised.
  private func put(_ message: Message, _ mutator: Mutator) throws(ChannelClosed) {
    let (isIn, receiver) = holdingLock(mutator) { () -> (Bool, Waiter?) in
      promisedRoom -= 1
      // Whoever waited for an element has been told that there will be none.
      if closed { return (false, nil) }
      ring.get(mutator).unsafelyUnwrapped[(first + elements) % capacity] = message.asReference
      elements += 1
      guard let receiver = receivers.takeFirst() else { return (true, nil) }
      promisedElements += 1
      return (true, receiver)
    }
    receiver?.settle(.granted)
    if !isIn { throw ChannelClosed() }
  }

  /// Takes out an element that is promised.
  private func take(_ mutator: Mutator) -> Message {
    let (message, sender) = holdingLock(mutator) { () -> (Message, Waiter?) in
      let slots = ring.get(mutator).unsafelyUnwrapped
      guard let reference = slots[first] else { fatalError("tricolor: a channel's ring has lost an element") }
      slots[first] = nil
      first = (first + 1) % capacity
      elements -= 1
      promisedElements -= 1
      return (Message(reference), promiseRoom())
    }
    sender?.settle(.granted)
    return message
  }

  private func giveRoomBack(_ mutator: Mutator) {
    let sender = holdingLock(mutator) {
      promisedRoom -= 1
      return promiseRoom()
    }
    sender?.settle(.granted)
  }

  /// The sender who gets the room that has just become free, if one waits. The lock is held.
  private func promiseRoom() -> Waiter? {
    guard let sender = senders.takeFirst() else { return nil }
    promisedRoom += 1
    return sender
  }

  // MARK: Waiting

  /// Runs `body` with the lock held. It does not poll, so the lock is never kept for a cycle.
  private func holdingLock<R>(_ mutator: Mutator, _ body: () -> R) -> R {
    if !lock.tryLock() { mutator.blocking { lock.lock() } }
    defer { lock.unlock() }
    return body()
  }

  private func wait(for side: Side, _ mutator: Mutator) -> Waiter.Outcome {
    var waiter: Waiter? = nil
    let now = holdingLock(mutator) {
      let now = claim(side)
      if now == nil { waiter = enqueue(Waiter(), on: side) }
      return now
    }
    if let now { return now }
    return mutator.blocking { waiter.unsafelyUnwrapped.wait() }
  }

  /// A task's claim. Most find what they want, and then neither a waiter nor a continuation is made.
  private func claim(_ side: Side) async -> Waiter.Outcome {
    if Task.isCancelled { return .cancelled }
    if let now = lock.withLock({ claim(side) }) { return now }
    return await wait(for: side)
  }

  /// Waits without a thread.
  private func wait(for side: Side) async -> Waiter.Outcome {
    let waiter = Waiter()
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let now: Waiter.Outcome? = lock.withLock {
          if waiter.isCancelled { return .cancelled }
          if let now = claim(side) { return now }
          waiter.continuation = continuation
          enqueue(waiter, on: side)
          return nil
        }
        if let now { continuation.resume(returning: now) }
      }
    } onCancel: {
      let wasWaiting = lock.withLock {
        waiter.isCancelled = true
        return side == .element ? receivers.remove(waiter) : senders.remove(waiter)
      }
      if wasWaiting { waiter.settle(.cancelled) }
    }
  }

  @discardableResult
  private func enqueue(_ waiter: Waiter, on side: Side) -> Waiter {
    if side == .element { receivers.append(waiter) } else { senders.append(waiter) }
    return waiter
  }
}

extension ManagedChannel: AsyncSequence {
  /// A root of what was received: elements themselves cannot cross an `await`.
  public typealias Element = Root<Message.Object>
  /// Cancellation ends the sequence; nothing is thrown.
  public typealias Failure = Never

  /// Receives one element after the other.
  public struct Iterator: AsyncIteratorProtocol {
    let channel: ManagedChannel

    /// A root of the next element; nil once the channel is closed and empty, and when the task is cancelled.
    public mutating func next() async -> Root<Message.Object>? {
      await channel.nextRoot()
    }

    /// The same, on whatever actor the caller runs.
    public mutating func next(isolation actor: isolated (any Actor)?) async -> Root<Message.Object>? {
      await channel.nextRoot()
    }
  }

  /// Several tasks may each iterate: every element goes to one of them.
  public func makeAsyncIterator() -> Iterator { Iterator(channel: self) }

  private func nextRoot() async -> Root<Message.Object>? {
    guard await claim(.element) == .granted else { return nil }
    return takeRoot()
  }

  private func takeRoot() -> Root<Message.Object> {
    let mutator = heap.enter()
    defer { Heap.leave(mutator) }
    return mutator.root(take(mutator))
  }
}
