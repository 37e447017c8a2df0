// The index against a dictionary: random insertions and deletions, order, shape, snapshots.

import Harness
import Testing
import Tricolor

@testable import EtcdStore

@Suite("The index")
struct KeyTreeTests {
  @Test("holds what a dictionary holds, in order, after any insertions and deletions", arguments: [UInt64(1), 2, 3])
  func agreesWithDictionary(seed: UInt64) throws {
    let heap = try testHeap()
    try heap.withMutator { m in
      var random = SplitMix64(seed: seed)
      var model: Set<String> = []
      let tree = try m.make(KeyTree())
      for step in 0..<6_000 {
        // First mostly growing, then mostly shrinking, so that nodes split and merge.
        let grows = random.next() % 10 < (step < 3_500 ? 8 : 2)
        let key = "key-\(random.next() % 2_500)"
        if grows {
          if model.insert(key).inserted { try insert(key, tree, m) }
        } else {
          let removed = try withBytes(key) { try tree.remove($0, m) != nil }
          #expect(removed == (model.remove(key) != nil), "seed \(seed), step \(step)")
        }
        if step % 500 == 0 { expectAgreement(tree, model, "seed \(seed), step \(step)") }
      }
      expectAgreement(tree, model, "seed \(seed), at the end")
    }
  }

  @Test("finds every key and none that is not there")
  func finds() throws {
    let heap = try testHeap()
    try heap.withMutator { m in
      let tree = try m.make(KeyTree())
      for number in 0..<1_000 { try insert("k\(number * 2)", tree, m) }
      for number in 0..<2_000 {
        let found = withBytes("k\(number)") { tree.find($0) != nil }
        #expect(found == (number % 2 == 0))
      }
    }
  }

  @Test("is walked from any key on", arguments: ["", "k0500", "k0500\u{0}", "k0999", "k1", "z"])
  func ascendsFrom(start: String) throws {
    let heap = try testHeap()
    try heap.withMutator { m in
      let tree = try m.make(KeyTree())
      let names = (0..<1_000).map { "k" + String(10_000 + $0).dropFirst() }
      var random = SplitMix64(seed: 6)
      for name in names.shuffled(using: &random) { try insert(name, tree, m) }
      var walked: [String] = []
      withBytes(start) { start in
        tree.ascend(from: start) { index in
          walked.append(text(index.keyBytes))
          return true
        }
      }
      #expect(walked == names.filter { $0 >= start })
    }
  }

  @Test("a walk ends when the visitor says so")
  func walkEnds() throws {
    let heap = try testHeap()
    try heap.withMutator { m in
      let tree = try m.make(KeyTree())
      for number in 0..<500 { try insert("k\(number)", tree, m) }
      var visits = 0
      withBytes("") { start in
        tree.ascend(from: start) { _ in
          visits += 1
          return visits < 77
        }
      }
      #expect(visits == 77)
    }
  }

  @Test("a snapshot stays as it was while the tree changes", arguments: [UInt64(4), 5])
  func snapshotStays(seed: UInt64) throws {
    let heap = try testHeap()
    try heap.withMutator { m in
      var random = SplitMix64(seed: seed)
      var model: Set<String> = []
      let tree = try m.make(KeyTree())
      for _ in 0..<1_500 {
        let key = "key-\(random.next() % 1_500)"
        if model.insert(key).inserted { try insert(key, tree, m) }
      }
      let snapshot = try tree.snapshot(m)
      let before = model
      for _ in 0..<3_000 {
        let key = "key-\(random.next() % 3_000)"
        if random.next() % 2 == 0 {
          if model.insert(key).inserted { try insert(key, tree, m) }
        } else if model.remove(key) != nil {
          _ = try withBytes(key) { try tree.remove($0, m) }
        }
      }
      expectAgreement(snapshot, before, "snapshot, seed \(seed)")
      expectAgreement(tree, model, "tree, seed \(seed)")
    }
  }

  private func insert(_ name: String, _ tree: Reference<KeyTree>, _ m: Mutator) throws {
    let key = try withBytes(name) { try m.makeBytes(copying: $0) }
    try tree.insert(try m.make(KeyIndex(key: key, generations: nil, generationCount: 0, modified: 0)), m)
  }

  private func expectAgreement(_ tree: Reference<KeyTree>, _ model: Set<String>, _ place: String) {
    var walked: [String] = []
    withBytes("") { start in
      tree.ascend(from: start) { index in
        walked.append(text(index.keyBytes))
        return true
      }
    }
    #expect(walked == model.sorted(), "\(place)")
    let count = tree.keyCount
    #expect(count == model.count, "\(place)")
    if let root = tree.root { expectShape(root, isRoot: true, place) }
  }

  /// Occupancy, equal depth, empty slots behind the last. Answers the depth.
  @discardableResult
  private func expectShape(_ node: Reference<IndexNode>, isRoot: Bool, _ place: String) -> Int {
    let items = node.itemCount
    #expect(items <= IndexNode.mostItems && (isRoot || items >= IndexNode.fewestItems), "\(place): \(items) items")
    let emptyAfter = (items..<IndexNode.mostItems).allSatisfy { node.items[$0] == nil }
    #expect(emptyAfter, "\(place): an item after the last")
    guard let children = node.children else { return 0 }
    let unused = (items + 1..<children.count).allSatisfy { children[$0] == nil }
    #expect(unused, "\(place): a child after the last")
    let depths = Set((0...items).map { expectShape(node.child($0), isRoot: false, place) })
    #expect(depths.count == 1, "\(place): leaves at depths \(depths)")
    return (depths.first ?? 0) + 1
  }
}
