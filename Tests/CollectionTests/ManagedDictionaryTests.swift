// Managed dictionaries and strings beside the standard library's, under collection.

import Testing
import Tricolor

@Suite("Managed dictionaries")
struct ManagedDictionaryTests {
  @Test("Random programs leave a dictionary as they leave the standard library's", arguments: Collecting.allCases)
  func randomPrograms(collecting: Collecting) throws {
    let seed = UInt64.random(in: 0 ... .max)
    #expect(try run(Int.self, Int.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(Clustered.self, Wide.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(Int.self, Reference<Link>.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(ManagedString.self, ManagedString.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(ManagedString.self, UInt8.self, seed, collecting) == nil, "seed \(seed)")
  }

  private func run<Key: Numbered & Hashable & SendableMetatype, Value: Numbered & SendableMetatype>(
    _ key: Key.Type, _ value: Value.Type, _ seed: UInt64, _ collecting: Collecting
  ) throws -> String? {
    let heap = try collecting.heap
    let operations = collecting.operations(12_000)
    return try onOwnThread {
      try heap.withMutator { m in
        var program = try DictionaryProgram<Key, Value>(seed: seed, m)
        for step in 0..<operations {
          let operation = try program.step(m)
          if let difference = program.difference { return "step \(step), \(operation): \(difference)" }
        }
        return nil
      }
    }
  }

  @Test("Keys that are references are found by identity, and live as long as their entry")
  func identityKeys() throws {
    let heap = try Heap.quiet()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let dictionary = try ManagedDictionary<Reference<Link>, Int>(m)
        for i in 0..<1000 { try dictionary.updateValue(i, forKey: Reference<Link>.make(i, m)) }
        return m.root(dictionary)
      }
    }
    heap.collect()
    let full = heap.statistics.liveBytes
    let (wrong, other) = try onOwnThread {
      try heap.withMutator { m in
        let dictionary = root.get(m)!
        let wrong = dictionary.filter { $0.key.key != $0.value || dictionary[$0.key] != $0.value }.count
        let other = dictionary[try Reference<Link>.make(5, m)]
        for index in dictionary.keys.filter({ $0.key % 2 == 0 }) { dictionary.removeValue(forKey: index) }
        return (wrong, other)
      }
    }
    #expect(wrong == 0)
    #expect(other == nil)
    try onOwnThread { scrubStack() }
    heap.collect()
    #expect(heap.statistics.liveBytes == full - 500 * 32)
  }

  @Test("A dictionary with string keys is asked by Swift strings, whole or in part, and makes no string for it")
  func stringKeys() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let dictionary = try ManagedDictionary<ManagedString, Int>(m)
        for (index, name) in ["Ada", "Grace", "", "Željka", "日本"].enumerated() {
          try dictionary.updateValue(index, forKey: ManagedString(name, m))
        }
        let before = heap.statistics.allocatedObjects
        #expect(dictionary["Ada"] == 0)
        #expect(dictionary["Adam".dropLast()] == 0)
        #expect(dictionary[""] == 2)
        #expect(dictionary["Željka"] == 3)
        #expect(dictionary["日本"] == 4)
        #expect(dictionary["ada"] == nil)
        #expect(dictionary.removeValue(forKey: "Grace") == 1)
        #expect(dictionary["Grace"] == nil)
        #expect(heap.statistics.allocatedObjects == before)
      }
    }
  }

  @Test("Merging, defaults, pairs and views answer as the standard library's do")
  func conveniences() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let dictionary = try ManagedDictionary(uniqueKeysWithValues: [(1, 10), (2, 20)], m)
        try dictionary.merge([(2, 5), (3, 30)]) { $0 + $1 }
        #expect(Dictionary(uniqueKeysWithValues: dictionary.map { ($0.key, $0.value) }) == [1: 10, 2: 25, 3: 30])
        #expect(dictionary[4, default: 7] == 7)
        #expect(dictionary.keys.sorted() == [1, 2, 3])
        #expect(dictionary.values.reduce(0, +) == 65)
        #expect(dictionary[dictionary.index(forKey: 2)!] == (2, 25))
        #expect(dictionary.index(forKey: 9) == nil)
        let same = try ManagedDictionary(uniqueKeysWithValues: [(3, 30), (2, 25), (1, 10)], m)
        #expect(same == dictionary)
        #expect(same.popFirst() != nil)
        #expect(same != dictionary)
        #expect(try ManagedDictionary<Int, Int>(m).description == "[:]")
        #expect(try ManagedDictionary(uniqueKeysWithValues: [(1, 2)], m).description == "[1: 2]")
      }
    }
  }

  @Test("A capacity that no object can have is an error, and the dictionary is as it was")
  func tooLarge() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let dictionary = try ManagedDictionary(uniqueKeysWithValues: [(1, 10)], m)
        #expect(throws: OutOfMemory.self) { try dictionary.reserveCapacity(.max) }
        #expect(throws: OutOfMemory.self) { try dictionary.reserveCapacity(1 << 43) }
        #expect(dictionary[1] == 10)
      }
    }
  }

  @Test("A key that comes twice and an index of no entry end the program")
  func misuse() async {
    let twice = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try ManagedDictionary(uniqueKeysWithValues: [(7, 1), (7, 2)], m) }
    }
    expect(twice, toSay: "the key 7 comes twice")
    let index = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in
        let dictionary = try ManagedDictionary(uniqueKeysWithValues: [(7, 1)], m)
        _ = dictionary[dictionary.endIndex]
      }
    }
    expect(index, toSay: "of no entry")
  }
}

