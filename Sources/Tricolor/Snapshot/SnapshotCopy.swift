// Copying the graph of what is reachable, with everybody held: first finding it, then writing it down.
//
// *Finding* sets a bit for every object reached and counts references. Its stack has a fixed size; what finds no room is noted in a
// second bitmap and scanned when the stack is empty, so the memory it takes is bounded whatever the shape of the graph (the way mark
// stacks overflow, Jones, Hosking and Moss, "The Garbage Collection Handbook", 2.6). Between both the objects of each bitmap word are
// counted, so that the number of a node is a sum and the bits below its own: no table of addresses. *Writing* takes the objects in the order
// of their addresses, which makes it fast, and a difference of two snapshots stable.
//
// References are followed as the collector does: words of stacks, frames, ranges and custom objects lead to the object around them,
// others must be an object's start, and what is neither is passed over (`Heap.verify()` says so). A weak reference is no edge. The value
// of an ephemeron is reached once its key is, and is the ephemeron's edge; one that waits is found by its key.
//
// Outside the heap this takes two bits and a quarter of a granule, less than 2 % of the heap's address range where that is touched, 16 bytes a root, some
// 50 a waiting ephemeron, and the snapshot itself, whose size is known before it is made.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// Numbers of nodes: the same object has the same one in every snapshot. They must fit 32 bits, in Chrome's viewer too.
enum SnapshotNumber {
  /// Groups have numbers above: of their sort and, where they have one, their thread.
  static let mostObjects: UInt32 = 0xff00_0000 - 1
  static let root = UInt32.max

  static func object(granule: UInt) -> UInt32 { UInt32(truncatingIfNeeded: granule) + 1 }
  static func group(_ sort: SnapshotCopier.Group.Sort, thread: Int32) -> UInt32 {
    0xff00_0000 | UInt32(sort.rawValue) << 22 | UInt32(bitPattern: thread) & 0x3f_ffff
  }
}

final class SnapshotCopier {
  /// Roots of one sort, and of one thread.
  struct Group {
    /// What has no thread comes last, each with a number of its own in the place of a thread's.
    enum Sort: UInt8 { case stack, frames, traced, other }
    let sort: Sort
    let thread: Int32
    /// What there is of roots up to its end.
    let end: Int

    static let handles: Int32 = 1
    static let globals: Int32 = 2
    static let ranges: Int32 = 3
    static let finalizers: Int32 = 4
  }

  private struct Root {
    let object: UInt
    let label: UInt32
  }

  /// A layout and a size.
  private struct Sort: Hashable {
    let layout: UInt32
    let bytes: Int
  }

  private let heap: HeapCore
  private let map = addressMap
  /// The heap's arenas in the order of their addresses, and the bitmap word that theirs begin with.
  private let arenas: [Int]
  private let firstWord: Int
  private let seen: MappedArray<UInt64>
  private let postponed: MappedArray<UInt64>
  private let stack: MappedArray<UInt>
  private var depth = 0
  private var hasPostponed = false
  private var isFinding = true
  /// Ephemerons by the keys they wait for.
  private var waiting: [UInt: [UInt]] = [:]
  private var roots: [Root] = []
  private var groups: [Group] = []
  private var objectCount = 0
  private var edgeCount = 0
  /// By bitmap word: the node of its first object.
  private var firstNode: MappedArray<UInt32>
  private var sorts: [Sort] = []
  private var sortOfLane: [UInt32?]
  private var sortOfLarge: [Sort: UInt32] = [:]
  /// What a custom trace function or a program's function for roots has just reported.
  private var reported: [UInt] = []

  private static let stackSize = 1 << 16
  private static let wordsPerArena = Geometry.blocksPerArena * Geometry.bitmapWordsPerBlock

  init(_ heap: HeapCore) throws(SnapshotError) {
    self.heap = heap
    var arenas: [Int] = []
    heap.state.pointee.blocks.forEachArena { arenas.append($0.index) }
    arenas.sort()
    self.arenas = arenas
    let first = arenas.first ?? 0
    firstWord = first * SnapshotCopier.wordsPerArena
    let words = arenas.isEmpty ? 0 : (arenas.last! + 1 - first) * SnapshotCopier.wordsPerArena
    seen = try SnapshotError.array(of: UInt64.self, words)
    postponed = try SnapshotError.array(of: UInt64.self, words)
    firstNode = try SnapshotError.array(of: UInt32.self, words)
    stack = try SnapshotError.array(of: UInt.self, SnapshotCopier.stackSize)
    sortOfLane = [UInt32?](repeating: nil, count: LayoutTable.laneCount)
    if map.granule(of: map.address(ofBlock: 0)) + UInt(firstWord + words) << 6 > UInt(SnapshotNumber.mostObjects) {
      throw .tooLarge(
        "it reaches beyond the first \(Int(SnapshotNumber.mostObjects) * Geometry.granule) bytes of the managed range")
    }
  }

