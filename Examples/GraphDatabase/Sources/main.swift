// A small graph that is known by heart, then a large random one that four tasks change and ask at a time.

func expect<Value: Equatable>(_ found: Value, _ wanted: Value, line: Int = #line) {
  if found != wanted { fatalError("line \(line): \(found), not \(wanted)") }
}

func smallGraph() throws {
  let graph = try GraphDatabase()
  for (name, city) in [("Ada", "London"), ("Charles", "London"), ("Sophia", "Paris"), ("Émilie", "Paris")] {
    try graph.addNode(name, properties: ["city": city])
  }
  try graph.addEdge("Ada", "writes to", "Charles")
  try graph.addEdge("Charles", "writes to", "Sophia")
  try graph.addEdge("Sophia", "reads", "Émilie")
  try graph.addEdge("Sophia", "writes to", "Ada")
  expect(try graph.neighbours(of: "Sophia", along: "writes to"), ["Ada"])
  expect(try graph.path(from: "Ada", to: "Émilie"), ["Ada", "Charles", "Sophia", "Émilie"])
  expect(try graph.path(from: "Émilie", to: "Ada"), nil)
  expect(try graph.nodes(where: "city", is: "Paris"), ["Sophia", "Émilie"])
  expect(try graph.reach(of: "Charles"), 4)
  try graph.removeNode("Sophia")
  expect(try graph.path(from: "Ada", to: "Émilie"), nil)
  expect(try graph.size().edges, 1)
  do {
    try graph.addEdge("Ada", "writes to", "Sophia")
    fatalError("an edge to a node that is gone was added")
  } catch GraphError.noSuchNode(let name) {
    expect(name, "Sophia")
  }
}

func largeGraph() async throws {
  let graph = try GraphDatabase()
  let count = 2000
  for i in 0..<count { try graph.addNode("n\(i)", properties: ["parity": i % 2 == 0 ? "even" : "odd"]) }
  try await withThrowingTaskGroup(of: Void.self) { group in
    for worker in 0..<4 {
      group.addTask {
        for i in 0..<count {
          try graph.addEdge("n\(i)", "to", "n\((i * 7 + worker * 31 + 1) % count)")
          if i % 200 == worker { _ = try graph.reach(of: "n\(i)") }
        }
      }
    }
    try await group.waitForAll()
  }
  expect(try graph.size().edges, 4 * count)
  for i in stride(from: 0, to: count, by: 2) { try graph.removeNode("n\(i)") }
  expect(try graph.nodes(where: "parity", is: "even"), [])
  let (nodes, edges) = try graph.size()
  graph.heap.collect()
  let statistics = graph.heap.statistics
  print("\(nodes) nodes and \(edges) edges are left of \(count) and \(4 * count)")
  print(
    "\(statistics.allocatedObjects) objects made, \(statistics.liveBytes >> 10) KiB alive, \(statistics.cycles) cycles")
}

try smallGraph()
try await largeGraph()
