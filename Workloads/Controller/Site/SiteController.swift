// The controller of one site: an informer that keeps the cache in step with the API server, a queue of nodes to reconcile, retries, and
// the outbox through which policies and pods are sent. Time is simulated, in ticks of 100 ms; what is timed is the work itself.
//
// A site belongs to one client thread, which alone changes it. Other threads look nodes up in its cache, under the lock.

import Harness
import Tricolor
import TricolorPlatform

/// What operations are timed, in the order of `ControllerWorkload.kinds`.
enum ControllerKind: Int, CaseIterable {
  case heartbeat, podEvent, reconcile, delivery, policyPush, discovery, relist

  var name: String {
    switch self {
    case .heartbeat: "heartbeat"
    case .podEvent: "pod event"
    case .reconcile: "reconcile"
    case .delivery: "delivery"
    case .policyPush: "policy push"
    case .discovery: "discovery"
    case .relist: "relist"
    }
  }
}

/// Periods and bounds, in ticks of simulated time.
enum Schedule {
  static let tickNanoseconds: UInt64 = 100_000_000
  static let ticksInMinute = 600
  static let heartbeat = 100
  static let policy = 200
  /// Each site is lost once in this time, one after the other.
  static let flap = 7200
  static let flapDistance = 600
  static let outage = 20
  /// Of a site's pods one in so many changes in a tick: each every five minutes.
  static let podChange = 3000
  static let work = 200
  static let deliveries = 100
  static let discoveries = 2
  static let page = 500
  static let matches = 100
  /// Percent of CPU, averaged over windows, above which pods are added, and below which they go.
  static let busy = 85
  static let calm = 65
}

/// What a site has seen, beside latencies.
struct SiteCounts: Sendable {
  var policyPushes = 0
  /// Pushes that all nodes had applied before the next, and the longest time to that, in ticks.
  var policySyncs = 0
  var longestPolicySync = 0
  var flaps = 0
  var bursts = 0
  var longestBurst = 0
  var burstsEnded = 0
  var retries = 0
  var fullOutbox = 0
  var matches = 0
  var wrongMatches = 0
  var wrongMessages = 0
  var relistBytes = 0

  mutating func add(_ other: SiteCounts) {
    policyPushes += other.policyPushes
    policySyncs += other.policySyncs
    longestPolicySync = max(longestPolicySync, other.longestPolicySync)
    flaps += other.flaps
    bursts += other.bursts
    longestBurst = max(longestBurst, other.longestBurst)
    burstsEnded += other.burstsEnded
    retries += other.retries
    fullOutbox += other.fullOutbox
    matches += other.matches
    wrongMatches += other.wrongMatches
    wrongMessages += other.wrongMessages
    relistBytes += other.relistBytes
  }
}

/// A site with everything about it.
final class SiteController: Sendable {
  let lock = MutatorReadWriteLock()
  let cache: Root<SiteCache>
  private let queue: Root<WorkQueue>
  private let retries: Root<RetryHeap>
  private let outbox: Root<Outbox>
  private let policies: Root<ReferenceArray<Policy>>
  nonisolated(unsafe) private let wire = WireBuffer()
  nonisolated(unsafe) private(set) var model: SiteModel
  nonisolated(unsafe) private(set) var counts = SiteCounts()
  nonisolated(unsafe) private var random: SplitMix64
  nonisolated(unsafe) private var now = 0
  /// Ticks in which new things happened.
  nonisolated(unsafe) private(set) var ticks = 0
  nonisolated(unsafe) private var connectsAt = 0
  nonisolated(unsafe) private var policyAt: Int? = nil
  nonisolated(unsafe) private var burstAt: Int? = nil
  /// Pods that should be there beyond the usual ones, and how many have been asked for.
  nonisolated(unsafe) private var wantedSpares = 0
  nonisolated(unsafe) private var requestedSpares = 0

