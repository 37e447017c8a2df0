// The operations: those that a program makes all the time, in a state where tables have grown to what they need.

import Glibc
import MallocCounter
import Tricolor

struct Node: Managed {
  static let slot = TypeSlot()
  var key: Int
  var next: Reference<Node>?
}

private struct Operation {
  let name: String
  let run: @Sendable (Heap) throws -> Void
}

func exitUncounted() -> Never {
  print("this build has an allocator of its own")
  exit(2)
}

func printCounts() throws {
  let heap = try Heap()
  for operation in operations {
    for _ in 0..<100 { try operation.run(heap) }
    let before = malloc_counter_calls()
    for _ in 0..<1000 { try operation.run(heap) }
    let calls = malloc_counter_calls() - before
    print(operation.name, calls)
  }
}

private let operations = [
  Operation(name: "withMutator") { heap in heap.withMutator { _ in } },
  Operation(name: "make") { heap in
    try heap.withMutator { m in
      var last: Reference<Node>? = nil
      for key in 0..<100 { last = try m.make(Node(key: key, next: last)) }
    }
  },
  Operation(name: "bytes-and-arrays") { heap in
    try heap.withMutator { m in
      let array = try m.makeArray(of: Bytes.self, count: 8)
      for index in 0..<8 { array[index] = try m.makeBytes(count: 100) }
    }
  },
  Operation(name: "store-and-load") { heap in
    try heap.withMutator { m in
      let node = try m.make(Node(key: 1, next: nil))
      for _ in 0..<100 {
        node.next = node
        node.key = node.next!.key + 1
      }
    }
  },
  Operation(name: "uniqueRoot") { heap in
    try heap.withMutator { m in
      let root = m.uniqueRoot(try m.make(Node(key: 1, next: nil)))
      let other = m.uniqueRoot(root.get(m))
      other.set(root.get(m), m)
    }
  },
  Operation(name: "weak") { heap in
    try heap.withMutator { m in
      let node = try m.make(Node(key: 1, next: nil))
      let weak = try m.makeWeak(node)
      if weak.referent != node { fatalError("a weak reference lost a living object") }
    }
  },
  Operation(name: "blocking") { heap in heap.withMutator { m in m.blocking {} } },
  Operation(name: "managedArray") { heap in
    try heap.withMutator { m in
      let array = try ManagedArray<Int>(m)
      for i in 0..<100 { try array.append(i) }
      var sum = 0
      for number in array { sum += number }
      if sum != 4950 { fatalError("an array lost an element") }
    }
  },
  Operation(name: "managedDictionary") { heap in
    try heap.withMutator { m in
      let dictionary = try ManagedDictionary<Int, Int>(m)
      for i in 0..<100 { try dictionary.updateValue(i, forKey: i) }
      for i in 0..<100 where dictionary[i] != i { fatalError("a dictionary lost an entry") }
    }
  },
  Operation(name: "managedString") { heap in
    try heap.withMutator { m in
      let text = try ManagedString("a text of more than fifteen bytes", m)
      if text.isEmpty || !text.hasPrefix("a text") { fatalError("a string lost its text") }
    }
  },
]
