// Random programs against a shadow: what the managed heap holds is compared, object by object, with a model outside it.
//
// Each thread works on its own table of slots (a managed array kept by a root) and on a model of it: which object each slot and
// each field refers to, by identity. Objects carry their identity, a checksum of it, bytes derived from it, and references of every
// kind of layout. Threads exchange subgraphs through mailboxes; what has been exchanged is frozen, so that no two threads write
// one object and every model stays exact. A run is a function of its seed but for the interleaving of threads.

import Synchronization
import Tricolor

/// SplitMix64: small, seedable, good enough to choose operations.
struct SplitMix64 {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

struct Item: Managed {
  nonisolated(unsafe) static var slot = TypeSlot()
  var identity: Int
  var checksum: UInt64
  var left: Reference<Item>?
  var right: Reference<Item>?
  var pair: InlineArray<2, Reference<Item>?>
  var array: Reference<ReferenceArray<Item>>?
  var bytes: Reference<Bytes>?
  var elements: Reference<ElementArray<Entry>>?
}

struct Entry: Managed {
  nonisolated(unsafe) static var slot = TypeSlot()
  var number: Int
  var item: Reference<Item>?
}

func checksum(_ identity: Int) -> UInt64 { UInt64(identity) &* 0x9e37_79b9_7f4a_7c15 ^ 0x5bd1_e995 }

/// What the model knows of one object: the identities its fields refer to, 0 for nil.
struct Model {
  var fields: [Int]
  var byteCount: Int
  var arrayCount: Int
  var elementCount: Int
  var isFrozen = false
}

/// The first difference found between heap and model.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

/// One exchanged subgraph: a root for the objects, the models of all of them.
final class Parcel: Sendable {
  let root: Root<Item>
  let identity: Int
  let models: [Int: Model]
  init(root: Root<Item>, identity: Int, models: [Int: Model]) {
    self.root = root
    self.identity = identity
    self.models = models
  }
}

/// One thread's part of a random program.
struct ShadowThread: ~Copyable {
  static let slots = 48
  /// Fields of an item: left, right, pair[0], pair[1], array[0...2], elements[0...1].
  static let fields = 9
  var random: SplitMix64
  var models: [Int: Model] = [:]
  var table: [Int] = Array(repeating: 0, count: ShadowThread.slots)
  var nextIdentity: Int
  let heap: Heap
  let anchor: Root<ReferenceArray<Item>>
  let mailboxes: Mutex<[Parcel?]>.Reference_

  init(seed: UInt64, index: Int, heap: Heap, mailboxes: Mutex<[Parcel?]>.Reference_) throws {
    random = SplitMix64(seed: seed &+ UInt64(index) &* 0x1000_0001)
    nextIdentity = (index + 1) << 40
    self.heap = heap
    self.mailboxes = mailboxes
    anchor = try heap.withMutator { m in m.root(try m.makeArray(of: Item.self, count: ShadowThread.slots)) }
  }

  /// Runs `operations` operations in batches, each one `withMutator`, and compares everything at the end of some of them.
  mutating func run(operations: Int, verifyEvery: Int) throws {
    var done = 0
    var sinceCheck = 0
    while done < operations {
      let batch = min(operations - done, 1 + random.below(400))
      try runBatch(batch)
      done += batch
      sinceCheck += batch
      if sinceCheck >= verifyEvery {
        sinceCheck = 0
        try verify()
      }
    }
    try verify()
  }

  private mutating func runBatch(_ count: Int) throws {
    var plan: [(Int, Int, Int, Int)] = []
    for _ in 0..<count {
      plan.append((random.below(100), random.below(ShadowThread.slots), random.below(ShadowThread.slots), random.below(ShadowThread.fields)))
    }
    for (kind, i, j, field) in plan { try perform(kind, i, j, field) }
    prune()
  }

  private mutating func perform(_ kind: Int, _ i: Int, _ j: Int, _ field: Int) throws {
    switch kind {
    case 0..<30: try makeItem(in: i, keeping: j)
    case 30..<55: try link(i, field, j)
    case 55..<65: try follow(i, field, into: j)
    case 65..<75: try move(i, j)
    case 75..<85: try clear(i)
    case 85..<88: try makeGarbage()
    case 88..<91: try wait()
    case 91..<94: try send(i, box: j)
    case 94..<97: try receive(box: i, into: j)
    default: try unlink(i, field)
    }
  }

  // MARK: Operations

