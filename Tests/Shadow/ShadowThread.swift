// One thread's part of a random program: operations on a table of slots and on the model of it.
//
// The table is a managed array kept by a root; slot i refers to the object with identity `table[i]`. Threads exchange subgraphs
// through mailboxes; what has been exchanged is frozen. A part is a value: it can be carried from a thread that ends to one that
// begins, so that threads come and go in the middle of cycles with all they left in the heap.

@_spi(Testing) import Tricolor

/// What a random program may do next, with its weight.
package enum Operation: String, CaseIterable, Sendable {
  case make, replaceBox, fillBox, lookIntoBox, link, unlink, follow, move, clear, garbage, park, send, receive
  case makeWeak, loadWeak, makeEphemeron, loadEphemeron, setEphemeron, addCleanup, externalBytes, change, visitor

  var weight: Int {
    switch self {
    case .make: 230
    case .link: 170
    case .follow, .move, .clear: 90
    case .fillBox, .lookIntoBox: 45
    case .replaceBox, .unlink, .garbage, .park, .send, .receive: 28
    case .makeWeak, .loadWeak, .makeEphemeron, .loadEphemeron: 20
    case .setEphemeron: 10
    case .addCleanup, .externalBytes: 5
    case .change, .visitor: 1
    }
  }

  /// Every operation as often as it weighs.
  static let lot: [Operation] = allCases.flatMap { Array(repeating: $0, count: $0.weight) }
}

struct ShadowThread: Sendable {
  static let slots = 48
  static let weakSlots = 24
  var random: SplitMix64
  var shadow = Shadow()
  var table = [Int](repeating: 0, count: ShadowThread.slots)
  /// The identities weak references were made to, 0 for none and once one has answered nil.
  var weakTable = [Int](repeating: 0, count: ShadowThread.weakSlots)
  /// The identities of the keys and values of ephemerons.
  var keyTable = [Int](repeating: 0, count: ShadowThread.weakSlots)
  var valueTable = [Int](repeating: 0, count: ShadowThread.weakSlots)
  var nextIdentity: Int
  private var sinceComparison = 0
  private var comparedCycle = 0
  let world: ShadowWorld
  let heap: Heap
  let anchor: Root<ReferenceArray<Item>>
  let weakAnchor: Root<ReferenceArray<Weak<Item>>>
  let ephemeronAnchor: Root<ReferenceArray<Ephemeron<Item, Item>>>

  init(seed: UInt64, index: Int, world: ShadowWorld) throws {
    random = SplitMix64(seed: seed &+ UInt64(index) &* 0x1000_0001)
    nextIdentity = (index + 1) << 40
    self.world = world
    let heap = world.heap
    self.heap = heap
    (anchor, weakAnchor, ephemeronAnchor) = try heap.withMutator { m in
      (
        m.root(try m.makeArray(of: Item.self, count: ShadowThread.slots)),
        m.root(try m.makeArray(of: Weak<Item>.self, count: ShadowThread.weakSlots)),
        m.root(try m.makeArray(of: Ephemeron<Item, Item>.self, count: ShadowThread.weakSlots))
      )
    }
  }

  /// Runs `operations` operations in batches, and compares everything after every cycle, after every `comparingEvery` operations and
  /// at the end.
  mutating func run(operations: Int, comparingEvery: Int) throws {
    var left = operations
    while left > 0 {
      let batch = min(left, 1 + random.below(400))
      try runBatch(batch)
      left -= batch
      sinceComparison += batch
      if sinceComparison >= comparingEvery || heap.cyclesDone != comparedCycle { try compare() }
    }
    try compare()
  }

  /// A batch is many calls of `withMutator`, or many nested in one, in which the thread answers by polls alone.
  mutating func runBatch(_ count: Int) throws {
    if random.below(2) == 0 {
      for _ in 0..<count { try perform() }
    } else {
      try heap.withMutator { m in
        for _ in 0..<count {
          try perform()
          m.poll()
        }
      }
    }
    prune()
  }

  mutating func compare() throws {
    sinceComparison = 0
    comparedCycle = heap.cyclesDone
    try compareCleanups()
    let (shadow, table, anchor) = (self.shadow, self.table, self.anchor)
    try heap.withMutator { m in try shadow.compare(anchor.get(m)!, with: table, m) }
  }