  // MARK: Finding

  /// Finds all that is reachable.
  func find() {
    findRoots()
    drain()
    while hasPostponed {
      hasPostponed = false
      forEachWord { word in
        while postponed.base[word] != 0 {
          let bit = postponed.base[word].trailingZeroBitCount
          postponed.base[word] &= postponed.base[word] - 1
          scan(object(word, bit))
          drain()
        }
      }
    }
  }

  /// Bytes that the snapshot will take, with all that can be asked of it.
  var neededBytes: Int {
    HeapSnapshot.neededBytes(
      objects: objectCount + groups.count + 1, references: edgeCount + roots.count + groups.count)
  }

  private func forEachWord(_ body: (Int) -> Void) {
    for arena in arenas {
      let first = arena * SnapshotCopier.wordsPerArena - firstWord
      for word in first..<first + SnapshotCopier.wordsPerArena { body(word) }
    }
  }

  private func object(_ word: Int, _ bit: Int) -> UInt { map.base + UInt((firstWord + word) << 6 + bit) << 4 }

  private func place(of object: UInt) -> (word: Int, mask: UInt64) {
    let granule = map.granule(of: object)
    return (Int(granule >> 6) - firstWord, 1 << UInt64(granule & 63))
  }

  @inline(__always) private func isSeen(_ object: UInt) -> Bool {
    let (word, mask) = place(of: object)
    return seen.base[word] & mask != 0
  }

  private func reach(_ object: UInt) {
    let (word, mask) = place(of: object)
    if seen.base[word] & mask != 0 { return }
    seen.base[word] |= mask
    objectCount += 1
    if depth < SnapshotCopier.stackSize {
      stack.base[depth] = object
      depth += 1
    } else {
      postponed.base[word] |= mask
      hasPostponed = true
    }
    if !waiting.isEmpty { release(key: object) }
  }

  /// The ephemerons that waited for `key` have a value now.
  private func release(key: UInt) {
    for ephemeron in waiting.removeValue(forKey: key) ?? [] {
      let value = tricolor_load_word(ephemeron + WeakCell.valueOffset)
      guard isObject(value) else { continue }
      edgeCount += 1
      reach(value)
    }
  }

  private func drain() {
    while depth > 0 {
      depth -= 1
      scan(stack.base[depth])
    }
  }

  private func scan(_ object: UInt) {
    forEachReference(of: object) { target, _ in
      edgeCount += 1
      reach(target)
    }
  }

  // MARK: Roots

  private func findRoots() {
    let state = heap.state
    var index = 0
    state.pointee.roots.forEachHandle {
      add($0, SnapshotLabel.element(index))
      index += 1
    }
    endGroup(.other, Group.handles)
    index = 0
    state.pointee.roots.forEachGlobal {
      add($0, SnapshotLabel.element(index))
      index += 1
    }
    endGroup(.other, Group.globals)
    state.pointee.roots.forEachRange { add(wordsOf: $0.start, $0.end) }
    endGroup(.other, Group.ranges)
    index = 0
    state.pointee.finalizers.forEachReference {
      add($0, SnapshotLabel.element(index))
      index += 1
    }
    endGroup(.other, Group.finalizers)
    heap.forEachMutator { addRoots(of: $0) }
  }

  private func addRoots(of mutator: MutatorCore) {
    let (stack, thread) = (mutator.state.pointee.parkedStack, mutator.state.pointee.threadID)
    if stack == 0 { return }
    mutator.forEachStackRange(from: stack) { add(wordsOf: $0, $1) }
    endGroup(.stack, thread)
    mutator.forEachFrame { add(wordsOf: $0, $1) }
    endGroup(.frames, thread)
    reported.removeAll(keepingCapacity: true)
    mutator.traceRoots(noteReported, Unmanaged.passUnretained(self).toOpaque())
    for (index, word) in reported.enumerated() {
      if let object = objectAround(word) { add(object, SnapshotLabel.element(index)) }
    }
    endGroup(.traced, thread)
  }

  private func add(wordsOf start: UInt, _ end: UInt) {
    let first = (start + 7) & ~7
    for address in stride(from: first, to: end & ~7, by: 8) {
      if let object = objectAround(tricolor_load_word(address)) {
        add(object, SnapshotLabel.element(Int(address - first) / 8))
      }
    }
  }

  private func add(_ object: UInt, _ label: UInt32) {
    guard isObject(object) else { return }
    roots.append(Root(object: object, label: label))
    reach(object)
    drain()
  }

