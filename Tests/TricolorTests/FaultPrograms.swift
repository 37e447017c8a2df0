// What the tests of refused system calls run: a small program that uses all of a heap, a graph that knows itself by heart, and what
// a process must not keep of a heap that was not made.

import Glibc
@_spi(Testing) import Tricolor
import TricolorPacing
@_spi(Testing) import TricolorPlatform

enum HeapUse {
  static func unlimited() -> Heap.Configuration {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 1 << 20
    configuration.settings.debug.clobberFree = true
    return configuration
  }

  /// A limit that binds whatever the process has already.
  static func limited() -> Heap.Configuration {
    var configuration = unlimited()
    let resident = (try? ResidentSetReader().residentBytes()) ?? 64 << 20
    configuration.memoryLimit = .bytes(Int64(resident + (12 << 20)))
    return configuration
  }

  /// At most twelve of `count` calls, the first four and the last among them.
  static func sample(_ count: Int) -> [Int] {
    if count <= 12 { return Array(0..<count) }
    return [0, 1, 2, 3] + (1...8).map { 3 + (count - 4) * $0 / 8 }
  }
}

/// A heap of its own, used and dropped.
func useHeap(_ configuration: Heap.Configuration, threads: Int = 3) throws {
  let heap = try Heap(configuration: configuration)
  if threads > 0 { try useHeap(heap, threads: threads) }
}

