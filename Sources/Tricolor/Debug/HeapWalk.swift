// The walk over everything reachable: breadth first from root handles and globals, then from the held stacks, so that the path to a
// fault is a shortest one and begins at a root where one leads there.
//
// Each object met gets a node that remembers what led to it; the path is read backwards from there. References inside the heap are
// precise, so one that is no object's start is a fault. Words of stacks are not: one that hits nothing allocated is ignored, as the
// real scan does. At the end of marking a stack word may also be left over from a call that had returned when the stack was scanned,
// and name an object that has died since: an unmarked object that only such words name is counted and no fault. Everything else
// unmarked is lost: it is reached from a root, or from an object that is marked and so was scanned.

import CTricolorShims
import Synchronization

/// What led the walk to an object.
enum WalkOrigin {
  case root
  case stack(thread: Int32, word: UInt)
  /// `offset` bytes into the object of node `node`; negative when a custom trace function named no place.
  case object(node: Int, offset: Int)
}

/// An object the walk has reached.
struct WalkNode {
  let object: UInt
  let origin: WalkOrigin
}

extension HeapAudit {
  /// What a word refers to.
  private enum Target {
    case object
    /// Within a run that damage was found in: not looked at, and no news.
    case unknown
    case fault(String)
  }

  func walk() {
    heap.state.pointee.roots.forEachReference { follow($0, from: .root) }
    heap.state.pointee.finalizers.forEachReference { follow($0, from: .root) }
    heap.state.pointee.roots.forEachRange { range in
      forEachObject(in: range.start, range.end) { object, _ in follow(object, from: .root) }
    }
    var next = expandAll(from: 0)
    heap.forEachMutator { mutator in
      followStack(of: mutator)
      next = expandAll(from: next)
    }
  }

  /// Unmarked objects that stack words name and nothing else does.
  var onStackAlone: Int { onStack.count { seen[Int(map.granule(of: $0) >> 6)] & map.markMask(of: $0) == 0 } }

  private func expandAll(from first: Int) -> Int {
    var next = first
    while next < nodes.count {
      expand(next)
      next += 1
    }
    return next
  }

  // MARK: Stacks

  private func followStack(of mutator: MutatorCore) {
    let stack = mutator.state.pointee.parkedStack
    if stack == 0 { return }
    let thread = mutator.state.pointee.threadID
    mutator.forEachSearchedRange(from: stack) { start, end in
      forEachObject(in: start, end) { object, address in
        if moment == .marked, !map.isMarked(object) {
          onStack.insert(object)
        } else {
          reach(object, from: .stack(thread: thread, word: address))
        }
      }
    }
  }

  /// Calls `body` with every object that a word of the range leads to, and the word's address.
  private func forEachObject(in start: UInt, _ end: UInt, _ body: (_ object: UInt, _ address: UInt) -> Void) {
    for address in stride(from: (start + 7) & ~7, to: end & ~7, by: 8) {
      if let object = objectAround(tricolor_load_word(address)) { body(object, address) }
    }
  }

  /// The object that a word of the heap leads to, at its start or inside.
  private func objectAround(_ word: UInt) -> UInt? {
    guard map.owner(of: word) == UnsafeMutableRawPointer(heap.state), use(map.block(of: word)).pointee.head != 0
    else { return nil }
    return map.conservativeCell(word)
  }

  // MARK: Objects

  private func reach(_ object: UInt, from origin: WalkOrigin) {
    if seen.insert(granule: map.granule(of: object)) { nodes.append(WalkNode(object: object, origin: origin)) }
  }

  /// Takes a precise reference: to an object, or a fault.
  private func follow(_ reference: UInt, from origin: WalkOrigin) {
    if reference == 0 { return }
    switch target(of: reference) {
    case .unknown: break
    case .fault(let reason): faults.add(.reference, "\(path(to: origin)) = \(hex(reference)): \(reason)")
    case .object:
      if moment == .marked, !map.isMarked(reference) {
        // Not followed: whatever it leads to is lost for the same reason.
        guard seen.insert(granule: map.granule(of: reference)) else { return }
        faults.add(.lostObject, "\(path(to: origin)) -> \(describe(reference)): reachable and not marked")
      } else {
        reach(reference, from: origin)
      }
    }
  }

  /// Takes a reference that keeps nothing alive. What is dead has been cleared out of it by the time anybody looks.
  private func lookAt(_ reference: UInt, from origin: WalkOrigin) {
    if reference == 0 { return }
    switch target(of: reference) {
    case .unknown: break
    case .fault(let reason): faults.add(.reference, "\(path(to: origin)) = \(hex(reference)): \(reason)")
    case .object:
      if moment == .idle || map.isMarked(reference) { return }
      faults.add(.lostObject, "\(path(to: origin)) -> \(describe(reference)): weakly referred to, and dead")
    }
  }

  private func target(of reference: UInt) -> Target {
    guard map.contains(reference) else { return .fault("outside the managed address range") }
    guard let owner = map.owner(of: reference) else { return .fault("in an arena that no heap owns") }
    guard owner == UnsafeMutableRawPointer(heap.state) else { return .fault("an object of another heap") }
    let use = use(map.block(of: reference)).pointee
    if use.isDamaged { return .unknown }
    guard use.head != 0 else { return .fault("in a free block") }
    guard let cell = map.conservativeCell(reference) else { return .fault("not an allocated cell") }
    if cell != reference { return .fault("\(reference - cell) bytes into \(describe(cell)), not its start") }
    return .object
  }

  private func head(of object: UInt) -> Int { Int(use(map.block(of: object)).pointee.head) - 1 }