  private func endGroup(_ sort: Group.Sort, _ thread: Int32) {
    if roots.count > groups.last?.end ?? 0 { groups.append(Group(sort: sort, thread: thread, end: roots.count)) }
  }

  // MARK: Objects

  /// The object of this heap that a word leads to, at its start or inside.
  private func objectAround(_ word: UInt) -> UInt? {
    map.owner(of: word) == UnsafeMutableRawPointer(heap.state) ? map.conservativeCell(word) : nil
  }

  /// Whether a reference leads to an object of this heap. One that is reachable has been found when writing begins.
  private func isObject(_ reference: UInt) -> Bool {
    guard map.owner(of: reference) == UnsafeMutableRawPointer(heap.state) else { return false }
    if isSeen(reference) && reference & 15 == 0 { return true }
    return isFinding && map.conservativeCell(reference) == reference
  }

  /// Calls `body` with every object that one refers to, and where.
  private func forEachReference(of object: UInt, _ body: (_ target: UInt, _ label: UInt32) -> Void) {
    if ScanWord.isLeaf(map.scanWords[map.block(of: object)]) { return }
    let head = map.head(of: object)
    let entry = LayoutTable.entries + Int(LayoutTable.laneClasses[Int(head.pointee.lane)].layout.index)
    let bytes = Int(head.pointee.cellBytes)
    func visit(_ offset: Int, _ label: UInt32) {
      let reference = tricolor_load_word(object + UInt(offset))
      if reference != 0, isObject(reference) { body(reference, label) }
    }
    switch entry.pointee.shape {
    case .leaf, .weak: break
    case .fixed:
      for i in 0..<entry.pointee.offsetCount {
        let offset = Int(entry.pointee.offsets![i])
        visit(offset, SnapshotLabel.field(offset))
      }
    case .references:
      for i in 0..<count(object, room: (bytes - 8) / 8) { visit(8 + 8 * i, SnapshotLabel.element(i)) }
    case .elements:
      let stride = entry.pointee.bytes
      for i in 0..<count(object, room: (bytes - 16) / stride) {
        for k in 0..<entry.pointee.offsetCount {
          visit(16 + i * stride + Int(entry.pointee.offsets![k]), SnapshotLabel.element(i))
        }
      }
    case .ephemeron:
      if bytes >= WeakCell.chainedBytes {
        visit(Int(WeakCell.nextOffset), SnapshotLabel.field(Int(WeakCell.nextOffset)))
      }
      let key = tricolor_load_word(object + WeakCell.keyOffset)
      guard isObject(key) else { break }
      if isSeen(key) {
        visit(Int(WeakCell.valueOffset), SnapshotLabel.field(Int(WeakCell.valueOffset)))
      } else if isFinding {
        waiting[key, default: []].append(object)
      }
    case .custom: forEachTraced(of: object, entry, bytes) { body($0, SnapshotLabel.traced) }
    }
  }

  /// The number of elements an array says it has; 0 where its cell has no room for them.
  private func count(_ array: UInt, room: Int) -> Int {
    let count = Int(bitPattern: tricolor_load_word(array))
    return count >= 0 && count <= room ? count : 0
  }

  private func forEachTraced(
    of object: UInt, _ entry: UnsafeMutablePointer<LayoutEntry>, _ bytes: Int, _ body: (UInt) -> Void
  ) {
    reported.removeAll(keepingCapacity: true)
    entry.pointee.trace!(
      UnsafeRawPointer(bitPattern: object)!, bytes, noteReported, Unmanaged.passUnretained(self).toOpaque())
    for reference in reported {
      if let target = objectAround(reference) { body(target) }
    }
  }

  fileprivate func note(_ reference: UInt) { reported.append(reference) }
}

/// Labels, by a shorter name.
private typealias SnapshotLabel = HeapSnapshot.Label

/// Takes what a trace function reports; `context` is the copier.
private func noteReported(_ context: UnsafeMutableRawPointer, _ reference: UInt) {
  Unmanaged<SnapshotCopier>.fromOpaque(context).takeUnretainedValue().note(reference)
}

// MARK: Writing

/// What a copier has written, before its kinds have names.
struct CopiedGraph {
  let kindOfNode: MappedArray<UInt32>
  let numbers: MappedArray<UInt32>
  let firstEdge: MappedArray<UInt32>
  let targets: MappedArray<UInt32>
  let labels: MappedArray<UInt32>

