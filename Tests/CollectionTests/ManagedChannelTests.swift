// Channels between threads and tasks: everything that is sent is received once, in order, and nobody waits for ever.

import Testing
import Tricolor

@Suite("Managed channels")
struct ManagedChannelTests {
  private func channel(_ heap: Heap, _ capacity: Int) throws -> ManagedChannel<Reference<Link>> {
    try heap.withMutator { try ManagedChannel(capacity: capacity, $0) }
  }

  private func collectingHeap() throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.debug.clobberFree = true
    configuration.minimumHeap = 128 << 10
    return try Heap(configuration: configuration)
  }

  @Test(
    "Elements come out in the order they went in, and what does not fit or is not there is said",
    .timeLimit(.minutes(15)))
  func order() throws {
    let heap = try Heap.quiet()
    let channel = try channel(heap, 3)
    try onOwnThread {
      try heap.withMutator { m in
        #expect(channel.tryReceive(m) == nil)
        for round in 0..<5 {
          var sent = 0
          while try channel.trySend(.make(round * 3 + sent, m), m) { sent += 1 }
          #expect(sent == 3)
          #expect(channel.count == 3)
          heap.collect()
          for i in 0..<3 { #expect(channel.receive(m)?.key == round * 3 + i) }
        }
        #expect(channel.tryReceive(m) == nil)
      }
    }
  }

  @Test(
    "Threads that send and threads that receive, through rings of all sizes: every element arrives once, in its sender's order",
    .timeLimit(.minutes(15)), arguments: [1, 2, 64])
  func threads(capacity: Int) throws {
    let heap = try collectingHeap()
    let channel = try channel(heap, capacity)
    let each = 4000
    let senders = (0..<3).map { sender in
      RunningThread {
        try heap.withMutator { m in
          for i in 0..<each { try channel.send(.make(sender * each + i, m), m) }
        }
      }
    }
    let receivers = (0..<3).map { _ in
      RunningThread {
        heap.withMutator { m in
          var keys: [Int] = []
          while let link = channel.receive(m) { keys.append(link.key) }
          return keys
        }
      }
    }
    for sender in senders { try sender.join() }
    channel.close()
    let received = try receivers.map { try $0.join() }
    #expect(received.flatMap { $0 }.sorted() == Array(0..<3 * each))
    for keys in received {
      for sender in 0..<3 {
        let ofSender = keys.filter { $0 / each == sender }
        #expect(ofSender == ofSender.sorted())
      }
    }
    #expect(heap.statistics.cycles > 0)
  }

  @Test("Tasks that send and tasks that receive give their threads back while they wait", .timeLimit(.minutes(15)))
  func tasks() async throws {
    let heap = try collectingHeap()
    let channel = try channel(heap, 4)
    let total = try await withThrowingTaskGroup(of: Int.self) { group in
      // Far more waiting tasks than the pool has threads.
      for _ in 0..<200 {
        group.addTask {
          var sum = 0
          while let key = try await channel.receive({ _, link in link.key }) { sum += key }
          return sum
        }
      }
      let sending = Task {
        try await withThrowingTaskGroup(of: Void.self) { senders in
          for sender in 0..<50 {
            senders.addTask { for i in 0..<40 { try await channel.send { try .make(sender * 40 + i, $0) } } }
          }
          try await senders.waitForAll()
        }
        channel.close()
      }
      var total = 0
      for try await sum in group { total += sum }
      try await sending.value
      return total
    }
    #expect(total == 2000 * 1999 / 2)
  }

  @Test(
    "A thread and tasks share a channel, and its sequence of roots ends when it is closed", .timeLimit(.minutes(15)))
  func sequence() async throws {
    let heap = try collectingHeap()
    let channel = try channel(heap, 2)
    let sender = RunningThread {
      try heap.withMutator { m in
        for i in 0..<2000 { try channel.send(.make(i, m), m) }
      }
      channel.close()
    }
    var keys: [Int] = []
    for await root in channel { keys.append(heap.withMutator { root.get($0)!.key }) }
    #expect(keys == Array(0..<2000))
    try sender.join()
  }

  @Test("A closed channel refuses what is sent, gives out what it has, and ends who waits", .timeLimit(.minutes(15)))
  func closing() async throws {
    let heap = try Heap.quiet()
    let channel = try channel(heap, 1)
    try onOwnThread { try heap.withMutator { m in try channel.send(.make(1, m), m) } }
    let waitingThread = RunningThread {
      heap.withMutator { m in
        do throws(ChannelClosed) {
          try channel.send(Reference<Link>.made(2, m), m)
          return false
        } catch {
          return true
        }
      }
    }
    let waitingTask = Task { try await channel.send { try .make(3, $0) } }
    try await Task.sleep(for: .milliseconds(50))
    channel.close()
    channel.close()
    #expect(channel.isClosed)
    #expect(try waitingThread.join())
    await #expect(throws: ChannelClosed.self) { try await waitingTask.value }
    await #expect(throws: ChannelClosed.self) { try await channel.send { try .make(4, $0) } }
    #expect(try await channel.receive { _, link in link.key } == 1)
    #expect(try await channel.receive { _, link in link.key } == nil)
  }

  @Test("Receivers of both kinds that wait when the channel is closed get nil", .timeLimit(.minutes(15)))
  func closingReceivers() async throws {
    let heap = try Heap.quiet()
    let channel = try channel(heap, 1)
    let thread = RunningThread { heap.withMutator { m in channel.receive(m) == nil } }
    let task = Task { try await channel.receive { _, link in link.key } }
    try await Task.sleep(for: .milliseconds(50))
    channel.close()
    #expect(try thread.join())
    #expect(try await task.value == nil)
  }

  @Test(
    "A task that is cancelled while it waits leaves the queue, and others get what it waited for",
    .timeLimit(.minutes(15)))
  func cancelling() async throws {
    let heap = try Heap.quiet()
    let channel = try channel(heap, 1)
    let cancelled = (0..<20).map { _ in Task { try await channel.receive { _, link in link.key } } }
    try await Task.sleep(for: .milliseconds(20))
    let patient = Task { try await channel.receive { _, link in link.key } }
    try await Task.sleep(for: .milliseconds(20))
    for task in cancelled { task.cancel() }
    for task in cancelled { await #expect(throws: CancellationError.self) { try await task.value } }
    try await channel.send { try .make(7, $0) }
    #expect(try await patient.value == 7)
    let before = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await channel.receive { _, link in link.key }
    }
    await #expect(throws: CancellationError.self) { try await before.value }
    // Iteration ends instead.
    let ended = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      for await _ in channel { return false }
      return true
    }
    #expect(await ended.value)
  }

  @Test("Cancelling while elements come never loses one", .timeLimit(.minutes(15)))
  func cancellingBesideSending() async throws {
    let heap = try collectingHeap()
    let channel = try channel(heap, 2)
    let sent = 3000
    let received = Shared<[Int]>([])
    let sending = Task {
      for i in 0..<sent { try await channel.send { try .make(i, $0) } }
      channel.close()
    }
    let receiving = Task {
      while !channel.isClosed || channel.count > 0 {
        let task = Task { try await channel.receive { _, link in link.key } }
        if Bool.random() { await Task.yield() }
        task.cancel()
        if let key = try? await task.value { received.withLock { $0.append(key) } }
      }
    }
    try await sending.value
    await receiving.value
    #expect(received.withLock { $0 } == Array(0..<sent))
  }

  @Test("When making what is to be sent fails, its room goes to the next", .timeLimit(.minutes(15)))
  func failedMaking() async throws {
    struct Failed: Error {}
    let heap = try Heap.quiet()
    let channel = try channel(heap, 1)
    for _ in 0..<3 { await #expect(throws: Failed.self) { try await channel.send { _ in throw Failed() } } }
    try await channel.send { try .make(1, $0) }
    #expect(channel.count == 1)
  }

  @Test("What is in a channel lives, and dies with it")
  func lifetime() throws {
    let heap = try Heap.quiet()
    do {
      let channel = try channel(heap, 100)
      try onOwnThread {
        try heap.withMutator { m in for i in 0..<100 { try channel.send(.make(i, m), m) } }
      }
      heap.collect()
      #expect(heap.statistics.liveBytes >= 100 * 32)
      let keys = try onOwnThread { heap.withMutator { m in (0..<50).map { _ in channel.receive(m)!.key } } }
      #expect(keys == Array(0..<50))
    }
    try onOwnThread { scrubStack() }
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
  }

  @Test("A channel without room and a mutator of another heap end the program")
  func misuse() async {
    let capacity = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try ManagedChannel<Reference<Link>>(capacity: 0, m) }
    }
    expect(capacity, toSay: "a channel of capacity 0; allowed is 1 and more")
    let foreign = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let channel = try Heap.quiet().withMutator { try ManagedChannel<Reference<Link>>(capacity: 1, $0) }
      try Heap.quiet().withMutator { m in _ = channel.tryReceive(m) }
    }
    expect(foreign, toSay: "a mutator of another heap")
  }
}

extension Reference<Link> {
  /// For bodies that throw another error only: there is memory in tests.
  static func made(_ number: Int, _ mutator: Mutator) -> Reference<Link> { try! .make(number, mutator) }
}
