// The right ways.

import Tricolor

struct Node: Managed {
  static let slot = TypeSlot()
  let identity: Int
  var key: Int
  var left: Reference<Node>?
  var required: Reference<Bytes>
  var row: InlineArray<4, Reference<Node>?>
  var numbers: ManagedArray<Int>?
  var name: ManagedString
  var isOdd: Bool { key % 2 == 1 }
  var other: Reference<Node>? { left ?? row[0] }
}

func fields(_ m: Mutator, _ node: Reference<Node>) throws {
  node.key += 1
  node.left = node
  node.required = try m.makeBytes(count: node.identity)
  node.row[2] = node.left
  node.numbers = try ManagedArray([1, 2, 3], m)
  try node.numbers!.append(4)
  node.numbers![0] = 5
  node.name = try ManagedString("name", m)
  print(node.isOdd, node.other == node)
}

func results(_ heap: Heap) throws -> (Int, String, Root<Node>) {
  var count = 0
  let answer = try heap.withMutator { m in
    count += 1
    let name = try ManagedString("name", m)
    let node = try m.make(
      Node(identity: 1, key: 2, left: nil, required: m.makeBytes(count: 1), row: .init(repeating: nil), name: name))
    var last = node
    func visit(_ node: Reference<Node>) { if let left = node.left { visit(left) } else { last = node } }
    visit(node)
    let texts = try ManagedDictionary<ManagedString, Reference<Node>>(m)
    try texts.updateValue(last, forKey: name)
    return (texts["name"]!.key, name.description, m.root(node))
  }
  print(count)
  return answer
}

actor Keeper {
  private let heap: Heap
  private let root: Root<ManagedArray<Int>>

  init(_ heap: Heap) throws {
    self.heap = heap
    root = try heap.withMutator { m in m.root(try ManagedArray<Int>(m)) }
  }

  func add(_ number: Int) throws -> Int {
    try heap.withMutator { [root] m in
      let numbers = root.get(m)!
      try numbers.append(number)
      return numbers.count
    }
  }
}

func tasks(_ heap: Heap, _ root: Root<Node>, _ channel: ManagedChannel<Reference<Node>>) async throws {
  try await withThrowingTaskGroup(of: Int.self) { group in
    group.addTask { heap.withMutator { m in root.get(m)!.key } }
    group.addTask { try await channel.receive { _, node in node.key } ?? 0 }
    group.addTask {
      try await channel.send(root)
      return 0
    }
    for try await key in group { print(key) }
  }
  for await received in channel { print(heap.withMutator { m in received.get(m)!.key }) }
}

func unique(_ heap: Heap) throws -> UniqueRoot<Bytes>? {
  var kept: UniqueRoot<Bytes>? = nil
  try heap.withMutator { m in
    let root = m.uniqueRoot(try m.makeBytes(count: 8))
    print(root.get(m)!.count)
  }
  kept = nil
  return kept
}