/// Threads that come and go, each with a list that must stay whole while garbage, cycles and large objects pass by.
func useHeap(_ heap: Heap, threads: Int = 3) throws {
  for _ in 0..<2 {
    var running: [NativeThread] = []
    let failure = Shared<(any Error)?>(nil)
    defer { for thread in running { thread.join() } }
    for index in 0..<threads {
      running.append(
        try NativeThread.start(name: "user-\(index)") {
          do {
            try heap.attachThread()
            try heap.withMutator { m in try useThread(heap, m, seed: index) }
          } catch {
            failure.withLock { $0 = error }
          }
        })
    }
    while let thread = running.popLast() { thread.join() }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

private func useThread(_ heap: Heap, _ m: Mutator, seed: Int) throws {
  let root = m.root(try m.make(Link(key: seed, left: nil, right: nil)))
  defer { check(root, m, seed: seed) }
  for round in 1...3 {
    var last = root.get(m)!
    while let next = last.left { last = next }
    for key in 1...200 {
      let link = try m.make(Link(key: seed &+ (round - 1) * 200 &+ key, left: nil, right: nil))
      link.right = try m.make(Link(key: -link.key, left: link, right: nil))
      last.left = link
      last = link
      for _ in 0..<20 { _ = try m.makeBytes(count: 200) }
    }
    let large = try m.makeBytes(count: 600_000) { memset($0.baseAddress!, Int32(seed), $0.count) }
    heap.collect()
    precondition(
      large.withBytes { memory in memory.allSatisfy { $0 == UInt8(seed) } }, "a large object was overwritten")
  }
}

/// The list has lost nothing up to where it was built.
private func check(_ root: Root<Link>, _ m: Mutator, seed: Int) {
  var next = root.get(m)
  var key = seed
  while let link = next {
    precondition(link.key == key, "key \(link.key) where \(key) was")
    if key != seed, let right = link.right {
      precondition(right.key == -key && right.left!.key == key, "the pair of \(key) is broken")
    }
    key += 1
    next = link.left
  }
}

/// What a process holds besides memory.
struct Leftovers {
  let threads: Int
  let files: Int
  let mappings: Int
  let addressBytes: Int

  static func now() -> Leftovers {
    Leftovers(
      threads: count("/proc/self/task"), files: count("/proc/self/fd"), mappings: lines("/proc/self/maps"),
      addressBytes: pages() * AddressSpace.pageSize)
  }

  /// Waits until the process holds no more than `before`: a joined thread is listed for a moment longer. An alarm ends the wait.
  static func settle(to before: Leftovers) {
    while true {
      let now = Leftovers.now()
      // Stacks of ended threads are cached, and malloc may map something; a heap's ranges would be several.
      if now.threads <= before.threads && now.files <= before.files && now.mappings <= before.mappings + 4 { return }
      usleep(1000)
    }
  }

  private static func count(_ directory: String) -> Int {
    guard let stream = opendir(directory) else { fatalError("no \(directory)") }
    defer { closedir(stream) }
    var count = 0
    while readdir(stream) != nil { count += 1 }
    return count
  }

  private static func pages() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { fatalError("no statm") }
    defer { fclose(file) }
    var pages = 0
    precondition(withUnsafeMutablePointer(to: &pages) { withVaList([$0]) { vfscanf(file, "%ld", $0) } } == 1)
    return pages
  }

  private static func lines(_ path: String) -> Int {
    guard let file = fopen(path, "r") else { fatalError("no \(path)") }
    defer { fclose(file) }
    var count = 0
    var byte = getc(file)
    while byte != EOF {
      if byte == 10 { count += 1 }
      byte = getc(file)
    }
    return count
  }
}

/// A knot of a web: two others, and a leaf with a leaf of its own.
struct Knot: Managed {
  static let slot = TypeSlot()
  var number: Int
  var left: Reference<Knot>?
  var right: Reference<Knot>?
  var leaf: Reference<Link>?
}

/// A random graph of knots, reachable from one of them. Marking it needs room for a fourth as many edges as there are knots. What hangs
/// where is known outside the heap; knots do not move and those reachable stay so, which makes their addresses names.
final class Web: Sendable {
  private struct Model {
    /// Of the reachable knots: address, number, the numbers of the others, and of the leaf that hangs there now.
    var addresses: [HiddenAddress] = []
    var edges: [(left: Int, right: Int)] = []
    var leaves: [Int] = []
    var random: SplitMix
  }
  private let heap: Heap
  private let root: Root<Knot>
  private let model: Shared<Model>

  init(_ heap: Heap, knots: Int, seed: UInt64) throws {
    self.heap = heap
    let model = Shared(Model(random: SplitMix(seed)))
    self.model = model
    root = try onOwnThread {
      try heap.withMutator { m in
        try model.withLock { model in
          let all = m.root(try m.makeArray(of: Knot.self, count: knots))
          for i in 0..<knots {
            let leaf = try m.make(Link(key: i, left: m.make(Link(key: -i, left: nil, right: nil)), right: nil))
            all.get(m)![i] = try m.make(Knot(number: i, left: nil, right: nil, leaf: leaf))
          }
          for i in 0..<knots {
            let edge = (model.random.next(below: knots), model.random.next(below: knots))
            all.get(m)![i]!.left = all.get(m)![edge.0]
            all.get(m)![i]!.right = all.get(m)![edge.1]
            model.edges.append(edge)
            model.leaves.append(i)
            model.addresses.append(HiddenAddress(all.get(m)![i]!))
          }
          return m.root(all.get(m)![0])
        }
      }
    }
    model.withLock { Web.forgetUnreachable(&$0) }
  }

  /// Renumbers the model by the order in which a walk from knot 0 finds the knots.
  private static func forgetUnreachable(_ model: inout Model) {
    var order = [0]
    var place: [Int: Int] = [0: 0]
    var next = 0
    while next < order.count {
      for other in [model.edges[order[next]].left, model.edges[order[next]].right] where place[other] == nil {
        place[other] = order.count
        order.append(other)
      }
      next += 1
    }
    model = Model(
      addresses: order.map { model.addresses[$0] },
      edges: order.map { (place[model.edges[$0].left]!, place[model.edges[$0].right]!) }, leaves: order,
      random: model.random)
  }

  /// Leaves change places, each for a moment held by nothing but this thread's stack; and garbage is made.
  func change(_ times: Int) throws {
    try onOwnThread { [self] in
      try heap.withMutator { m in
        try model.withLock { model in
          for _ in 0..<times {
            let (one, other) = (
              model.random.next(below: model.leaves.count), model.random.next(below: model.leaves.count)
            )
            let (first, second) = (knot(one, model), knot(other, model))
            let leaf = first.leaf
            first.leaf = nil
            _ = try m.make(Link(key: 0, left: nil, right: nil))
            m.poll()
            first.leaf = second.leaf
            second.leaf = leaf
            model.leaves.swapAt(one, other)
          }
        }
      }
    }
  }

  /// Nothing is lost or exchanged.
  func check() throws {
    try onOwnThread { [self] in
      heap.withMutator { m in
        model.withLock { model in
          for i in model.leaves.indices {
            let knot = self.knot(i, model)
            let edge = model.edges[i]
            let leaf = model.leaves[i]
            guard knot.left!.address == self.knot(edge.left, model).address,
              knot.right!.address == self.knot(edge.right, model).address,
              knot.leaf!.key == leaf, knot.leaf!.left!.key == -leaf
            else { fatalError("knot \(i) is not whole") }
            if i & 1023 == 0 { m.poll() }
          }
        }
      }
    }
  }

  private func knot(_ index: Int, _ model: Model) -> Reference<Knot> { model.addresses[index].reference(to: Knot.self) }
}

/// Random numbers that a seed decides (SplitMix64).
struct SplitMix: Sendable {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next(below bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return Int((mixed ^ mixed >> 31) % UInt64(bound))
  }
}