  mutating func perform() throws {
    let (i, j) = (random.below(ShadowThread.slots), random.below(ShadowThread.slots))
    let field = random.below(ItemField.count)
    let operation = Operation.lot[random.below(Operation.lot.count)]
    if world.without.contains(operation) { return }
    switch operation {
    case .make: try makeItem(in: i, keeping: j)
    case .replaceBox: try replaceBox(j)
    case .fillBox: try makeItem(intoBox: j)
    case .lookIntoBox: try look(intoBox: j, into: i)
    case .link: link(i, field, j)
    case .unlink: link(i, field, nil)
    case .follow: follow(i, field, into: j)
    case .move: move(i, j)
    case .clear: clear(i)
    case .garbage: try makeGarbage()
    case .park: try block(i)
    case .send: send(i, box: j)
    case .receive: try receive(box: i, into: j)
    case .makeWeak: try makeWeak(j % ShadowThread.weakSlots, to: i)
    case .loadWeak: try loadWeak(j % ShadowThread.weakSlots, into: i)
    case .makeEphemeron: try makeEphemeron(field + j % 8, key: i, value: j)
    case .loadEphemeron: try loadEphemeron(j % ShadowThread.weakSlots, into: i)
    case .setEphemeron: setEphemeron(j % ShadowThread.weakSlots, to: i)
    case .addCleanup: addCleanup(to: i)
    case .externalBytes: addExternalBytes(to: i, count: random.below(64 << 10))
    case .change: changeSettings()
    case .visitor: try visit(i)
    }
  }

  // MARK: Making

  mutating func makeItem(in i: Int, keeping j: Int) throws {
    nextIdentity += 1
    let identity = nextIdentity
    var model = Model(
      byteCount: pick([0: 10, 3: 40, 24: 25, 200: 15, 1500: 7, 9000: 2, 40_000: 1]),
      arrayCount: pick([3: 90, 40: 9, 5000: 1]), elementCount: 2 + random.below(6))
    model.fields[0] = table[j]
    model.fields[5] = table[j]
    let (anchor, plan) = (self.anchor, model)
    let heap = self.heap
    try heap.withMutator { m in
      let table = anchor.get(m)!
      let kept = table[j]
      let array =
        try identity % 3 == 0
        ? m.makeSpreadArray(of: Item.self, count: plan.arrayCount) : m.makeArray(of: Item.self, count: plan.arrayCount)
      array[1] = kept
      table[i] = try ShadowThread.make(
        m, onNodeOf: heap,
        Item(
          identity: identity, checksum: Item.checksum(identity), left: kept, right: nil, pair: [nil, nil],
          array: array, bytes: ShadowThread.makeBytes(m, identity, plan.byteCount),
          elements: ShadowThread.makeEntries(m, identity, plan.elementCount)))
    }
    shadow[identity] = model
    table[i] = identity
  }

  /// Where there are several nodes every other item is asked for on one of them, and of the rest every other near what it refers to.
  private static func make(_ m: Mutator, onNodeOf heap: Heap, _ item: Item) throws -> Reference<Item> {
    let nodes = heap.memoryNodes
    if nodes.count == 1 { return try m.make(item) }
    if item.identity % 2 == 0 { return try m.make(item, onNode: nodes[item.identity / 2 % nodes.count]) }
    if item.identity % 4 == 1, let left = item.left { return try m.make(item, near: left) }
    return try m.make(item)
  }

  /// A size, by weights that add up to 100.
  mutating func pick(_ weights: KeyValuePairs<Int, Int>) -> Int {
    var roll = random.below(100)
    for (size, weight) in weights {
      roll -= weight
      if roll < 0 { return size }
    }
    return 0
  }

  static func makeBytes(_ m: Mutator, _ identity: Int, _ count: Int) throws -> Reference<Bytes> {
    let bytes = try m.makeBytes(count: count)
    if !bytes.withBytes({ $0.allSatisfy { $0 == 0 } }) {
      throw Mismatch(description: "new bytes of \(identity) are not zero")
    }
    bytes.withBytes { for k in 0..<count { $0[k] = UInt8(truncatingIfNeeded: identity &+ k) } }
    return bytes
  }

  static func makeEntries(_ m: Mutator, _ identity: Int, _ count: Int) throws -> Reference<ElementArray<Entry>> {
    let entries = try m.makeElements(of: Entry.self, count: count)
    for k in 0..<count {
      if entries[k].number != 0 || entries[k].item != nil {
        throw Mismatch(description: "new entry \(k) of \(identity) is not zero")
      }
      entries[k].number = identity &* 7 &+ k
    }
    return entries
  }

  mutating func makeGarbage() throws {
    let count = 1 + random.below(50)
    let sum = try heap.withMutator { m in
      var sum = 0
      for k in 0..<count { sum += try m.make(Entry(number: k, item: nil)).number }
      return sum
    }
    if sum != count * (count - 1) / 2 { throw Mismatch(description: "fresh objects hold wrong numbers: \(sum)") }
  }

  // MARK: Moving references

