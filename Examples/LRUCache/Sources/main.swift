// A hundred thousand texts through a cache of a thousand, beside a plain model of it: the same hits, and memory that does not grow.

import Tricolor

/// What the cache must answer, without the heap: the keys in the order of their use.
struct Model {
  private var values: [String: String] = [:]
  private var used: [String: Int] = [:]
  private var clock = 0
  let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  mutating func value(forKey key: String) -> String? {
    guard let value = values[key] else { return nil }
    touch(key)
    return value
  }

  mutating func setValue(_ value: String, forKey key: String) {
    if values[key] == nil, values.count == capacity {
      let oldest = used.min { $0.value < $1.value }!.key
      values[oldest] = nil
      used[oldest] = nil
    }
    values[key] = value
    touch(key)
  }

  private mutating func touch(_ key: String) {
    clock += 1
    used[key] = clock
  }
}

func run() throws {
  let heap = try Heap()
  let (rounds, capacity) = (100_000, 200)
  let hits = try heap.withMutator { mutator in
    let cache = try LRUCache(capacity: capacity, mutator)
    var model = Model(capacity: capacity)
    var hits = 0
    for round in 0..<rounds {
      // Some keys come often, most seldom.
      let key = "key \(round % 3 == 0 ? round % 31 : round * 7919 % 3001)"
      let found = cache.value(forKey: key, mutator)
      guard found == model.value(forKey: key) else { fatalError("round \(round): \(key) gives \(found ?? "nothing")") }
      if found != nil { hits += 1 }
      if found == nil || round % 3 == 0 {
        try cache.setValue("value \(round)", forKey: key, mutator)
        model.setValue("value \(round)", forKey: key)
      }
    }
    guard cache.count(mutator) == capacity else { fatalError("\(cache.count(mutator)) entries") }
    heap.collect()
    return hits
  }
  let statistics = heap.statistics
  guard statistics.liveBytes < 1 << 20 else { fatalError("\(statistics.liveBytes) bytes are left alive") }
  print("\(rounds) look-ups, \(hits) hits, \(statistics.allocatedObjects) objects made, \(statistics.cycles) cycles,")
  print("\(statistics.liveBytes >> 10) KiB alive at the end")
}

try run()
