// What a client does in each phase, one operation at a time.
//
// The steady mix is that of a Kubernetes cluster as etcd sees it (anchors: node leases renewed every ten seconds
// outnumber everything else): of a hundred operations twenty read; of the writes 80 % renew a node's lease, 12 % update
// a status by comparison, 5 % create an event on a lease, 3 % delete or make again.

import Harness
import Tricolor

extension Partition {
  /// One operation of the steady mix.
  func steadyOperation(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    clock += 1
    if let kind = try maintainLeases(store, m) { return kind }
    let draw = random.next()
    if draw % 4_096 == 0 { return try listPage(store, pinned: false, m) }
    if draw % 100 < 20 { return try read(store, m) }
    switch draw >> 32 % 100 {
    case 0..<80 where !heartbeats.isEmpty: return try renewHeartbeat(store, m)
    case 0..<92 where !statuses.isEmpty: return try updateStatus(store, m)
    case 92..<97: return try createEvent(store, m)
    default: return statuses.isEmpty ? try createEvent(store, m) : try deleteOrRemake(store, m)
    }
  }

  /// A large put, as in a burst that every watcher of the directory is told of.
  func burstOperation(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    clock += 1
    try put(KeySpace.burstKey(partition: id, scratch), bytes: options.burstValueBytes, store, m)
    return .put
  }

  // MARK: Reads

  private func read(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    if all.isEmpty { return .get }
    let wanted = key(pick(all))
    let expected = shadow[ShadowTable.hash(wanted)]
    let found = try store.get(wanted, m)
    if !agrees(found, with: expected) { wrongAnswers += 1 }
    return .get
  }