  /// Lets a field of the object in slot `i` refer to the one in slot `j`, or to nothing.
  mutating func link(_ i: Int, _ field: Int, _ j: Int?) {
    guard table[i] != 0, !shadow[table[i]].isFrozen else { return }
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      ItemField.set(table[i]!, field, j.flatMap { table[$0] })
    }
    shadow[table[i]].fields[field] = j.map { table[$0] } ?? 0
  }

  mutating func follow(_ i: Int, _ field: Int, into j: Int) {
    guard table[i] != 0 else { return }
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      table[j] = ItemField.get(table[i]!, field)
    }
    table[j] = shadow[table[i]].fields[field]
  }

  mutating func move(_ i: Int, _ j: Int) {
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      let held = table[i]
      table[i] = nil
      m.poll()
      table[j] = held
    }
    let moved = table[i]
    table[i] = 0
    table[j] = moved
  }

  mutating func clear(_ i: Int) {
    let anchor = self.anchor
    heap.withMutator { m in anchor.get(m)![i] = nil }
    table[i] = 0
  }

  /// Holds the object of slot `i` in a local across a blocking region: only the parked stack keeps it alive.
  mutating func block(_ i: Int) throws {
    let (anchor, expected) = (self.anchor, table[i])
    let found = heap.withMutator { m in
      let table = anchor.get(m)!
      let held = table[i]
      table[i] = nil
      m.blocking { for _ in 0..<20 { _ = SplitMix64(seed: 1) } }
      table[i] = held
      return held.map { $0.identity } ?? 0
    }
    if found != expected {
      throw Mismatch(description: "slot \(i) held \(found) after a blocking region, not \(expected)")
    }
  }

  // MARK: Exchange

  mutating func send(_ i: Int, box: Int) {
    guard table[i] != 0 else { return }
    let identity = table[i]
    var sent: [Int: Model] = [:]
    for reached in shadow.reach(from: [identity]) {
      shadow[reached].isFrozen = true
      sent[reached] = shadow[reached]
    }
    let anchor = self.anchor
    let root = heap.withMutator { m in m.root(anchor.get(m)![i]) }
    let parcel = Parcel(root: root, identity: identity, models: sent)
    world.mailboxes.withLock { $0[box % $0.count] = parcel }
  }

  mutating func receive(box: Int, into j: Int) throws {
    guard let parcel = world.mailboxes.withLock({ $0[box % $0.count] }) else { return }
    let anchor = self.anchor
    let found = heap.withMutator { m in
      let item = parcel.root.get(m)
      anchor.get(m)![j] = item
      return item.map { $0.identity } ?? 0
    }
    if found != parcel.identity { throw Mismatch(description: "a parcel of \(parcel.identity) held \(found)") }
    shadow.models.merge(parcel.models) { _, received in received }
    table[j] = parcel.identity
  }

  // MARK: Boxes

  func replaceBox(_ box: Int) throws {
    let boxes = world.boxes
    try heap.withMutator { m in
      boxes.get(m)![box % ShadowWorld.boxes] = try m.make(Box(item: nil))
    }
  }

  /// Makes an item that only this thread's stack refers to, and stores it in a box that any thread may have made, or may be
  /// taking away. It refers to what was in that box at times, so that chains go from hand to hand.
  mutating func makeItem(intoBox box: Int) throws {
    nextIdentity += 1
    let identity = nextIdentity
    let (world, keeps) = (self.world, random.below(4) != 0)
    let heap = self.heap
    try heap.withMutator { m in
      let kept = keeps ? world.boxes.get(m)![box % ShadowWorld.boxes]?.item : nil
      let item = try ShadowThread.make(
        m, onNodeOf: heap,
        Item(
          identity: identity, checksum: Item.checksum(identity), left: kept, right: nil, pair: [kept, nil],
          array: m.makeArray(of: Item.self, count: 3), bytes: ShadowThread.makeBytes(m, identity, 3),
          elements: ShadowThread.makeEntries(m, identity, 2)))
      var model = Model(byteCount: 3, arrayCount: 3, elementCount: 2, isFrozen: true)
      model.fields[0] = kept.map { $0.identity } ?? 0
      model.fields[2] = model.fields[0]
      let described = model
      world.boxed.withLock { $0[identity] = described }
      world.boxes.get(m)![box % ShadowWorld.boxes]?.item = item
    }
  }

  mutating func look(intoBox box: Int, into i: Int) throws {
    let (world, anchor) = (self.world, self.anchor)
    let identity = heap.withMutator { m in
      let item = world.boxes.get(m)![box % ShadowWorld.boxes]?.item
      anchor.get(m)![i] = item
      return item.map { $0.identity } ?? 0
    }
    table[i] = identity
    if identity == 0 { return }
    guard let models = world.modelsBoxed(from: identity) else {
      throw Mismatch(description: "box \(box % ShadowWorld.boxes) held \(identity), which nobody put into a box")
    }
    shadow.models.merge(models) { _, boxed in boxed }
  }

  /// Keeps heap and model small: empties most slots when too much is reachable, and forgets what is not.
  mutating func prune() {
    if shadow.models.count < 4000 { return }
    if shadow.reach(from: table).count > 3000 {
      for i in 0..<ShadowThread.slots where i % 3 != 0 { clear(i) }
    }
    let reachable = shadow.reach(from: table + weakTable + keyTable + valueTable)
    shadow.models = shadow.models.filter { reachable.contains($0.key) }
  }
}