@Suite("Managed strings")
struct ManagedStringTests {
  @Test("Texts come back as they were, and compare, order and hash by their bytes")
  func text() throws {
    let heap = try Heap.quiet()
    let texts = ["", "a", "abc", "abd", "ab", "Ω", "a\u{301}", "á", "𝄞 clef", String(repeating: "long ", count: 5000)]
    try onOwnThread {
      try heap.withMutator { m in
        let strings = try ManagedArray<ManagedString>(m)
        for text in texts { try strings.append(ManagedString(text, m)) }
        heap.collect()
        #expect(strings.map(\.description) == texts)
        #expect(strings.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
        strings.sort()
        #expect(strings.map(\.description) == texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        let again = try ManagedString("abc", m)
        #expect(strings.contains(again))
        #expect(Set(strings.map(\.hashValue)).count == texts.count)
        #expect(strings.first { $0 == again }!.hashValue == again.hashValue)
        #expect(again.hasPrefix("ab") && again.hasPrefix("") && !again.hasPrefix("abcd") && !again.hasPrefix("b"))
        #expect(try ManagedString("", m).isEmpty)
      }
    }
  }

  @Test("Bytes that are no UTF-8 show as replacement characters")
  func invalid() throws {
    let heap = try Heap.quiet()
    let text = try onOwnThread {
      try heap.withMutator { m in
        let bytes: [UInt8] = [0x61, 0xff, 0x62]
        return try bytes.withUnsafeBytes { ManagedString(try m.makeBytes(copying: $0)).description }
      }
    }
    #expect(text == "a\u{fffd}b")
  }
}

/// A key of which many have the same hash, so that probes are long and removals move entries.
private struct Clustered: Numbered, Hashable, BitwiseCopyable {
  var value: Int
  static func make(_ number: Int, _ mutator: Mutator) -> Clustered { Clustered(value: number) }
  var number: Int { value }
  func hash(into hasher: inout Hasher) { hasher.combine(value % 5) }
}

/// The same random changes to a managed dictionary and to a Swift one of the numbers in it.
private struct DictionaryProgram<Key: Numbered & Hashable, Value: Numbered> {
  private var random: SeededRandom
  private var model: [Int: Int] = [:]
  private let dictionary: ManagedDictionary<Key, Value>

  init(seed: UInt64, _ mutator: Mutator) throws {
    random = SeededRandom(seed: seed)
    dictionary = try ManagedDictionary(mutator)
  }

  var difference: String? {
    if dictionary.count != model.count { return "count \(dictionary.count), not \(model.count)" }
    if dictionary.capacity < dictionary.count { return "capacity \(dictionary.capacity) for \(dictionary.count)" }
    var seen = 0
    for (key, value) in dictionary {
      seen += 1
      if model[key.number] != value.number { return "\(key.number) has \(value.number)" }
    }
    return seen == model.count ? nil : "\(seen) entries, not \(model.count)"
  }

  mutating func step(_ m: Mutator) throws -> String {
    let number = 1 + random.below(120)
    switch random.below(10) {
    case 0, 1, 2, 3:
      let value = try Value.make(1 + random.below(200), m)
      let old = try dictionary.updateValue(value, forKey: Key.make(number, m))
      return old?.number == model.updateValue(value.number, forKey: number) ? "update \(number)" : fail()
    case 4, 5, 6:
      let old = dictionary.removeValue(forKey: try Key.make(number, m))
      return old?.number == model.removeValue(forKey: number) ? "remove \(number)" : fail()
    case 7:
      let found = dictionary[try Key.make(number, m)]
      return found?.number == model[number] ? "look up \(number)" : fail()
    case 8:
      guard let entry = dictionary.popFirst() else { return model.isEmpty ? "pop" : fail() }
      return model.removeValue(forKey: entry.key.number) == entry.value.number ? "pop" : fail()
    default:
      if random.below(20) != 0 { return "nothing" }
      let keeps = random.below(2) == 0
      dictionary.removeAll(keepingCapacity: keeps)
      model.removeAll(keepingCapacity: keeps)
      try dictionary.reserveCapacity(random.below(100))
      return "remove all"
    }
  }

  /// Makes the next comparison fail: the answer was not the model's.
  private mutating func fail() -> String {
    model[-1] = -1
    return "another answer"
  }
}
