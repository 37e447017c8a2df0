// Values that are good on one thread inside `withMutator` only, where a Sendable one is asked for.

import Tricolor

func give<Value: Sendable>(_ value: Value) {}

func refused(
  _ m: Mutator, _ bytes: Reference<Bytes>, _ array: ManagedArray<Int>, _ dictionary: ManagedDictionary<Int, Int>,
  _ text: ManagedString
) {
  give(m)  // error: a Mutator belongs to its thread
  give(bytes)  // error: make a Root to share the object
  give(array)  // error: make a Root to share it
  give(dictionary)  // error: make a Root to share it
  give(text)  // error: make a String, or a Root
  give([bytes])  // error: make a Root to share the object
  Task { @Sendable in print(bytes.count) }  // error: non-Sendable type
}

let kept: Reference<Bytes>? = nil  // error: may have shared mutable state
var changing: ManagedArray<Int>? = nil  // error: shared mutable state

actor Keeper {
  nonisolated let shared: Reference<Bytes>? = nil  // error: non-'Sendable' type
  var bytes: Reference<Bytes>?

  func keep(_ heap: Heap) throws {
    try heap.withMutator { m in
      bytes = try m.makeBytes(count: 8)  // error: can not be mutated from a nonisolated context
    }
  }
}

func results(_ heap: Heap) throws {
  _ = heap.withMutator { m in m }  // error: a Mutator belongs to its thread
  _ = try heap.withMutator { m in try m.makeBytes(count: 8) }  // error: make a Root to share the object
  _ = try heap.withMutator { m in try ManagedArray<Int>(m) }  // error: make a Root to share it
}

func waits(_ heap: Heap) async throws {
  try await heap.withMutator { m in  // error: cannot pass function of type
    let bytes = try m.makeBytes(count: 8)
    await Task.yield()
    print(bytes.count)
  }
}