  init(_ model: SiteModel, seed: UInt64, _ mutator: Mutator) throws(OutOfMemory) {
    self.model = model
    random = SplitMix64(seed: Checksum.mix(seed &+ UInt64(model.site)))
    cache = mutator.root(try SiteCache.make(nodes: model.nodes, pods: model.pods, mutator))
    queue = mutator.root(try WorkQueue.make(mutator))
    retries = mutator.root(try RetryHeap.make(mutator))
    outbox = mutator.root(try Outbox.make(mutator))
    let policies = try mutator.makeArray(of: Policy.self, count: Shape.policies)
    for number in 0..<Shape.policies { policies[number] = try SiteController.makePolicy(UInt32(number), mutator) }
    self.policies = mutator.root(policies)
  }

  private static func makePolicy(_ number: UInt32, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Policy> {
    let rules = try mutator.makeBytes(count: Shape.policyBytes) { SiteController.fill($0, UInt64(number)) }
    return try mutator.make(Policy(number: number, rules: rules))
  }

  /// Content that follows from `seed`.
  private static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ seed: UInt64) {
    for word in 0..<bytes.count / 8 {
      bytes.storeBytes(of: Checksum.mix(seed << 16 &+ UInt64(word)), toByteOffset: 8 * word, as: UInt64.self)
    }
  }

  private static func isFilled(_ bytes: UnsafeMutableRawBufferPointer, _ seed: UInt64) -> Bool {
    (0..<bytes.count / 8).allSatisfy { word in
      bytes.load(fromByteOffset: 8 * word, as: UInt64.self) == Checksum.mix(seed << 16 &+ UInt64(word))
    }
  }

  private var isConnected: Bool { now >= connectsAt }

  // MARK: Ticks

  /// A tick of simulated time with all that happens in it. `all` are the sites that discovery asks.
  func tick(_ all: [SiteController], _ client: Client, _ mutator: Mutator) throws(OutOfMemory) {
    now += 1
    ticks += 1
    if now % Schedule.policy == model.site % Schedule.policy { try pushPolicy(client, mutator) }
    if now % Schedule.flap == (model.site + 1) * Schedule.flapDistance % Schedule.flap { try drop(mutator) }
    if now == connectsAt { try relist(client, mutator) }
    for node in stride(from: now % Schedule.heartbeat, to: model.nodes, by: Schedule.heartbeat) {
      model.heartbeat(node, at: now)
      if isConnected {
        try time(.heartbeat, client) { () throws(OutOfMemory) in try receive(node: node, samples: true, mutator) }
      }
    }
    try changePods(client, mutator)
    try control(client, mutator)
    for _ in 0..<Schedule.discoveries {
      let site = all[random.below(all.count)]
      let pool = random.below(Shape.pools)
      try time(.discovery, client) { () throws(OutOfMemory) in try discover(pool, at: site, mutator) }
    }
  }

  /// What the controller does without anything new from outside.
  func control(_ client: Client?, _ mutator: Mutator) throws(OutOfMemory) {
    guard isConnected else { return }
    try deliver(client, mutator)
    try work(client, mutator)
    try scale(mutator)
    if let began = policyAt, model.synchronised == model.nodes {
      counts.policySyncs += 1
      counts.longestPolicySync = max(counts.longestPolicySync, now - began)
      policyAt = nil
    }
  }

  /// Ticks without new events until everything on its way has arrived; false when that takes for ever.
  func drain(_ mutator: Mutator) throws(OutOfMemory) -> Bool {
    for _ in 0..<100_000 {
      if isConnected && queue.get(mutator)!.count == 0 && retries.get(mutator)!.count == 0
        && outbox.get(mutator)!.count == 0 && requestedSpares == wantedSpares
      {
        return true
      }
      now += 1
      if now == connectsAt { try relist(nil, mutator) }
      try control(nil, mutator)
    }
    return false
  }