  /// Follows every reference of a node's object, after a look at its shape.
  private func expand(_ node: Int) {
    let object = nodes[node].object
    let head = self.head(of: object)
    let layout = layout(ofHead: head)
    let entry = LayoutTable.entries[Int(layout.index)]
    let bytes = Int(map.descriptors[head].cellBytes)
    switch entry.shape {
    case .leaf:
      if layout == .leaf { _ = checkedCount(node, header: 8, stride: 1, bytes) }
    case .fixed: followFields(node, at: 0, entry)
    case .references:
      for index in 0..<checkedCount(node, header: 8, stride: 8, bytes) { followField(node, 8 + 8 * index) }
    case .elements:
      for index in 0..<checkedCount(node, header: 16, stride: entry.bytes, bytes) {
        followFields(node, at: 16 + index * entry.bytes, entry)
      }
    case .weak: lookAt(tricolor_load_word(object), from: .object(node: node, offset: 0))
    case .ephemeron:
      let key = tricolor_load_word(object + WeakCell.keyOffset)
      lookAt(key, from: .object(node: node, offset: Int(WeakCell.keyOffset)))
      if bytes >= WeakCell.chainedBytes { followField(node, Int(WeakCell.nextOffset)) }
      if key != 0 { followField(node, Int(WeakCell.valueOffset)) }
    case .custom: followTraced(node, entry, bytes)
    }
  }

  /// The number of elements an array says it has; 0 and a fault when its cell has no room for them.
  private func checkedCount(_ node: Int, header: Int, stride: Int, _ bytes: Int) -> Int {
    let object = nodes[node].object
    let count = Int(bitPattern: tricolor_load_word(object))
    let room = (bytes - header) / stride
    if count >= 0 && count <= room { return count }
    faults.add(
      .object,
      "\(path(to: nodes[node].origin)) -> \(describe(object)) says it has \(count) elements; its cell has room for \(room)"
    )
    return 0
  }

  private func followFields(_ node: Int, at base: Int, _ entry: LayoutEntry) {
    for i in 0..<entry.offsetCount { followField(node, base + Int(entry.offsets![i])) }
  }

  private func followField(_ node: Int, _ offset: Int) {
    follow(tricolor_load_word(nodes[node].object + UInt(offset)), from: .object(node: node, offset: offset))
  }

  private func followTraced(_ node: Int, _ entry: LayoutEntry, _ bytes: Int) {
    traced.removeAll(keepingCapacity: true)
    entry.trace!(
      UnsafeRawPointer(bitPattern: nodes[node].object)!, bytes,
      { context, reference in
        Unmanaged<HeapAudit>.fromOpaque(context).takeUnretainedValue().traced.append(reference)
      }, Unmanaged.passUnretained(self).toOpaque())
    // As the marker does, words that lead to no object of the heap are passed over: a trace function may report them.
    for reference in traced {
      if let object = objectAround(reference) { follow(object, from: .object(node: node, offset: -1)) }
    }
  }

  // MARK: Counting

  /// What was reached, by layout, the most bytes first.
  func takeCensus() -> [LayoutCensus] {
    var counts: [UInt32: (objects: Int, bytes: Int, last: Int)] = [:]
    for (node, reached) in nodes.enumerated() {
      let head = self.head(of: reached.object)
      let bytes = Int(map.descriptors[head].cellBytes)
      let count = counts[layout(ofHead: head).index] ?? (0, 0, 0)
      counts[layout(ofHead: head).index] = (count.objects + 1, count.bytes + bytes, node)
    }
    return counts.map { layout, count in
      let last = nodes[count.last]
      return LayoutCensus(
        name: LayoutTable.name(of: layout), objects: count.objects, bytes: count.bytes,
        path: "\(path(to: last.origin)) -> \(describe(last.object))")
    }.sorted { ($0.bytes, $1.name) > ($1.bytes, $0.name) }
  }

  // MARK: Words

  private static let longestPath = 40

  private func describe(_ object: UInt) -> String {
    "\(LayoutTable.name(of: layout(ofHead: head(of: object)).index))@\(hex(object))"
  }

  /// How the walk came to a place: from a root or stack through objects, long paths without their middle.
  private func path(to origin: WalkOrigin) -> String {
    var steps: [(node: Int, offset: Int)] = []
    var next = origin
    while case .object(let node, let offset) = next {
      steps.append((node, offset))
      next = nodes[node].origin
    }
    let left = max(0, steps.count - HeapAudit.longestPath)
    let half = HeapAudit.longestPath / 2
    let shown = left == 0 ? steps : steps.prefix(half) + steps.suffix(half)
    var texts = shown.map { "\(describe(nodes[$0.node].object)) \(place($0.offset, in: nodes[$0.node].object))" }
    if left > 0 { texts.insert("(\(left) objects)", at: half) }
    switch next {
    case .stack(let thread, let word): texts.append("stack of thread \(thread) at \(hex(word))")
    default: texts.append("root slot")
    }
    return texts.reversed().joined(separator: " -> ")
  }

  /// A slot of an object: the index of an array's element where there is one, and the byte offset.
  private func place(_ offset: Int, in object: UInt) -> String {
    if offset < 0 { return "(traced)" }
    let entry = LayoutTable.entries[Int(layout(ofHead: head(of: object)).index)]
    switch entry.shape {
    case .references: return "[\((offset - 8) / 8)]"
    case .elements: return "[\((offset - 16) / entry.bytes)](+\((offset - 16) % entry.bytes))"
    default: return "(+\(offset))"
    }
  }
}
