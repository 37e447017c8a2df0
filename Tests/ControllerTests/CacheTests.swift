// The controller's parts by themselves: the wire, the cache with its indexes, queue, retries and outbox.

import Harness
import Testing
import Tricolor

@testable import Controller

/// A heap that collects often and overwrites what it frees.
func testHeap() throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration)
}

@Suite("Cache and queues of the controller")
struct CacheTests {
  private func node(_ number: Int, version: UInt32 = 1, cpu: UInt8 = 50) -> NodeFacts {
    NodeFacts(site: 3, number: number, version: version, policy: 7, cpu: cpu, heartbeat: 11)
  }

  private func put(
    _ facts: NodeFacts, samples: Bool = true, _ cache: Reference<SiteCache>, _ mutator: Mutator
  ) throws -> Reference<CacheEntry> {
    let wire = WireBuffer()
    facts.write(to: wire)
    var reader = WireReader(try wire.received(mutator))
    return try cache.put(try reader.node(keys: cache.keys!, mutator), samples: samples, mutator)
  }

  private func put(
    pod number: Int, version: UInt32 = 1, on node: Int, _ cache: Reference<SiteCache>, _ mutator: Mutator
  ) throws {
    let wire = WireBuffer()
    PodFacts(site: 3, number: number, version: version, node: node).write(to: wire)
    var reader = WireReader(try wire.received(mutator))
    try cache.put(try reader.pod(keys: cache.keys!, mutator), mutator)
  }

  @Test("what is decoded from the wire is written to it again byte by byte")
  func wireIsExact() throws {
    try testHeap().withMutator { mutator in
      let cache = try SiteCache.make(nodes: 4, pods: 4, mutator)
      let (sent, again) = (WireBuffer(capacity: 16), WireBuffer())
      node(5, version: 9).write(to: sent)
      PodFacts(site: 3, number: 17, version: 4, node: 5).write(to: sent)
      var reader = WireReader(try sent.received(mutator))
      let decoded = try reader.node(keys: cache.keys!, mutator)
      let pod = try reader.pod(keys: cache.keys!, mutator)
      #expect(reader.isAtEnd && decoded.number == 5 && decoded.version == 9 && pod.number == 17)
      decoded.write(to: again)
      pod.write(to: again)
      #expect(again.bytes.elementsEqual(sent.bytes))
      // A node is some 2 KiB of objects.
      #expect((1000...3000).contains(sent.bytes.count))
    }
  }

  @Test("a node's new object takes the old one's place under the same entry")
  func nodesAreReplaced() throws {
    try testHeap().withMutator { mutator in
      let cache = try SiteCache.make(nodes: 4, pods: 4, mutator)
      let first = try put(node(1), cache, mutator)
      let second = try put(node(1, version: 2), cache, mutator)
      _ = try put(node(1 + Shape.pools), cache, mutator)
      #expect(first == second && first.node!.version == 2 && cache.nodes == 2)
      #expect(cache.pools![1]!.count == 2 && cache.pools![2]!.count == 0)
    }
  }

  @Test("pods are found by node and namespace as they come, move and go; other entries keep their places")
  func indexesFollowPods() throws {
    try testHeap().withMutator { mutator in
      let cache = try SiteCache.make(nodes: 4, pods: 16, mutator)
      let nodes = try (0..<3).map { try put(node($0), cache, mutator) }
      var random = SplitMix64(seed: 4)
      var expected: [Int: Int] = [:]
      for version in 1...600 {
        let pod = random.below(40)
        if random.below(3) == 0 {
          let wire = WireBuffer()
          PodFacts.writeName(site: 3, number: pod, to: wire)
          let removed = cache.removePod(UnsafeRawBufferPointer(rebasing: wire.bytes.dropFirst()))
          #expect(removed == (expected.removeValue(forKey: pod) != nil))
        } else {
          expected[pod] = random.below(3)
          try put(pod: pod, version: UInt32(version), on: expected[pod]!, cache, mutator)
        }
      }
      #expect(cache.pods == expected.count)
      for (number, entry) in nodes.enumerated() {
        let list = entry.state!.pods!
        #expect(list.count == expected.values.count { $0 == number })
        #expect(list.isSound(.first) { $0.pod!.node!.holds(UnsafeRawBufferPointer(entry.name!.bytes)) })
      }
      for namespace in 0..<Shape.namespaces {
        let list = cache.namespaces![namespace]!
        #expect(list.count == expected.keys.count { PodFacts.namespace($0) == namespace })
        #expect(list.isSound(.second) { Int($0.pod!.namespace) == namespace })
      }
    }
  }