  /// Runs `body`; where a client is there, as an operation of its.
  @inline(__always)
  private func time<R>(
    _ kind: ControllerKind, _ client: Client?, _ body: () throws(OutOfMemory) -> R
  ) throws(OutOfMemory) -> R {
    guard let client else { return try body() }
    let began = Clock.monotonic()
    let result = try body()
    client.record(kind: kind.rawValue, nanoseconds: Clock.monotonic() - began)
    return result
  }

  // MARK: The informer

  /// A node's event arrives: it is decoded, takes its place in the cache, and is to be reconciled.
  private func receive(node number: Int, samples: Bool, _ mutator: Mutator) throws(OutOfMemory) {
    wire.clear()
    model.node(number).write(to: wire)
    let cache = self.cache.get(mutator)!
    var reader = WireReader(try wire.received(mutator))
    let node = try reader.node(keys: cache.keys!, mutator)
    let entry = try lock.writing(mutator) { () throws(OutOfMemory) in
      try cache.put(node, samples: samples, mutator)
    }
    try queue.get(mutator)!.add(entry, mutator)
  }

  private func receive(pod number: Int, _ mutator: Mutator) throws(OutOfMemory) {
    wire.clear()
    model.pod(number).write(to: wire)
    let cache = self.cache.get(mutator)!
    var reader = WireReader(try wire.received(mutator))
    let pod = try reader.pod(keys: cache.keys!, mutator)
    try lock.writing(mutator) { () throws(OutOfMemory) in try cache.put(pod, mutator) }
  }

  /// Some pods change; of ten one goes to another node.
  private func changePods(_ client: Client, _ mutator: Mutator) throws(OutOfMemory) {
    for _ in 0..<(model.pods + Schedule.podChange - 1) / Schedule.podChange {
      let pod = random.below(model.pods)
      let node = random.below(10) == 0 ? random.below(model.nodes) : Int(model.podNode[pod])
      model.change(pod: pod, node: node)
      if isConnected { try time(.podEvent, client) { () throws(OutOfMemory) in try receive(pod: pod, mutator) } }
    }
  }

  /// The connection is lost, and with it the cache and all that was to be done.
  private func drop(_ mutator: Mutator) throws(OutOfMemory) {
    counts.flaps += 1
    connectsAt = now + Schedule.outage
    let empty = try SiteCache.make(nodes: model.nodes, pods: model.pods, mutator)
    lock.writing(mutator) { cache.set(empty, mutator) }
    queue.set(try WorkQueue.make(mutator), mutator)
    retries.set(try RetryHeap.make(mutator), mutator)
  }

  /// Fills the cache from lists, page by page, as after a lost connection or at the start. Ends early where `isOver` says so.
  func relist(
    _ client: Client?, _ mutator: Mutator, isOver: () -> Bool = { false }
  ) throws(OutOfMemory) {
    try time(.relist, client) { () throws(OutOfMemory) in
      let cache = self.cache.get(mutator)!
      let queue = self.queue.get(mutator)!
      for first in stride(from: 0, to: model.nodes, by: Schedule.page) where !isOver() {
        var page = try self.page(first..<min(first + Schedule.page, model.nodes), mutator) {
          model.node($0).write(to: wire)
        }
        try lock.writing(mutator) { () throws(OutOfMemory) in
          while !page.isAtEnd {
            let node = try page.node(keys: cache.keys!, mutator)
            try queue.add(try cache.put(node, samples: false, mutator), mutator)
          }
        }
      }
      for first in stride(from: 0, to: model.podNode.count, by: Schedule.page) where !isOver() {
        var page = try self.page(first..<min(first + Schedule.page, model.podNode.count), mutator) { number in
          if model.podNode[number] >= 0 { model.pod(number).write(to: wire) }
        }
        try lock.writing(mutator) { () throws(OutOfMemory) in
          while !page.isAtEnd { try cache.put(try page.pod(keys: cache.keys!, mutator), mutator) }
        }
      }
    }
  }