  init(nodes: Int, edges: Int) throws(SnapshotError) {
    kindOfNode = try SnapshotError.array(of: UInt32.self, nodes)
    numbers = try SnapshotError.array(of: UInt32.self, nodes)
    firstEdge = try SnapshotError.array(of: UInt32.self, nodes + 1)
    targets = try SnapshotError.array(of: UInt32.self, edges)
    labels = try SnapshotError.array(of: UInt32.self, edges)
  }
}

extension SnapshotCopier {
  /// Writes down what was found.
  func write() throws(SnapshotError) -> CopiedGraph {
    isFinding = false
    let nodes = 1 + groups.count + objectCount
    let edges = groups.count + roots.count + edgeCount
    if max(nodes, edges) >= Int(UInt32.max) {
      throw .tooLarge("\(objectCount) objects and \(edgeCount) references; up to \(UInt32.max - 1) of each are allowed")
    }
    let graph = try CopiedGraph(nodes: nodes, edges: edges)
    numberObjects()
    var edge = writeRoots(graph)
    var node = 1 + groups.count
    var isWhole = true
    forEachWord { word in
      var bits = seen.base[word]
      while bits != 0 {
        let object = object(word, bits.trailingZeroBitCount)
        bits &= bits - 1
        graph.kindOfNode[node] = UInt32(1 + groups.count) + sort(of: object)
        graph.numbers[node] = SnapshotNumber.object(granule: map.granule(of: object))
        graph.firstEdge[node] = UInt32(edge)
        node += 1
        forEachReference(of: object) { target, label in
          guard edge < edges else {
            isWhole = false
            return
          }
          graph.targets[edge] = self.node(of: target)
          graph.labels[edge] = label
          edge += 1
        }
      }
    }
    graph.firstEdge[nodes] = UInt32(edge)
    guard isWhole, edge == edges else { throw .changed }
    return graph
  }

  private func numberObjects() {
    var next = UInt32(1 + groups.count)
    forEachWord { word in
      if seen.base[word] == 0 { return }
      firstNode.base[word] = next
      next += UInt32(seen.base[word].nonzeroBitCount)
    }
  }

  private func node(of object: UInt) -> UInt32 {
    let (word, mask) = place(of: object)
    return firstNode.base[word] + UInt32((seen.base[word] & (mask - 1)).nonzeroBitCount)
  }

  /// Writes the root and the groups; the next edge.
  private func writeRoots(_ graph: CopiedGraph) -> Int {
    graph.numbers[0] = SnapshotNumber.root
    for group in groups.indices {
      graph.targets[group] = UInt32(1 + group)
      graph.labels[group] = SnapshotLabel.element(group)
    }
    var edge = groups.count
    for (index, group) in groups.enumerated() {
      graph.kindOfNode[1 + index] = UInt32(1 + index)
      graph.numbers[1 + index] = SnapshotNumber.group(group.sort, thread: group.thread)
      graph.firstEdge[1 + index] = UInt32(edge)
      for root in edge - groups.count..<group.end {
        graph.targets[edge] = node(of: roots[root].object)
        graph.labels[edge] = roots[root].label
        edge += 1
      }
    }
    return edge
  }

  /// The place of an object's layout and size among `sorts`.
  private func sort(of object: UInt) -> UInt32 {
    let head = map.head(of: object)
    let lane = Int(head.pointee.lane)
    if let known = sortOfLane[lane] { return known }
    let sort = Sort(layout: LayoutTable.laneClasses[lane].layout.index, bytes: Int(head.pointee.cellBytes))
    let isLarge = LayoutTable.laneClasses[lane].cellBytes == 0
    if isLarge, let known = sortOfLarge[sort] { return known }
    let index = UInt32(sorts.count)
    sorts.append(sort)
    if isLarge { sortOfLarge[sort] = index } else { sortOfLane[lane] = index }
    return index
  }

  /// The kinds of nodes, in words. When nobody is held any more: asks the kernel for threads' names.
  func kinds() -> [HeapSnapshot.Kind] {
    [.init(name: "", bytes: 0, isGroup: true)]
      + groups.map { .init(name: $0.name, bytes: 0, isGroup: true) }
      + sorts.map { .init(name: LayoutTable.name(of: $0.layout), bytes: $0.bytes, isGroup: false) }
  }
}

extension SnapshotCopier.Group {
  var name: String {
    switch sort {
    case .stack: return "stack of thread \(threadName)"
    case .frames: return "frames of handles of thread \(threadName)"
    case .traced: return "roots that a function reports for thread \(threadName)"
    case .other: break
    }
    switch thread {
    case Self.handles: return "root handles"
    case Self.globals: return "global slots"
    case Self.ranges: return "ranges of roots"
    default: return "finalizers"
    }
  }

  private var threadName: String { NativeThread.name(of: thread).map { "\(thread) (\($0))" } ?? "\(thread)" }
}
