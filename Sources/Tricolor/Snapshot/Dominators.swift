// The dominator tree of a snapshot, and with it what each object retains: the bytes that would be garbage if it were.
//
// Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (TOPLAS 1979), the version with path compression
// alone: O(m log n) for every graph, also for the long lists and deep trees that heaps are full of. (The iterative algorithm of Cooper,
// Harvey and Kennedy is quadratic on some of these.) No recursion anywhere: a list of ten million nodes is one path.
//
// Nodes are renumbered in the order of a depth-first search. While nodes are taken in the reverse of that order, those behind the current one are a
// forest, in which an ancestor is a parent until paths are compressed: one array serves as both. A node is linked when it is at or behind
// `linked`. What the search does not reach (a file of another program may have such nodes) has no dominator and retains itself.

import TricolorPlatform

/// What dominates each node, and what each retains.
final class Retention: Sendable {
  /// By node: the one node that every path from the root passes last; of the root and what is not reached, the root.
  let dominators: MappedArray<UInt32>
  /// By node, in bytes.
  let retained: MappedArray<UInt64>
  /// The kinds of whatever size, each once, and the place of each kind's.
  let classes: [HeapSnapshot.Kind]
  let classOfKind: [Int]
  /// By class: the bytes that its objects retain, each by itself, those of objects inside of others counted once.
  let retainedOfClass: [Int]

  init(of snapshot: HeapSnapshot) throws(SnapshotError) {
    let count = snapshot.nodeCount
    dominators = try SnapshotError.array(of: UInt32.self, count)
    retained = try SnapshotError.array(of: UInt64.self, count)
    (classes, classOfKind) = Retention.classes(of: snapshot.kinds)
    var search = try DominatorSearch(snapshot)
    search.run()
    for node in 0..<count { retained.base[node] = UInt64(snapshot.kind(of: node).bytes) }
    search.sumUp(retained.base)
    search.report(dominators.base)
    let classOfKind = self.classOfKind
    retainedOfClass = search.sumByClass(retained.base, classes: classes.count) { node in
      classOfKind[Int(snapshot.kindOfNode[node])]
    }
  }

  private static func classes(of kinds: [HeapSnapshot.Kind]) -> ([HeapSnapshot.Kind], [Int]) {
    var (classes, places): ([HeapSnapshot.Kind], [HeapSnapshot.Kind: Int]) = ([], [:])
    let ofKind = kinds.map { kind in
      var kind = kind
      kind.bytes = 0
      if let place = places[kind] { return place }
      places[kind] = classes.count
      classes.append(kind)
      return classes.count - 1
    }
    return (classes, ofKind)
  }
}

/// The search: everything by a node's place in depth-first order, except where said.
private struct DominatorSearch {
  private let snapshot: HeapSnapshot
  /// Nodes by place, and places by node plus one; 0 for what is not reached.
  private let order: MappedArray<UInt32>
  private let place: MappedArray<UInt32>
  private let ancestor: MappedArray<UInt32>
  private let semi: MappedArray<UInt32>
  private let best: MappedArray<UInt32>
  private let dominator: MappedArray<UInt32>
  /// By node during the search, the next edge to follow; then where a node's predecessors end; then a stack.
  private let scratch: MappedArray<UInt32>
  private let firstPredecessor: MappedArray<UInt32>
  private let predecessors: MappedArray<UInt32>
  /// Lists: of the nodes whose semidominator a node is; then of the nodes it dominates.
  private let firstInList: MappedArray<UInt32>
  private let nextInList: MappedArray<UInt32>
  /// Nodes reached.
  private var reached = 0
  /// The end of lists.
  private static let none = UInt32.max

  init(_ snapshot: HeapSnapshot) throws(SnapshotError) {
    self.snapshot = snapshot
    let count = snapshot.nodeCount
    order = try SnapshotError.array(of: UInt32.self, count)
    place = try SnapshotError.array(of: UInt32.self, count)
    ancestor = try SnapshotError.array(of: UInt32.self, count)
    semi = try SnapshotError.array(of: UInt32.self, count)
    best = try SnapshotError.array(of: UInt32.self, count)
    dominator = try SnapshotError.array(of: UInt32.self, count)
    scratch = try SnapshotError.array(of: UInt32.self, count + 1)
    firstPredecessor = try SnapshotError.array(of: UInt32.self, count + 1)
    predecessors = try SnapshotError.array(of: UInt32.self, snapshot.targets.count)
    firstInList = try SnapshotError.array(of: UInt32.self, count)
    nextInList = try SnapshotError.array(of: UInt32.self, count)
  }

  mutating func run() {
    searchDepthFirst()
    findPredecessors()
    findDominators()
  }

  /// Numbers all that is reachable. The way back is by parents, the place within each node by `scratch`: no stack.
  private mutating func searchDepthFirst() {
    let (firstEdge, targets) = (snapshot.firstEdge.base, snapshot.targets.base)
    let (order, place, parent, next) = (order.base, place.base, ancestor.base, scratch.base)
    var node = HeapSnapshot.root
    order[0] = UInt32(node)
    place[node] = 1
    next[node] = firstEdge[node]
    reached = 1
    while true {
      let edge = next[node]
      if edge < firstEdge[node + 1] {
        next[node] = edge + 1
        let target = Int(targets[Int(edge)])
        if place[target] != 0 { continue }
        parent[reached] = place[node] - 1
        order[reached] = UInt32(target)
        place[target] = UInt32(reached + 1)
        next[target] = firstEdge[target]
        reached += 1
        node = target
      } else {
        if node == HeapSnapshot.root { return }
        node = Int(order[Int(parent[Int(place[node] - 1)])])
      }
    }
  }