  /// A page of a list, as one message.
  private func page(
    _ numbers: Range<Int>, _ mutator: Mutator, _ write: (Int) -> Void
  ) throws(OutOfMemory) -> WireReader {
    wire.clear()
    for number in numbers { write(number) }
    counts.relistBytes += wire.count
    return WireReader(try wire.received(mutator))
  }

  // MARK: Policies

  /// A new policy is there: every node is to be reconciled.
  private func pushPolicy(_ client: Client, _ mutator: Mutator) throws(OutOfMemory) {
    counts.policyPushes += 1
    model.announce(model.newestPolicy + 1)
    policyAt = now
    let number = model.newestPolicy
    try time(.policyPush, client) { () throws(OutOfMemory) in
      policies.get(mutator)![Int(number) % Shape.policies] = try SiteController.makePolicy(number, mutator)
      let pools = cache.get(mutator)!.pools!
      let queue = self.queue.get(mutator)!
      for pool in 0..<pools.count {
        let list = pools[pool]!
        for place in 0..<list.count {
          mutator.poll()
          try queue.add(list.entries![place]!, mutator)
        }
      }
    }
  }

  /// Reconciles nodes: those that were to be tried again first in the queue's order, so many in a tick.
  private func work(_ client: Client?, _ mutator: Mutator) throws(OutOfMemory) {
    let queue = self.queue.get(mutator)!
    let retries = self.retries.get(mutator)!
    while let entry = retries.take(at: now) { try queue.add(entry, mutator) }
    for _ in 0..<Schedule.work {
      guard let entry = queue.take() else { return }
      try time(.reconcile, client) { () throws(OutOfMemory) in
        if try reconcile(entry, mutator) {
          entry.state!.failures = 0
        } else {
          entry.state!.failures += 1
          counts.retries += 1
          try retries.add(entry, due: now + RetryHeap.wait(failures: entry.state!.failures), mutator)
        }
      }
    }
  }

  /// Sends a node the newest policy if it lacks it; false when that must be tried again.
  private func reconcile(_ entry: Reference<CacheEntry>, _ mutator: Mutator) throws(OutOfMemory) -> Bool {
    let node = entry.node!
    let state = entry.state!
    let newest = model.newestPolicy
    if node.policy >= newest || state.sentPolicy >= newest { return true }
    // Some attempts meet a conflict, once or twice.
    if state.failures < 2 && Checksum.mix(UInt64(node.number) << 32 | UInt64(newest)) % 64 == 0 { return false }
    if outbox.get(mutator)!.isFull {
      counts.fullOutbox += 1
      return false
    }
    try send(.policy, Int(node.number), detail: Int(newest), mutator)
    state.sentPolicy = newest
    return true
  }

  private func send(_ kind: MessageKind, _ number: Int, detail: Int, _ mutator: Mutator) throws(OutOfMemory) {
    let seed = UInt64(number) << 24 | UInt64(detail)
    let body = try mutator.makeBytes(count: Shape.patchBytes) { SiteController.fill($0, seed) }
    let message = try mutator.make(
      Message(
        kind: kind, number: UInt32(number), detail: UInt32(detail), arrival: now + 1 + model.site % 3, body: body))
    outbox.get(mutator)!.send(message)
  }

  /// Messages reach the API server, whose answers are events.
  private func deliver(_ client: Client?, _ mutator: Mutator) throws(OutOfMemory) {
    let outbox = self.outbox.get(mutator)!
    for _ in 0..<Schedule.deliveries {
      guard let message = outbox.receive(at: now) else { return }
      try time(.delivery, client) { () throws(OutOfMemory) in try apply(message, mutator) }
    }
  }