  @Test("a list whose entry has another place, or does not belong, is not sound")
  func unsoundListsAreFound() throws {
    try testHeap().withMutator { mutator in
      let list = try mutator.make(EntryList())
      for _ in 0..<5 { try list.append(try mutator.make(CacheEntry(nameHash: 1, name: nil)), .second, mutator) }
      #expect(list.isSound(.second) { _ in true })
      #expect(!list.isSound(.second) { _ in false })
      list.entries![2]!.setPlace(.second, 3)
      #expect(!list.isSound(.second) { _ in true })
    }
  }

  @Test("the mean of windows counts full ones only, and follows the last samples")
  func windowsAreSummed() throws {
    try testHeap().withMutator { mutator in
      let cache = try SiteCache.make(nodes: 4, pods: 4, mutator)
      for sample in 0..<Shape.window {
        #expect(cache.fullWindows == 0 && cache.windowSum == 0, "\(sample)")
        _ = try put(node(0, cpu: 10), cache, mutator)
      }
      #expect(cache.fullWindows == 1 && cache.windowSum == 10 * Shape.window)
      for _ in 0..<Shape.window / 2 { _ = try put(node(0, cpu: 90), cache, mutator) }
      _ = try put(node(0, cpu: 200), samples: false, cache, mutator)
      #expect(cache.windowSum == 50 * Shape.window)
    }
  }

  @Test("the queue gives entries in order, each once until it is taken")
  func queueKeepsOrder() throws {
    try testHeap().withMutator { mutator in
      let cache = try SiteCache.make(nodes: 300, pods: 4, mutator)
      let queue = try WorkQueue.make(mutator)
      let entries = try (0..<300).map { try put(node($0), cache, mutator) }
      for round in 0..<3 {
        for entry in entries { try queue.add(entry, mutator) }
        for entry in entries.shuffled() { try queue.add(entry, mutator) }
        #expect(queue.count == 300, "\(round)")
        for entry in entries { #expect(queue.take() == entry) }
        #expect(queue.take() == nil)
      }
    }
  }

  @Test("retries come when they are due, the earliest first, and wait twice as long after each failure")
  func retriesAreOrdered() throws {
    try testHeap().withMutator { mutator in
      let retries = try RetryHeap.make(mutator)
      var random = SplitMix64(seed: 6)
      var due = (0..<500).map { _ in random.below(1000) }
      for time in due {
        try retries.add(try mutator.make(CacheEntry(nameHash: UInt64(time), name: nil)), due: time, mutator)
      }
      due.sort()
      #expect(retries.take(at: due[0] - 1) == nil)
      var found: [Int] = []
      for now in 0..<1000 {
        while let entry = retries.take(at: now) {
          #expect(Int(entry.nameHash) == now)
          found.append(Int(entry.nameHash))
        }
      }
      #expect(found == due && retries.count == 0)
    }
    #expect((1...10).map { RetryHeap.wait(failures: $0) } == [1, 2, 4, 8, 16, 32, 64, 128, 160, 160])
  }

  @Test("the outbox delivers in order, not before a message has arrived, and says when it is full")
  func outboxDelivers() throws {
    try testHeap().withMutator { mutator in
      let outbox = try Outbox.make(mutator)
      var sent = 0
      while !outbox.isFull {
        outbox.send(try mutator.make(Message(kind: .policy, number: UInt32(sent), detail: 0, arrival: 5, body: nil)))
        sent += 1
      }
      #expect(sent == 256 && outbox.receive(at: 4) == nil)
      for number in 0..<sent { #expect(outbox.receive(at: 5)?.number == UInt32(number)) }
      #expect(outbox.receive(at: 9) == nil && !outbox.isFull)
    }
  }
}
