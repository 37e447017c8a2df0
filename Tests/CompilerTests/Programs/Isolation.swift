// Ways out of `withMutator` that only the passes on isolation and ownership see.

import Tricolor

final class Box {
  var bytes: Reference<Bytes>?
}

func captured(_ heap: Heap) throws {
  var kept: Reference<Bytes>?
  try heap.withMutator { m in  // error: sending
    kept = try m.makeBytes(count: 8)
  }
  print(kept!.count)
}

func capturedMutator(_ heap: Heap) {
  var kept: Mutator?
  heap.withMutator { m in  // error: sending
    kept = m
  }
  kept!.poll()
}

func boxed(_ heap: Heap, _ box: Box) throws {
  try heap.withMutator { m in  // error: sending
    box.bytes = try m.makeBytes(count: 8)
  }
}

func tasks(_ heap: Heap) throws {
  try heap.withMutator { m in
    let bytes = try m.makeBytes(count: 8)
    Task {  // error: sending
      print(bytes.count)
    }
  }
}

func acrossAwait(_ channel: ManagedChannel<Reference<Bytes>>) async throws {
  var kept: Reference<Bytes>?
  _ = try await channel.receive { _, bytes in  // error: sending
    kept = bytes
  }
  print(kept!.count)
}

func copied(_ m: Mutator, _ bytes: Reference<Bytes>) {
  let root = m.uniqueRoot(bytes)  // error: consumed more than once
  let first = root
  let second = root
  print(first.get(m)!.count, second.get(m)!.count)
}