  private func apply(_ message: Reference<Message>, _ mutator: Mutator) throws(OutOfMemory) {
    let (number, detail) = (Int(message.number), Int(message.detail))
    let seed = UInt64(number) << 24 | UInt64(detail)
    if !message.body!.withBytes({ SiteController.isFilled($0, seed) }) { counts.wrongMessages += 1 }
    switch message.kind {
    case .policy: if model.apply(UInt32(detail), to: number) { try receive(node: number, samples: false, mutator) }
    case .createPod:
      model.change(pod: number, node: detail)
      try receive(pod: number, mutator)
    case .deletePod:
      guard model.remove(pod: number) else { return }
      wire.clear()
      PodFacts.writeName(site: model.site, number: number, to: wire)
      let name = UnsafeRawBufferPointer(rebasing: wire.bytes.dropFirst())
      let wasThere = lock.writing(mutator) { cache.get(mutator)!.removePod(name) }
      if !wasThere { counts.wrongMessages += 1 }
    }
  }

  // MARK: Bursts

  /// Adds pods when nodes have been busy for minutes, and takes them away when they are calm again.
  private func scale(_ mutator: Mutator) throws(OutOfMemory) {
    let cache = self.cache.get(mutator)!
    if 2 * cache.fullWindows > model.nodes {
      let mean = cache.windowSum / (cache.fullWindows * Shape.window)
      if wantedSpares == 0 && requestedSpares == 0 && mean > Schedule.busy {
        wantedSpares = model.sparePods
        burstAt = now
        counts.bursts += 1
      } else if wantedSpares > 0 && mean < Schedule.calm {
        wantedSpares = 0
        counts.burstsEnded += 1
      }
    }
    let outbox = self.outbox.get(mutator)!
    while requestedSpares != wantedSpares && !outbox.isFull {
      if requestedSpares < wantedSpares {
        let pod = model.pods + requestedSpares
        let node = Checksum.mix(UInt64(pod) << 32 | UInt64(now)) % UInt64(model.nodes)
        try send(.createPod, pod, detail: Int(node), mutator)
        requestedSpares += 1
      } else {
        requestedSpares -= 1
        try send(.deletePod, model.pods + requestedSpares, detail: 0, mutator)
      }
    }
    if let began = burstAt, model.runningSpares == model.sparePods {
      counts.longestBurst = max(counts.longestBurst, now - began)
      burstAt = nil
    }
  }

  // MARK: Discovery

  /// Asks a site for nodes of a pool, by its label: at most a hundred, with an answer of their names and versions.
  private func discover(_ pool: Int, at site: SiteController, _ mutator: Mutator) throws(OutOfMemory) {
    let answer = try mutator.makeArray(of: NodeObject.self, count: Schedule.matches)
    wire.clear()
    wire.append("pool-", UInt64(pool), digits: 1)
    let found = site.lock.reading(mutator) {
      var found = 0
      let list = site.cache.get(mutator)!.pools![pool]!
      for place in 0..<list.count where found < Schedule.matches {
        let node = list.entries![place]!.node!
        if !node.labels![Shape.poolLabel].value!.holds(wire.bytes) { continue }
        answer[found] = node
        found += 1
      }
      return found
    }
    wire.clear()
    for place in 0..<found {
      let node = answer[place]!
      wire.write(node.version)
      node.name!.withBytes { wire.write(text: UnsafeRawBufferPointer($0)) }
      if NodeFacts.pool(Int(node.number)) != pool { counts.wrongMatches += 1 }
    }
    _ = try wire.received(mutator)
    counts.matches += found
  }

  // MARK: The check

  /// Policies that are not what was made.
  func wrongPolicies(_ mutator: Mutator) -> Int {
    let policies = self.policies.get(mutator)!
    return (0..<policies.count).count { place in
      let policy = policies[place]!
      let isRight = policy.rules!.withBytes { SiteController.isFilled($0, UInt64(policy.number)) }
      return !isRight || Int(policy.number) % Shape.policies != place
    }
  }
}