  private mutating func makeItem(in i: Int, keeping j: Int) throws {
    nextIdentity += 1
    let identity = nextIdentity
    let byteCount = [0, 3, 24, 200, 1500, 9000, 40_000][min(6, random.below(40))]
    let arrayCount = [3, 3, 3, 40, 5000][min(4, random.below(60))]
    let elementCount = 2 + random.below(6)
    let kept = table[j]
    let anchor = self.anchor
    try heap.withMutator { m in
      let table = anchor.get(m)!
      let old = table[j]
      let bytes = try m.makeBytes(count: byteCount)
      for k in 0..<byteCount { bytes[k] = UInt8(truncatingIfNeeded: identity &+ k) }
      let array = try m.makeArray(of: Item.self, count: arrayCount)
      array[1] = old
      let elements = try m.makeElements(of: Entry.self, count: elementCount)
      for k in 0..<elementCount { elements[k].number = identity &* 7 &+ k }
      let item = try m.make(
        Item(
          identity: identity, checksum: checksum(identity), left: old, right: nil, pair: [nil, nil], array: array,
          bytes: bytes, elements: elements))
      table[i] = item
    }
    var model = Model(
      fields: Array(repeating: 0, count: ShadowThread.fields), byteCount: byteCount, arrayCount: arrayCount,
      elementCount: elementCount)
    model.fields[0] = kept
    model.fields[5] = kept
    models[identity] = model
    table[i] = identity
  }

  private mutating func link(_ i: Int, _ field: Int, _ j: Int) throws {
    guard table[i] != 0, !models[table[i]]!.isFrozen else { return }
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      ShadowThread.set(table[i]!, field, table[j])
    }
    models[table[i]]!.fields[field] = table[j]
  }

  private mutating func unlink(_ i: Int, _ field: Int) throws {
    guard table[i] != 0, !models[table[i]]!.isFrozen else { return }
    let anchor = self.anchor
    heap.withMutator { m in ShadowThread.set(anchor.get(m)![i]!, field, nil) }
    models[table[i]]!.fields[field] = 0
  }

