// Swift concurrency over one heap: tasks that send and receive objects through a channel, an actor that owns a part of the graph, a task that
// follows the collector's events, and one that sheds load when memory runs short.
//
// The rule: inside `withMutator` there is no `await`, outside there are no references. What crosses is a `Root`, a value, or the channel.

import Tricolor

/// A text that a task is to count the words of.
struct Document: Managed {
  static let slot = TypeSlot()
  let number: Int
  let text: ManagedString
}

/// Counts by word, on the managed heap: whoever is inside the actor may change them.
actor Counts {
  private let heap: Heap
  private let byWord: Root<ManagedDictionary<ManagedString, Int>>

  init(_ heap: Heap) throws {
    self.heap = heap
    byWord = try heap.withMutator { m in m.root(try ManagedDictionary(m)) }
  }

  func add(_ words: [String]) throws {
    try heap.withMutator { [byWord] m in
      let counts = byWord.get(m)!
      for word in words {
        if let count = counts[word] {
          try counts.updateValue(count + 1, forKey: ManagedString(word, m))
        } else {
          try counts.updateValue(1, forKey: ManagedString(word, m))
        }
      }
    }
  }

  func count(of word: String) -> Int { heap.withMutator { [byWord] m in byWord.get(m)![word] ?? 0 } }
}

/// Sends `count` documents.
func produce(_ producer: Int, _ count: Int, into channel: ManagedChannel<Reference<Document>>) async throws {
  for i in 0..<count {
    try await channel.send { m in
      try m.make(Document(number: i, text: ManagedString("document \(i) of producer \(producer)", m)))
    }
  }
}

/// Counts the words of documents until there are no more; how many it had.
func consume(_ channel: ManagedChannel<Reference<Document>>, _ counts: Counts) async throws -> Int {
  var documents = 0
  while let words = try await channel.receive({ _, document in
    document.text.description.split(separator: " ").map(String.init)
  }) {
    try await counts.add(words)
    documents += 1
  }
  return documents
}

func run() async throws {
  var configuration = Heap.Configuration.environment
  configuration.minimumHeap = 64 << 10
  let heap = try Heap(configuration: configuration)
  let events = heap.events
  let watching = Task {
    var cycles = 0
    for await _ in events { cycles += 1 }
    return cycles
  }
  let pressure = heap.pressure
  let shedding = Task { for await event in pressure { print("memory pressure is \(event.level)") } }

  let channel = try heap.withMutator { m in try ManagedChannel<Reference<Document>>(capacity: 16, m) }
  let counts = try Counts(heap)
  let (producers, each) = (8, 500)
  let documents = try await withThrowingTaskGroup(of: Int.self) { consumers in
    for _ in 0..<20 { consumers.addTask { try await consume(channel, counts) } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for producer in 0..<producers { group.addTask { try await produce(producer, each, into: channel) } }
      try await group.waitForAll()
    }
    channel.close()
    return try await consumers.reduce(0, +)
  }
  guard documents == producers * each else { fatalError("\(documents) documents arrived") }
  guard await counts.count(of: "document") == documents, await counts.count(of: "499") == producers else {
    fatalError("words are missing")
  }
  let ended = heap.collect(deadline: .now + .seconds(10))
  watching.cancel()
  shedding.cancel()
  print(
    "\(documents) documents, \(await watching.value) cycles seen, \(heap.statistics.attachedMutators) threads entered the heap"
  )
  guard ended else { fatalError("a cycle took longer than ten seconds") }
}

try await run()
