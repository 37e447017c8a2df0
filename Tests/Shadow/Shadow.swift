// The shadow of a random program: objects of every kind of layout, and what a model outside the heap knows of them.
//
// Objects carry their identity, a checksum of it, bytes derived from it, and references of every kind; the model holds, for each
// identity, the identities its fields must refer to. So content and shape of everything reachable can be compared at any time.

import Synchronization
import Tricolor

/// SplitMix64: small, seedable, good enough to choose operations.
struct SplitMix64: Sendable {
  private var state: UInt64
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
  static let slot = TypeSlot()
  var identity: Int
  var checksum: UInt64
  var left: Reference<Item>?
  var right: Reference<Item>?
  var pair: InlineArray<2, Reference<Item>?>
  var array: Reference<ReferenceArray<Item>>?
  var bytes: Reference<Bytes>?
  var elements: Reference<ElementArray<Entry>>?

  static func checksum(_ identity: Int) -> UInt64 { UInt64(identity) &* 0x9e37_79b9_7f4a_7c15 ^ 0x5bd1_e995 }
}

struct Entry: Managed {
  static let slot = TypeSlot()
  var number: Int
  var item: Reference<Item>?
}

/// A slot on the heap that all threads write, without order among them.
struct Box: Managed {
  static let slot = TypeSlot()
  var item: Reference<Item>?
}

/// The fields of an item that refer to other items, as one numbered row.
enum ItemField {
  /// left, right, pair[0], pair[1], array[0...2], elements[0...1].
  static let count = 9

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
}

/// What the model knows of one object.
struct Model: Sendable {
  /// The identities its fields refer to, 0 for nil.
  var fields = [Int](repeating: 0, count: ItemField.count)
  var byteCount: Int
  var arrayCount: Int
  var elementCount: Int
  /// Whether other threads know the object: nobody changes it any more, so that every model stays exact.
  var isFrozen = false
}

/// The models of all objects a thread can reach, and a while longer.
struct Shadow: Sendable {
  var models: [Int: Model] = [:]

  subscript(identity: Int) -> Model {
    get { models[identity]! }
    set { models[identity] = newValue }
  }

  /// The identities reachable from `start`.
  func reach(from start: [Int]) -> Set<Int> {
    var seen: Set<Int> = []
    var stack = start.filter { $0 != 0 }
    while let identity = stack.popLast() {
      if seen.insert(identity).inserted { stack.append(contentsOf: self[identity].fields.filter { $0 != 0 }) }
    }
    return seen
  }
}

/// The first difference found between heap and model.
package struct Mismatch: Error, CustomStringConvertible {
  package let description: String
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

/// What the threads of a program share.
final class ShadowWorld: Sendable {
  static let boxes = 4
  let heap: Heap
  let mailboxes = Shared<[Parcel?]>(Array(repeating: nil, count: 8))
  /// Boxes that anybody replaces, fills and looks into at any time.
  let boxes: Root<ReferenceArray<Box>>
  /// Models of the items that have been in boxes, and of all they refer to.
  let boxed = Shared<[Int: Model]>([:])
  /// How often the cleanups of each item have run.
  let cleaned = Shared<[Int: Int]>([:])
  let registeredCleanups = Shared(0)
  /// Kinds of operation that are left out: how a failing program is made smaller.
  let without: Set<Operation>
  /// Whether the settings may be changed while the program runs.
  let changesSettings: Bool

  init(heap: Heap, without: Set<Operation>, changesSettings: Bool) throws {
    self.heap = heap
    self.without = without
    self.changesSettings = changesSettings
    boxes = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeArray(of: Box.self, count: ShadowWorld.boxes)) }
    }
  }

  /// The models of `identity` and of all it refers to.
  func modelsBoxed(from identity: Int) -> [Int: Model]? {
    boxed.withLock { boxed in
      var found: [Int: Model] = [:]
      var pending = [identity]
      while let next = pending.popLast() {
        if next == 0 || found[next] != nil { continue }
        guard let model = boxed[next] else { return nil }
        found[next] = model
        pending.append(contentsOf: model.fields)
      }
      return found
    }
  }
}

extension Shadow {
  /// Compares everything reachable from `table`, which must not change meanwhile, with the model.
  func compare(_ table: Reference<ReferenceArray<Item>>, with identities: [Int], _ m: Mutator) throws {
    var seen: Set<Int> = []
    // References in an array are invisible to the collector; all of these are reachable from the table.
    var pending: [(Reference<Item>, Int)] = []
    for slot in identities.indices {
      try visit(table[slot], identities[slot], "slot \(slot)", &seen, &pending)
      while let (item, identity) = pending.popLast() {
        m.poll()
        let model = self[identity]
        try Shadow.compareContents(item, model, identity)
        for field in 0..<ItemField.count {
          try visit(ItemField.get(item, field), model.fields[field], "field \(field) of \(identity)", &seen, &pending)
        }
      }
    }
  }

  private func visit(
    _ item: Reference<Item>?, _ expected: Int, _ place: @autoclosure () -> String, _ seen: inout Set<Int>,
    _ pending: inout [(Reference<Item>, Int)]
  ) throws {
    let identity = item.map { $0.identity } ?? 0
    if identity != expected { throw Mismatch(description: "\(place()) refers to \(identity), not to \(expected)") }
    guard let item else { return }
    if item.checksum != Item.checksum(expected) {
      throw Mismatch(description: "\(place()) refers to \(expected) with the checksum \(item.checksum)")
    }
    if seen.insert(expected).inserted { pending.append((item, expected)) }
  }

  private static func compareContents(_ item: Reference<Item>, _ model: Model, _ identity: Int) throws {
    guard let bytes = item.bytes, let array = item.array, let elements = item.elements else {
      throw Mismatch(description: "a part of \(identity) is missing")
    }
    let counts = [bytes.count, array.count, elements.count]
    guard counts == [model.byteCount, model.arrayCount, model.elementCount] else {
      throw Mismatch(description: "counts of the parts of \(identity) are \(counts)")
    }
    for k in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64))
    where bytes[k] != UInt8(truncatingIfNeeded: identity &+ k) {
      throw Mismatch(description: "byte \(k) of \(identity) is \(bytes[k])")
    }
    for k in 0..<elements.count where elements[k].number != identity &* 7 &+ k {
      throw Mismatch(description: "element \(k) of \(identity) is \(elements[k].number)")
    }
    for k in stride(from: 3, to: array.count, by: 97) where array[k] != nil {
      throw Mismatch(description: "array slot \(k) of \(identity) is not nil")
    }
  }
}