  /// Whether the store's answer is what the shadow says; no one else writes the key, so it must be so at any time.
  private func agrees(_ found: Reference<KeyValue>?, with expected: ShadowEntry?) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    let content = ShadowTable.content(value: Checksum.hash(found.valueBytes), lease: found.lease)
    return content == expected.content && found.modified == expected.modified && found.version == Int(expected.version)
  }

  private func pick(_ numbers: [UInt32]) -> UInt32 { numbers[Int(random.next() % UInt64(numbers.count))] }

  // MARK: Writes

  private func renewHeartbeat(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    let number = pick(heartbeats)
    try put(key(number), bytes: try nextBytes(number, store, m), compares: true, store, m)
    return .leaseRenewal
  }

  /// An update as Kubernetes makes it; one in a hundred with an outdated revision, which must be refused.
  private func updateStatus(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    let number = pick(statuses)
    if random.next() % 100 == 0 { try putOutdated(number, store, m) }
    let bytes = try nextBytes(number, store, m)
    if let place = deleted.firstIndex(of: number) { deleted.remove(at: place) }
    try put(key(number), bytes: bytes, compares: true, store, m)
    return .transaction
  }

  private func putOutdated(_ number: UInt32, _ store: EtcdStore, _ m: Mutator) throws {
    let wanted = key(number)
    let modified = shadow[ShadowTable.hash(wanted)]?.modified ?? 0
    builder.begin()
    builder.compare(wanted, modified: modified + 1)
    builder.put(wanted, .generated(seed: random.next(), count: 100))
    let outcome = try store.submit(try builder.frame(m), m)
    if outcome.succeeded || outcome.foundModified != modified { wrongAnswers += 1 }
  }

  /// Deletes a key, or makes the oldest deleted one again when many are.
  private func deleteOrRemake(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    if deleted.count > statuses.count / 32 {
      let number = deleted.first!
      let bytes = keys.isMadeUp ? keys.valueBytes(Int(number), draw: random.next()) : 500
      try put(key(number), bytes: bytes, store, m)
      deleted.removeFirst()
      return .put
    }
    let number = pick(statuses)
    try delete(key(number), store, m)
    if !deleted.contains(number) { deleted.append(number) }
    return .delete
  }

  // MARK: Events and leases

  private func createEvent(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    if !events.hasRoom { try grantLease(store, m) }
    let lease = events.granted.last!.id
    try put(
      KeySpace.eventKey(partition: id, number: events.nextEvent, scratch), bytes: keys.eventBytes, lease: lease, store,
      m)
    events.nextEvent += 1
    events.granted[events.granted.count - 1].endEvent = events.nextEvent
    return .put
  }

  private func grantLease(_ store: EtcdStore, _ m: Mutator) throws {
    let lease = (id + 1) << 32 | events.nextLease
    try store.grant(lease, lifetime: EventLeases.lifetime, session: id, now: clock, m)
    events.nextLease += 1
    events.granted.append(
      .init(
        id: lease, expiry: clock + EventLeases.lifetime, firstEvent: events.nextEvent, endEvent: events.nextEvent))
  }

  /// Ends a lease whose time has come, or renews the newest now and then.
  private func maintainLeases(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind? {
    guard let oldest = events.granted.first else { return nil }
    if oldest.expiry <= clock {
      try endLease(store, m)
      return .delete
    }
    if clock % 509 == 0 {
      let newest = events.granted.count - 1
      try store.renew(events.granted[newest].id, now: clock, m)
      events.granted[newest].expiry = clock + EventLeases.lifetime
      return .leaseRenewal
    }
    return nil
  }

  /// Lets the store end one lease, and expects it to be one that should end and all its events to be gone.
  private func endLease(_ store: EtcdStore, _ m: Mutator) throws {
    let ended = try store.expireOne(session: id, now: clock, m)
    guard let place = events.granted.firstIndex(where: { $0.id == ended && $0.expiry <= clock }) else {
      wrongAnswers += 1
      events.granted.removeFirst()
      return
    }
    let lease = events.granted.remove(at: place)
    for number in lease.firstEvent..<lease.endEvent {
      shadow.remove(ShadowTable.hash(KeySpace.eventKey(partition: id, number: number, scratch)))
    }
    leasesEnded += 1
  }

  // MARK: Lists

  /// The next page of this client's list of the whole store. The pages of a pinned list are all of its first page's
  /// revision; if that was compacted the list begins again.
  func listPage(_ store: EtcdStore, pinned: Bool, _ m: Mutator) throws -> WorkKind {
    if pinned && list.revision == 0 { restartList() }
    do {
      let page = try store.page(
        from: list.start.bytes, to: nil, at: pinned ? list.revision : 0, limit: options.pageLimit, m)
      _ = try store.send(page, m)
      if !isOrdered(page) { wrongAnswers += 1 }
      advance(past: page, pinned: pinned)
    } catch StoreError.compacted {
      list.restarts += 1
      restartList()
    }
    return .listPage
  }

  /// The whole store in one response.
  func listAll(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    restartList()
    let page = try store.page(from: list.start.bytes, to: nil, limit: PageLimit.none, m)
    if page.hasMore || !isOrdered(page) { wrongAnswers += 1 }
    _ = try store.sendWhole(page, m)
    list.finishedLists += 1
    return .list
  }

  /// The whole store at one revision in messages of some size, one after the other.
  func streamAll(_ store: EtcdStore, _ m: Mutator) throws -> WorkKind {
    let finished = list.finishedLists
    restartList()
    while list.finishedLists == finished {
      do {
        let page = try store.page(
          from: list.start.bytes, to: nil, at: list.revision, limit: PageLimit.streamed, m)
        if !isOrdered(page) { wrongAnswers += 1 }
        _ = try store.sendWhole(page, m)
        advance(past: page, pinned: true)
      } catch StoreError.compacted {
        list.restarts += 1
        restartList()
      }
      m.poll()
    }
    return .list
  }

  /// The next list starts with the first key, at the revision of that time.
  func restartList() {
    list.start.removeAll()
    list.revision = 0
  }

  private func isOrdered(_ page: Reference<RangeResponse>) -> Bool {
    for index in 0..<page.pairCount {
      let before = index == 0 ? list.start.bytes : page.pair(index - 1).keyBytes
      let order = ByteOrder.compare(before, page.pair(index).keyBytes)
      if index == 0 ? order > 0 : order >= 0 { return false }
    }
    return true
  }

  private func advance(past page: Reference<RangeResponse>, pinned: Bool) {
    guard page.hasMore else {
      list.finishedLists += 1
      return restartList()
    }
    list.start.removeAll()
    list.start.append(page.pair(page.pairCount - 1).keyBytes)
    // The smallest key after the last one: itself and a zero byte.
    list.start.append(0)
    list.revision = pinned ? page.header.unsafelyUnwrapped.revision : 0
  }
}