  private mutating func follow(_ i: Int, _ field: Int, into j: Int) throws {
    guard table[i] != 0 else { return }
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      table[j] = ShadowThread.get(table[i]!, field)
    }
    table[j] = models[table[i]]!.fields[field]
  }

  private mutating func move(_ i: Int, _ j: Int) throws {
    let anchor = self.anchor
    heap.withMutator { m in
      let table = anchor.get(m)!
      let held = table[i]
      table[i] = nil
      m.poll()
      table[j] = held
    }
    table[j] = table[i]
    if i != j { table[i] = 0 }
  }

  private mutating func clear(_ i: Int) throws {
    let anchor = self.anchor
    heap.withMutator { m in anchor.get(m)![i] = nil }
    table[i] = 0
  }

  private mutating func makeGarbage() throws {
    let count = 1 + random.below(50)
    let sum = try heap.withMutator { m in
      var sum = 0
      for k in 0..<count { sum += try m.make(Entry(number: k, item: nil)).number }
      return sum
    }
    if sum != count * (count - 1) / 2 { throw Mismatch(description: "fresh objects hold wrong numbers: \(sum)") }
  }

  /// Holds references in locals across a blocking region: only the parked stack keeps them alive.
  private mutating func wait() throws {
    let i = random.below(ShadowThread.slots)
    let expected = table[i]
    let anchor = self.anchor
    let found = heap.withMutator { m in
      let table = anchor.get(m)!
      let held = table[i]
      table[i] = nil
      m.blocking { for _ in 0..<20 { _ = SplitMix64(seed: 1) } }
      let identity = held.map { $0.identity } ?? 0
      table[i] = held
      return identity
    }
    if found != expected { throw Mismatch(description: "slot \(i) held \(found) after a blocking region, not \(expected)") }
  }

  private mutating func send(_ i: Int, box: Int) throws {
    guard table[i] != 0 else { return }
    let identity = table[i]
    let reachable = reach(from: [identity])
    for id in reachable { models[id]!.isFrozen = true }
    var sent: [Int: Model] = [:]
    for id in reachable { sent[id] = models[id]! }
    let anchor = self.anchor
    let root = heap.withMutator { m in m.root(anchor.get(m)![i]) }
    let parcel = Parcel(root: root, identity: identity, models: sent)
    mailboxes.value.withLock { $0[box % $0.count] = parcel }
  }

  private mutating func receive(box: Int, into j: Int) throws {
    guard let parcel = mailboxes.value.withLock({ $0[box % $0.count] }) else { return }
    let anchor = self.anchor
    let found = heap.withMutator { m in
      let item = parcel.root.get(m)
      anchor.get(m)![j] = item
      return item.map { $0.identity } ?? 0
    }
    if found != parcel.identity { throw Mismatch(description: "a parcel of \(parcel.identity) held \(found)") }
    for (id, model) in parcel.models { models[id] = model }
    table[j] = parcel.identity
  }

  // MARK: Fields

  static func get(_ item: Reference<Item>, _ field: Int) -> Reference<Item>? {
    switch field {
    case 0: return item.left
    case 1: return item.right
    case 2, 3: return item.pair[field - 2]
    case 4, 5, 6: return item.array![field - 4]
    default: return item.elements![field - 7].item
    }
  }

  static func set(_ item: Reference<Item>, _ field: Int, _ value: Reference<Item>?) {
    switch field {
    case 0: item.left = value
    case 1: item.right = value
    case 2, 3: item.pair[field - 2] = value
    case 4, 5, 6: item.array![field - 4] = value
    default: item.elements![field - 7].item = value
    }
  }

  // MARK: Checking

  private func reach(from start: [Int]) -> Set<Int> {
    var seen: Set<Int> = []
    var stack = start.filter { $0 != 0 }
    while let id = stack.popLast() {
      if seen.insert(id).inserted { stack.append(contentsOf: models[id]!.fields.filter { $0 != 0 }) }
    }
    return seen
  }

  private mutating func prune() {
    if models.count < 4000 { return }
    // Cut the table when it holds too much, so that the model stays small and objects die.
    let kept = reach(from: table)
    if kept.count > 3000 {
      for i in 0..<ShadowThread.slots where i % 3 != 0 {
        table[i] = 0
        let anchor = self.anchor
        heap.withMutator { m in anchor.get(m)![i] = nil }
      }
    }
    let reachable = reach(from: table)
    models = models.filter { reachable.contains($0.key) }
  }

  /// Walks everything reachable from the table and compares it with the model.
  mutating func verify() throws {
    var seen: Set<Int> = []
    for i in 0..<ShadowThread.slots {
      let anchor = self.anchor
      let expected = table[i]
      let models = self.models
      var visited = seen
      seen = try heap.withMutator { m in
        try ShadowThread.compare(anchor.get(m)![i], expected, models, &visited, m, path: "slot \(i)")
        return visited
      }
    }
  }

  private static func compare(
    _ item: Reference<Item>?, _ expected: Int, _ models: [Int: Model], _ seen: inout Set<Int>, _ m: Mutator, path: String
  ) throws {
    guard let item else {
      if expected != 0 { throw Mismatch(description: "\(path): nil, expected \(expected)") }
      return
    }
    if expected == 0 { throw Mismatch(description: "\(path): \(item.identity), expected nil") }
    if item.identity != expected || item.checksum != checksum(expected) {
      throw Mismatch(description: "\(path): identity \(item.identity) checksum \(item.checksum), expected \(expected)")
    }
    if !seen.insert(expected).inserted { return }
    m.poll()
    let model = models[expected]!
    try compareContents(item, model, expected, path)
    if path.utf8.count > 2000 { return }
    for field in 0..<fields {
      try compare(get(item, field), model.fields[field], models, &seen, m, path: "\(path).\(field)")
    }
  }

  private static func compareContents(_ item: Reference<Item>, _ model: Model, _ identity: Int, _ path: String) throws {
    guard let bytes = item.bytes, let array = item.array, let elements = item.elements else {
      throw Mismatch(description: "\(path): a part of \(identity) is missing")
    }
    guard bytes.count == model.byteCount, array.count == model.arrayCount, elements.count == model.elementCount else {
      throw Mismatch(description: "\(path): counts \(bytes.count) \(array.count) \(elements.count) of \(identity)")
    }
    for k in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64))
    where bytes[k] != UInt8(truncatingIfNeeded: identity &+ k) {
      throw Mismatch(description: "\(path): byte \(k) of \(identity) is \(bytes[k])")
    }
    for k in 0..<elements.count where elements[k].number != identity &* 7 &+ k {
      throw Mismatch(description: "\(path): element \(k) of \(identity) is \(elements[k].number)")
    }
    for k in stride(from: 3, to: array.count, by: 97) where array[k] != nil {
      throw Mismatch(description: "\(path): array slot \(k) of \(identity) is not nil")
    }
  }
}

extension Mutex {
  /// A mutex that several threads' programs share.
  final class Reference_: Sendable where Value: Sendable {
    let value: Mutex<Value>
    init(_ initial: sending Value) { value = Mutex(initial) }
  }
}

/// Runs a random program of `threads` threads, each `operations` long.
func runShadowProgram(
  seed: UInt64, threads: Int, operations: Int, verifyEvery: Int, configuration: Heap.Configuration
) throws -> HeapStatistics {
  let heap = try Heap(configuration: configuration)
  let mailboxes = Mutex<[Parcel?]>.Reference_(Array(repeating: nil, count: 8))
  let failures = Mutex<[Mismatch]>.Reference_([])
  try runThreads(threads) { index in
    do {
      var program = try ShadowThread(seed: seed, index: index, heap: heap, mailboxes: mailboxes)
      try program.run(operations: operations, verifyEvery: verifyEvery)
    } catch {
      failures.value.withLock { $0.append(Mismatch(description: "thread \(index), seed \(seed): \(error)")) }
    }
  }
  mailboxes.value.withLock { $0 = [] }
  if let failure = failures.value.withLock({ $0.first }) { throw failure }
  heap.collect()
  return heap.statistics
}
