// What a random program does with things that keep nothing alive, with its settings, and with short-lived threads.
//
// The model knows only one direction for sure: what is reachable from this thread's table is alive. So a weak load of such an object must
// answer it, one of another object may answer it or nil, and once it has answered nil it may not answer anything else. What it
// answers must be whole, so the models of weakly held objects are kept for as long as something may answer them.

@_spi(Testing) import Tricolor

extension ShadowThread {
  // MARK: Weak references

  mutating func makeWeak(_ k: Int, to i: Int) throws {
    guard table[i] != 0 else { return }
    let (anchor, weakAnchor) = (self.anchor, self.weakAnchor)
    try heap.withMutator { m in weakAnchor.get(m)![k] = try m.makeWeak(anchor.get(m)![i]!) }
    weakTable[k] = table[i]
  }

  mutating func loadWeak(_ k: Int, into i: Int) throws {
    let (anchor, weakAnchor) = (self.anchor, self.weakAnchor)
    let found = heap.withMutator { m in
      let item = weakAnchor.get(m)![k]?.referent
      anchor.get(m)![i] = item
      return item.map { $0.identity } ?? 0
    }
    try check(found, weakTable[k], "weak reference \(k)")
    if world.cleaned.withLock({ $0[found] }) != nil {
      throw Mismatch(description: "weak reference \(k) answered \(found), whose cleanup has run")
    }
    if found == 0 { weakTable[k] = 0 }
    table[i] = found
  }

  /// `found` must be `expected` or, if nothing the thread knows keeps that alive, 0.
  private func check(_ found: Int, _ expected: Int, _ what: String) throws {
    if found == expected { return }
    if found != 0 { throw Mismatch(description: "\(what) answered \(found), not \(expected) or nil") }
    if shadow.reach(from: table).contains(expected) {
      throw Mismatch(description: "\(what) answered nil, but \(expected) is reachable")
    }
  }

  // MARK: Ephemerons

  mutating func makeEphemeron(_ k: Int, key i: Int, value j: Int) throws {
    guard table[i] != 0 else { return }
    let (anchor, ephemeronAnchor) = (self.anchor, self.ephemeronAnchor)
    try heap.withMutator { m in
      let table = anchor.get(m)!
      ephemeronAnchor.get(m)![k] = try m.makeEphemeron(key: table[i]!, value: table[j])
    }
    (keyTable[k], valueTable[k]) = (table[i], table[j])
  }

  mutating func loadEphemeron(_ k: Int, into i: Int) throws {
    let (anchor, ephemeronAnchor) = (self.anchor, self.ephemeronAnchor)
    let (key, value) = heap.withMutator { m in
      let ephemeron = ephemeronAnchor.get(m)![k]
      let key = ephemeron?.key
      let value = ephemeron?.value
      anchor.get(m)![i] = value
      return (key.map { $0.identity } ?? 0, value.map { $0.identity } ?? 0)
    }
    try check(key, keyTable[k], "the key of ephemeron \(k)")
    if key == 0 { (keyTable[k], valueTable[k]) = (0, 0) }
    if value != valueTable[k] {
      throw Mismatch(description: "the value of ephemeron \(k) is \(value), not \(valueTable[k]); its key is \(key)")
    }
    table[i] = value
  }

  mutating func setEphemeron(_ k: Int, to i: Int) {
    let (anchor, ephemeronAnchor) = (self.anchor, self.ephemeronAnchor)
    let isAlive = heap.withMutator { m in
      guard let ephemeron = ephemeronAnchor.get(m)![k] else { return false }
      ephemeron.value = anchor.get(m)![i]
      return ephemeron.key != nil
    }
    if isAlive {
      valueTable[k] = table[i]
    } else {
      (keyTable[k], valueTable[k]) = (0, 0)
    }
  }

  // MARK: Cleanups and external bytes

  mutating func addCleanup(to i: Int) {
    guard table[i] != 0 else { return }
    let (anchor, cleaned, identity) = (self.anchor, world.cleaned, table[i])
    world.registeredCleanups.withLock { $0 += 1 }
    heap.withMutator { m in
      _ = m.addCleanup(to: anchor.get(m)![i]!) { cleaned.withLock { $0[identity, default: 0] += 1 } }
    }
  }

  /// No cleanup of an object that is reachable may have run.
  func compareCleanups() throws {
    let reachable = shadow.reach(from: table)
    let early = world.cleaned.withLock { cleaned in reachable.first { cleaned[$0] != nil } }
    if let early { throw Mismatch(description: "a cleanup of \(early) has run, but it is reachable") }
  }

  func addExternalBytes(to i: Int, count: Int) {
    let anchor = self.anchor
    heap.withMutator { m in if let item = anchor.get(m)![i] { m.addExternalBytes(count, to: item) } }
  }

  // MARK: Settings and visitors

  mutating func changeSettings() {
    let (growth, room) = (random.below(4), random.below(4))
    guard world.changesSettings else { return }
    var configuration = heap.configuration
    configuration.gcPercent = [20, 100, 400, nil][growth]
    let resident = Int64(heap.statistics.residentBytes)
    configuration.memoryLimit = room == 0 ? .off : .bytes(resident + [0, 4, 32, 256][room] << 20)
    if configuration.gcPercent == nil && room == 0 { configuration.gcPercent = 100 }
    if heap.memoryNodes.count > 1 { configuration.numa = [.local, .interleave, .node(1), .off][(growth + room) % 4] }
    heap.configuration = configuration
  }

  /// A thread that attaches, looks at an object through a root and ends, while this one is parked or outside.
  func visit(_ i: Int) throws {
    let (heap, anchor, expected) = (self.heap, self.anchor, table[i])
    let found = try heap.withMutator { m in
      let root = m.root(anchor.get(m)![i])
      return try m.blocking {
        try onOwnThread { heap.withMutator { other in root.get(other).map { $0.identity } ?? 0 } }
      }
    }
    if found != expected { throw Mismatch(description: "a visitor found \(found) in slot \(i), not \(expected)") }
  }
}