  private func forEachEdge(_ body: (_ from: UInt32, _ to: UInt32) -> Void) {
    let (firstEdge, targets) = (snapshot.firstEdge.base, snapshot.targets.base)
    let (order, place) = (order.base, place.base)
    for from in 0..<reached {
      let node = Int(order[from])
      for edge in Int(firstEdge[node])..<Int(firstEdge[node + 1]) {
        body(UInt32(from), place[Int(targets[edge])] - 1)
      }
    }
  }

  private func findPredecessors() {
    let (first, end, predecessors) = (firstPredecessor.base, scratch.base, predecessors.base)
    forEachEdge { _, to in first[Int(to) + 1] += 1 }
    for node in 0..<reached {
      first[node + 1] += first[node]
      end[node] = first[node]
    }
    forEachEdge { from, to in
      predecessors[Int(end[Int(to)])] = from
      end[Int(to)] += 1
    }
  }

  private func findDominators() {
    let (first, predecessors) = (firstPredecessor.base, predecessors.base)
    let (ancestor, semi, best, dominator) = (ancestor.base, semi.base, best.base, dominator.base)
    let (list, next) = (firstInList.base, nextInList.base)
    for node in 0..<reached {
      semi[node] = UInt32(node)
      best[node] = UInt32(node)
      list[node] = DominatorSearch.none
    }
    for node in stride(from: reached - 1, through: 1, by: -1) {
      for edge in Int(first[node])..<Int(first[node + 1]) {
        semi[node] = min(semi[node], semi[bestOnPath(predecessors[edge], linked: node + 1)])
      }
      let home = Int(semi[node])
      next[node] = list[home]
      list[home] = UInt32(node)
      // The node is linked from here on.
      let parent = ancestor[node]
      var waiting = list[Int(parent)]
      while waiting != DominatorSearch.none {
        let candidate = bestOnPath(waiting, linked: node)
        dominator[Int(waiting)] = semi[candidate] < semi[Int(waiting)] ? UInt32(candidate) : parent
        waiting = next[Int(waiting)]
      }
      list[Int(parent)] = DominatorSearch.none
    }
    for node in stride(from: 1, to: reached, by: 1) where dominator[node] != semi[node] {
      dominator[node] = dominator[Int(dominator[node])]
    }
  }

  /// The node with the least semidominator on the path from `node` up to the root of its tree in the forest, that one not counted; the path is
  /// compressed.
  private func bestOnPath(_ node: UInt32, linked: Int) -> Int {
    if node < linked { return Int(node) }
    let (ancestor, semi, best, path) = (ancestor.base, semi.base, best.base, scratch.base)
    var length = 0
    var top = Int(node)
    while ancestor[top] >= linked {
      path[length] = UInt32(top)
      length += 1
      top = Int(ancestor[top])
    }
    while length > 0 {
      length -= 1
      let below = Int(path[length])
      let above = Int(ancestor[below])
      if semi[Int(best[above])] < semi[Int(best[below])] { best[below] = best[above] }
      ancestor[below] = ancestor[above]
    }
    return Int(best[Int(node)])
  }

  // MARK: What follows

  /// Adds to each node's bytes those of all that it dominates. By node.
  func sumUp(_ bytes: UnsafeMutablePointer<UInt64>) {
    let (order, dominator) = (order.base, dominator.base)
    for node in stride(from: reached - 1, through: 1, by: -1) {
      bytes[Int(order[Int(dominator[node])])] += bytes[Int(order[node])]
    }
  }

  /// Writes dominators by node.
  func report(_ dominators: UnsafeMutablePointer<UInt32>) {
    for node in 0..<reached { dominators[Int(order[node])] = order[Int(dominator[node])] }
  }

  /// The sum, by class, of what the nodes of a class retain that no other one of it dominates.
  func sumByClass(
    _ retained: UnsafeMutablePointer<UInt64>, classes: Int, _ classOf: (_ node: Int) -> Int
  ) -> [Int] {
    listDominated()
    let (order, dominator, list, next) = (order.base, dominator.base, firstInList.base, nextInList.base)
    var sums = [Int](repeating: 0, count: classes)
    var depths = [Int](repeating: 0, count: classes)
    var node = 0
    walk: while true {
      let entered = classOf(Int(order[node]))
      if depths[entered] == 0 { sums[entered] += Int(retained[Int(order[node])]) }
      depths[entered] += 1
      if list[node] != DominatorSearch.none {
        node = Int(list[node])
        continue
      }
      // Up to the next one that has a sibling.
      while true {
        depths[classOf(Int(order[node]))] -= 1
        if node == 0 { break walk }
        if next[node] != DominatorSearch.none { break }
        node = Int(dominator[node])
      }
      node = Int(next[node])
    }
    return sums
  }

  private func listDominated() {
    let (dominator, list, next) = (dominator.base, firstInList.base, nextInList.base)
    for node in 0..<reached { list[node] = DominatorSearch.none }
    for node in stride(from: reached - 1, through: 1, by: -1) {
      next[node] = list[Int(dominator[node])]
      list[Int(dominator[node])] = UInt32(node)
    }
  }
}
