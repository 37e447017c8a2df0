// Marking: the loop that turns grey edges into marked, scanned objects.
//
// Edges come off a LIFO stack 32 at a time, and their mark words are asked for. While these come, a FIFO queue of marked objects is
// scanned but for its newest 16. Then the edges whose mark is set are dropped, without a branch; of the others the mark words are asked
// for again, for writing; then each is marked, which makes it an object to be scanned, whose first line is prefetched and which enters
// the queue. So memory is asked for objects once each and not once an edge. Prefetching in FIFO order is Cher, Hosking and
// Vijaykumar's (ASPLOS 2004); short loops, because one loop over everything has more to keep than there are registers. What an
// object holds comes from its block's scan word; leaves are counted and never touched.
//
// Marks of one mark word (1 KiB of cells) are gathered in a register and written when a mark of another word comes: objects that lie
// beside each other cost one locked instruction together. Another marker may meanwhile mark the same object; whoever writes second
// sees it and takes it off its account again. Nothing is gathered while anybody else needs to see marks at once: objects whose scan
// looks at marks (weak references, ephemerons) and, while keys are looked up, all.
//
// A marker keeps the rest of a large array as one slice on its stack. When another one has nothing to do, the slice is cut in two: each
// marker then walks its own part of the array and, where objects lie in the array's order, its own part of the heap. Only markers
// without a slice worth cutting hand on edges.
//
// Where the heap has several nodes, a marker does the work of one node at a time: its own as long as there is any. An edge to an object of
// another node is put aside when it comes off the stack, before anything of the object is asked for, and a chunk full of such edges goes to
// that node's list; so what lies far away costs eight bytes of a chunk. The rest goes when the marker has nothing else to do on its own node or
// the one it works for, when it leaves, and when others are hungry. A marker that has taken another node's work does it as one of that node would. With one node
// there is a copy of the loops that knows nothing of this.
//
// Measured: docs/decisions.md, "Marking in batches" and "Slices of arrays".
//
// No allocation, no reference counting, no existential: raw pointers and machine words only.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// What a marker did: flushed to the heap's counters when it leaves.
struct MarkTally {
  /// Bytes of objects with references that were scanned: the pacer's unit of work.
  var work = 0
  var bytes = 0
  var objects = 0
  /// Of `bytes`: on another node than the marker's.
  var remoteBytes = 0

  mutating func add(_ other: MarkTally) {
    work += other.work
    bytes += other.bytes
    remoteBytes += other.remoteBytes
    objects += other.objects
  }
}

/// One marker at work: a chunk of grey entries and a queue. Lives on its thread's stack during one `mark` call.
struct Marker {
  /// Edges taken off the stack at once.
  static let batch = 32
  /// Objects that stay in the queue, so that their lines have the time to come.
  static let distance = 16
  static let queueSize = 64
  /// After how many batches a marker looks whether others are hungry.
  static let batchesBetweenShares = 16
  /// Entries that a stack must have for half of them to be handed on.
  static let worthSharing = 128
  /// Elements of an array scanned before the rest of it goes back on the stack.
  static let arrayPiece = 512
  /// Elements that a slice must have to be cut in two.
  static let worthCutting: UInt = 4096
  /// Entries a single object may push without a check.
  static let slack = 64

  private let map = addressMap
  private let heap: HeapCore
  private var chunk: UnsafeMutablePointer<GreyChunk>
  private var floor: UnsafeMutablePointer<UInt>
  private var ceiling: UnsafeMutablePointer<UInt>
  private var top: UnsafeMutablePointer<UInt>
  private(set) var tally = MarkTally()
  /// Whether weak references and ephemerons are traced as strong ones: only while the heap is walked (Overflow.swift).
  private var tracesWeak = false
  private let looksUpKeys: Bool
  /// The node the thread runs on, and the one whose work is being done.
  private let node: Int
  private var home: Int
  /// Where there are several nodes: edges put aside, a chunk for each node that has any, while `run` is under way.
  private let nodeCount: Int
  private var outboxes: UnsafeMutablePointer<UnsafeMutablePointer<GreyChunk>?>! = nil

  /// Bytes of edges put aside so far.
  private var putAsideBytes = 0

  /// What a budget is spent on: bytes scanned, a granule for every object, so that leaves are not free, and edges put aside.
  @inline(__always) private var cost: Int { tally.work &+ tally.objects << 4 &+ putAsideBytes }

  /// Becomes an active marker of `heap`; nil when there is no grey work to take.
  init?(_ heap: HeapCore) {
    let node = heap.state.pointee.nodes.current
    var home = node
    guard let chunk = heap.state.pointee.grey.enter(for: &home, heap.state.pointee.nodes) else { return nil }
    self.init(heap, holding: chunk, node: node, home: home)
  }

  /// An active marker of `heap` that holds `chunk`.
  init(_ heap: HeapCore, holding chunk: UnsafeMutablePointer<GreyChunk>) {
    let node = heap.state.pointee.nodes.current
    self.init(heap, holding: chunk, node: node, home: node)
  }

  private init(_ heap: HeapCore, holding chunk: UnsafeMutablePointer<GreyChunk>, node: Int, home: Int) {
    self.heap = heap
    self.chunk = chunk
    self.node = node
    self.home = home
    nodeCount = heap.state.pointee.nodes.count
    looksUpKeys = heap.state.pointee.grey.looksUpKeys
    floor = GreyChunk.entries(chunk)
    ceiling = floor + GreyChunk.capacity
    top = floor + chunk.pointee.count
  }

  /// Marks until `budget` bytes of work are done or nothing grey is left to take, then leaves the pool.
  mutating func run(budget: Int) {
    withQueue { marker, queue in
      repeat {
        marker.drain(queue, budget: budget)
      } while marker.cost < budget && marker.refill()
    }
    leave()
  }

  /// Scans every marked object again, marks what that finds, and leaves the pool.
  mutating func runOverMarkedObjects() {
    tracesWeak = true
    withQueue { marker, queue in
      marker.heap.forEachMarkedObject { object in
        // Counted when it was marked.
        let counted = marker.tally
        marker.scan(object, marker.map.scanWords[marker.map.block(of: object)])
        marker.tally = counted
        marker.drain(queue, budget: .max)
      }
    }
    leave()
  }

  /// Scans an object once more that is marked and was counted before: the slots on `card` of an array, the whole of any other, unless
  /// that was done a moment ago (`again`). What it finds stays on the stack.
  mutating func rescan(_ object: UInt, card: Range<UInt>, again: Bool) {
    let (objects, bytes) = (tally.objects, tally.bytes)
    let word = map.scanWords[map.block(of: object)]
    if ScanWord.kind(word) == ScanWord.references || ScanWord.kind(word) == ScanWord.described && isArray(object) {
      rescanArray(object, card)
    } else if !again {
      scan(object, word)
    }
    (tally.objects, tally.bytes) = (objects, bytes)
  }

  private func isArray(_ object: UInt) -> Bool {
    let shape = layout(of: object).pointee.shape
    return shape == .references || shape == .elements
  }

  /// Scans those elements of an array that `card` touches.
  private mutating func rescanArray(_ object: UInt, _ card: Range<UInt>) {
    let (start, count) = elements(of: object)
    let stride = UInt(layout(of: object).pointee.elementBytes)
    let end = start + UInt(count) * stride
    // An empty array ends where it starts, which may be in the middle of the card.
    if count == 0 || card.upperBound <= start || card.lowerBound >= end { return }
    let first = card.lowerBound <= start ? 0 : (card.lowerBound - start) / stride
    let last = (min(card.upperBound, end) - 1 - start) / stride
    scanSlice(start + first * stride, count: Int(last - first) + 1)
  }

  /// What the marker has done so far, for whoever gives it work bit by bit.
  var work: Int { tally.work }

  /// Calls `body` with room for the queue, and for outboxes where there are several nodes.
  @inline(__always) private mutating func withQueue(_ body: (inout Marker, UnsafeMutablePointer<UInt>) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: Marker.queueSize + Marker.batch) { queue in
      if nodeCount == 1 { return body(&self, queue.baseAddress!) }
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<GreyChunk>?.self, capacity: PlacementPlan.mostNodes
      ) { outboxes in
        outboxes.initialize(repeating: nil)
        self.outboxes = outboxes.baseAddress!
        body(&self, queue.baseAddress!)
        _ = sendOutboxes()
        self.outboxes = nil
      }
    }
  }

  /// Leaves the pool with what is on the stack.
  mutating func leave() {
    chunk.pointee.count = top - floor
    Delay.point()
    // Before leaving: when nobody is active the cycle ends, and all that was marked must have been counted by then.
    heap.note(tally)
    heap.state.pointee.grey.leave(chunk, to: home)
  }

  /// Empties the stack. On return no object waits in the queue and all marks are written; entries are left on the stack only when the
  /// budget ran out.
  private mutating func drain(_ queue: UnsafeMutablePointer<UInt>, budget: Int) {
    // Copies, so that what is gathered and put aside or not is decided outside the loops.
    if nodeCount > 1 { return drainNode(queue, budget: budget) }
    if looksUpKeys {
      drain(Window(map, queue, left: budget &- cost, gathers: false, routes: false))
    } else {
      drain(Window(map, queue, left: budget &- cost, gathers: true, routes: false))
    }
  }

  /// The same for work of the node `home`, edges to objects of others being put aside.
  @inline(never) private mutating func drainNode(_ queue: UnsafeMutablePointer<UInt>, budget: Int) {
    let before = tally.bytes
    if looksUpKeys {
      drain(Window(map, queue, left: budget &- cost, gathers: false, routes: true))
    } else {
      drain(Window(map, queue, left: budget &- cost, gathers: true, routes: true))
    }
    if home != node { tally.remoteBytes &+= tally.bytes &- before }
  }

  @inline(__always) private mutating func drain(_ start: Window) {
    var window = start
    while true {
      var count = 0
      if window.left > 0 && top > floor {
        count = min(top - floor, Marker.batch)
        guard take(count, &window) else {
          let before = cost
          scanNewestSlice()
          window.countElsewhere(cost &- before)
          continue
        }
        if window.routes { count = keepHome(count, &window) }
      } else if window.head == window.tail {
        break
      }
      scanQueue(leaving: count > 0 ? Marker.distance : 0, &window)
      mark(findUnmarked(count, &window), &window)
    }
    let work = start.left &- window.left &- window.elsewhere &- window.objects &* 16
    tally.add(MarkTally(work: work, bytes: work &+ window.leafBytes, objects: window.objects))
  }

  /// Takes the newest `count` edges off the stack and asks for their mark words. False, and nothing is taken, when there is a slice
  /// among them.
  @inline(__always) private mutating func take(_ count: Int, _ window: inout Window) -> Bool {
    let taken = window.edges
    var top = self.top
    var tags: UInt = 0
    for index in 0..<count {
      top -= 1
      let edge = top.pointee
      taken[index] = edge
      tags |= edge
      if !window.routes { tricolor_prefetch(window.mark(of: edge)) }
    }
    if _slowPath(tags & 1 != 0) { return false }
    self.top = top
    return true
  }

  /// Of the `count` edges taken last, moves those to objects of `home`, or of no node in particular, to the front and asks for their mark words;
  /// puts the others aside. How many were kept.
  @inline(__always) private mutating func keepHome(_ count: Int, _ window: inout Window) -> Int {
    let edges = window.edges
    var kept = 0
    for index in 0..<count {
      let edge = edges[index]
      let pool = map.pool(of: edge)
      if pool != home && pool < nodeCount && putAside(edge, pool) { continue }
      edges[kept] = edge
      kept &+= 1
      tricolor_prefetch(window.mark(of: edge))
    }
    let bytes = (count &- kept) &* MemoryLayout<UInt>.stride
    putAsideBytes &+= bytes
    window.countElsewhere(bytes)
    return kept
  }

  /// Puts an edge to an object of `node` aside; false when there is no memory for it.
  @inline(__always) private mutating func putAside(_ edge: UInt, _ node: Int) -> Bool {
    if let box = outboxes[node], box.pointee.count < GreyChunk.capacity {
      GreyChunk.push(edge, on: box)
      return true
    }
    return putAsideInNew(edge, node)
  }

  @inline(never) private mutating func putAsideInNew(_ edge: UInt, _ node: Int) -> Bool {
    guard let box = heap.state.pointee.grey.emptyChunk() else { return false }
    if let full = outboxes[node] { heap.state.pointee.grey.give(full, to: node) }
    outboxes[node] = box
    GreyChunk.push(edge, on: box)
    return true
  }

  /// Hands all that was put aside to its nodes; whether there was anything.
  @inline(never) private mutating func sendOutboxes() -> Bool {
    var sent = false
    for node in 0..<nodeCount {
      guard let box = outboxes[node] else { continue }
      outboxes[node] = nil
      if Mutation.putAsideLost.isOn { box.pointee.count = 0 }
      heap.state.pointee.grey.deliver(box, to: node)
      sent = true
    }
    return sent
  }

  /// Moves those of the `count` edges taken last whose mark is clear to the front; how many.
  ///
  /// Without a branch on the mark: whether an edge leads to a marked object cannot be predicted.
  @inline(__always) private mutating func findUnmarked(_ count: Int, _ window: inout Window) -> Int {
    let edges = window.edges
    var found = 0
    for index in 0..<count {
      let edge = edges[index]
      edges[found] = edge
      let bits = UInt64(tricolor_load_word(window.mark(of: edge)))
      found &+= Int(truncatingIfNeeded: ~(bits &>> (UInt64(edge) &>> 4)) & 1)
    }
    return found
  }

  /// Scans a piece of the newest slice, which is taken out from under the edges above it: on their own these may be the head of a chain,
  /// through which nothing can be prefetched.
  @inline(never) private mutating func scanNewestSlice() {
    var second = top - 1
    while second.pointee & 1 == 0 { second -= 1 }
    let (first, count) = (second[-1], Int(second[0] >> 1))
    (second - 1).update(from: second + 1, count: top - second - 1)
    top -= 2
    scanSlice(first, count: count)
    shareIfWanted()
  }

  /// Marks the first `count` edges that `findUnmarked` left, counts leaves, and queues what else was not marked before.
  @inline(__always) private mutating func mark(_ count: Int, _ window: inout Window) {
    let edges = window.edges
    for index in 0..<count { tricolor_prefetch_for_write(window.mark(of: edges[index])) }
    var tail = window.tail
    var gathered = GatheredMarks()
    for index in 0..<count {
      let edge = edges[index]
      let bit: UInt64 = 1 &<< (UInt64(edge) &>> 4)
      let mark = window.mark(of: edge)
      let current = UInt64(tricolor_load_word(mark))
      let word = window.scanWord(of: edge)
      if window.gathers && ScanWord.kind(word) <= ScanWord.bitmap {
        if mark == gathered.address {
          if (current | gathered.bits) & bit != 0 { continue }
          gathered.bits |= bit
        } else {
          if current & bit != 0 { continue }
          if gathered.bits != 0 { write(gathered) }
          gathered = GatheredMarks(address: mark, bits: bit)
        }
        if ScanWord.kind(word) == ScanWord.leaf {
          window.countLeaf(word)
          continue
        }
      } else if current & bit != 0 || tricolor_add_bits(mark, bit) != 0 {
        continue
      }
      tricolor_prefetch(edge)
      window.queue[tail & (Marker.queueSize &- 1)] = edge
      tail &+= 1
    }
    if gathered.bits != 0 && !Mutation.gatheredMarksLost.isOn { write(gathered) }
    window.tail = tail
  }

  /// Scans the oldest objects of the queue until `rest` are left.
  @inline(__always) private mutating func scanQueue(leaving rest: Int, _ window: inout Window) {
    let end = window.tail &- rest
    var head = window.head
    var top = self.top
    while head < end {
      let object = window.queue[head & (Marker.queueSize &- 1)]
      let word = window.scanWord(of: object)
      head &+= 1
      guard _fastPath(window.gathers && ScanWord.kind(word) == ScanWord.bitmap) else {
        self.top = top
        scanElsewhere(object, word, &window)
        top = self.top
        continue
      }
      if _slowPath(top + Marker.slack > ceiling) {
        self.top = top
        spill()
        top = self.top
      }
      var mask = ScanWord.mask(word)
      while mask != 0 {
        let reference = tricolor_load_word(object &+ UInt(truncatingIfNeeded: mask.trailingZeroBitCount) &<< 3)
        mask &= mask &- 1
        top.pointee = reference
        top += reference != 0 ? 1 : 0
      }
      window.count(word)
    }
    self.top = top
    window.head = head
    window.batches &+= 1
    if window.batches & (Marker.batchesBetweenShares &- 1) == 0 { shareIfWanted() }
  }

  @inline(__always) private mutating func scanElsewhere(_ object: UInt, _ word: UInt64, _ window: inout Window) {
    let before = cost
    scan(object, word)
    window.countElsewhere(cost &- before)
  }

  /// What the loops of `drain` work with: locals, since fields of the marker would be reloaded after each call.
  private struct Window {
    /// Mark and scan words are addressed from an object's address, without the heap's base.
    let marks: UInt
    let scanWords: UInt
    let queue: UnsafeMutablePointer<UInt>
    /// The edges of a batch.
    let edges: UnsafeMutablePointer<UInt>
    /// Constant in each copy of the loops.
    let gathers: Bool
    let routes: Bool
    var head = 0
    var tail = 0
    var batches = 0
    var left: Int
    var objects = 0
    var leafBytes = 0
    /// What objects that `scan` handled cost.
    var elsewhere = 0

    @inline(__always) init(
      _ map: AddressMap, _ queue: UnsafeMutablePointer<UInt>, left: Int, gathers: Bool, routes: Bool
    ) {
      marks = UInt(bitPattern: map.markBits) &- (map.base >> 10) << 3
      scanWords = UInt(bitPattern: map.scanWords) &- (map.base >> Geometry.blockShift) << 3
      self.queue = queue
      edges = queue + Marker.queueSize
      self.gathers = gathers
      self.routes = routes
      self.left = left
    }

    /// The address of an object's mark word.
    @inline(__always) func mark(of object: UInt) -> UInt { marks &+ (object >> 10) << 3 }

    @inline(__always) func scanWord(of object: UInt) -> UInt64 {
      tricolor_load_scan_word(scanWords &+ (object >> Geometry.blockShift) << 3)
    }

    @inline(__always) mutating func count(_ word: UInt64) {
      objects &+= 1
      left &-= ScanWord.bytes(word) &+ 16
    }

    @inline(__always) mutating func countLeaf(_ word: UInt64) {
      objects &+= 1
      leafBytes &+= ScanWord.bytes(word)
      left &-= 16
    }

    @inline(__always) mutating func countElsewhere(_ cost: Int) {
      elsewhere &+= cost
      left &-= cost
    }
  }

  /// Marks of one mark word that are set and not yet written.
  private struct GatheredMarks {
    var address: UInt = 0
    var bits: UInt64 = 0
  }

  /// Writes gathered marks. What another marker has marked meanwhile is its account's; the work of scanning it was done twice and counts.
  @inline(__always) private mutating func write(_ gathered: GatheredMarks) {
    let others = tricolor_add_bits(gathered.address, gathered.bits)
    if _slowPath(others != 0) { uncount(others, gathered.address) }
  }

  @inline(never) private mutating func uncount(_ others: UInt64, _ address: UInt) {
    let index = Int(address &- UInt(bitPattern: map.markBits)) / MemoryLayout<UInt64>.stride
    let word = map.scanWords[index / Geometry.bitmapWordsPerBlock]
    tally.objects &-= others.nonzeroBitCount
    tally.bytes &-= others.nonzeroBitCount &* ScanWord.bytes(word)
  }

  /// Counts a newly marked object that no bitmap describes and pushes its references.
  @inline(never) private mutating func scan(_ object: UInt, _ word: UInt64) {
    let bytes = ScanWord.bytes(word)
    tally.objects += 1
    tally.bytes += bytes
    if looksUpKeys { pushValues(ofKey: object) }
    switch ScanWord.kind(word) {
    case ScanWord.leaf: break
    case ScanWord.largeLeaf: countLargeLeaf(object)
    case ScanWord.references: scanArray(object)
    default:
      scanDescribed(object, cellBytes: bytes)
    }
  }

  @inline(__always) private mutating func push(_ reference: UInt) {
    if reference != 0 {
      top.pointee = reference
      top += 1
    }
  }

  @inline(__always) private mutating func ensureRoom() {
    if _slowPath(top + Marker.slack > ceiling) { spill() }
  }

  // MARK: Everything below is off the common path.

  @inline(never) private mutating func countLargeLeaf(_ object: UInt) {
    tally.bytes += Int(map.descriptors[map.block(of: object)].cellBytes)
  }

  /// Scans an array's first piece and leaves the rest, if any, on the stack.
  private mutating func scanArray(_ object: UInt) {
    let (first, count) = elements(of: object)
    scanSlice(first, count: count)
  }

  /// Where an array's elements begin, and how many there are to scan: no more than its cell has room for, whatever its count says.
  private func elements(of object: UInt) -> (first: UInt, count: Int) {
    let bytes = Int(map.head(of: object).pointee.cellBytes)
    let layout = layout(of: object)
    if layout.pointee.shape == .elements && layout.pointee.offsetCount == 0 { return (object, 0) }
    let header = layout.pointee.shape == .references ? 8 : 16
    let room = (bytes - header) / layout.pointee.elementBytes
    return (object + UInt(header), min(Int(tricolor_load_word(object)), room))
  }

  /// Scans the first piece of the slice of `count` elements from `first` on, and leaves the rest, if any, on the stack.
  @inline(never) private mutating func scanSlice(_ first: UInt, count: Int) {
    let layout = layout(of: first)
    let piece = min(count, Marker.arrayPiece)
    let end = first + UInt(piece * layout.pointee.elementBytes)
    if piece < count {
      ensureRoom()
      top[0] = end
      top[1] = UInt(count - piece) << 1 | 1
      top += 2
    }
    tally.work += Int(end - first)
    if layout.pointee.shape == .references { return pushWords(first, to: end) }
    for element in stride(from: first, to: end, by: layout.pointee.elementBytes) { scanFields(of: element, layout) }
  }

  /// Pushes the references in `start` ..< `end`, as many at a time as there is room for.
  private mutating func pushWords(_ start: UInt, to end: UInt) {
    var address = start
    while address < end {
      ensureRoom()
      let stop = min(end, address + UInt(Marker.slack / 2) << 3)
      var top = self.top
      while address < stop {
        let reference = tricolor_load_word(address)
        top.pointee = reference
        top += reference != 0 ? 1 : 0
        address += 8
      }
      self.top = top
    }
  }

  /// The layout of the object that `address` lies in.
  private func layout(of address: UInt) -> UnsafeMutablePointer<LayoutEntry> {
    let lane = map.head(of: address).pointee.lane
    return LayoutTable.entries + Int(LayoutTable.laneClasses[Int(lane)].layout.index)
  }

  private mutating func scanFields(of base: UInt, _ layout: UnsafeMutablePointer<LayoutEntry>) {
    for i in 0..<layout.pointee.offsetCount {
      if i & 31 == 0 { ensureRoom() }
      push(tricolor_load_word(base + UInt(layout.pointee.offsets![i])))
    }
  }

  /// Objects whose scan word does not say it all: arrays of elements, custom layouts, large and sparse ones.
  @inline(never) private mutating func scanDescribed(_ object: UInt, cellBytes: Int) {
    let bytes = Int(map.head(of: object).pointee.cellBytes)
    if cellBytes != bytes { tally.bytes += bytes - cellBytes }
    let layout = layout(of: object)
    switch layout.pointee.shape {
    case .references, .elements: return scanArray(object)
    case .fixed: scanFields(of: object, layout)
    case .leaf: break
    case .weak: findWeak(object)
    case .ephemeron: findEphemeron(object, bytes)
    case .custom:
      withUnsafeMutablePointer(to: &self) { marker in
        layout.pointee.trace!(UnsafeRawPointer(bitPattern: object)!, bytes, visitTracedReference, marker)
      }
    }
    tally.work += bytes
  }

  private mutating func findWeak(_ cell: UInt) {
    let target = tricolor_load_word(cell)
    if tracesWeak {
      ensureRoom()
      return push(target)
    }
    if target != 0 && !map.isMarked(target) { heap.state.pointee.ephemerons.addWeak(cell) }
  }

  private mutating func findEphemeron(_ ephemeron: UInt, _ bytes: Int) {
    if bytes >= WeakCell.chainedBytes {
      ensureRoom()
      push(tricolor_load_word(ephemeron + WeakCell.nextOffset))
    }
    let key = tricolor_load_word(ephemeron + WeakCell.keyOffset)
    if key == 0 { return }
    if tracesWeak {
      ensureRoom()
      push(key)
      return pushValue(of: ephemeron)
    }
    if map.isMarked(key) || !heap.state.pointee.ephemerons.add(ephemeron, key: key) { pushValue(of: ephemeron) }
  }

  private mutating func pushValue(of ephemeron: UInt) {
    ensureRoom()
    push(tricolor_load_word(ephemeron + WeakCell.valueOffset))
  }

  /// Pushes the values of all ephemerons that wait for `key`, which has just been marked.
  private mutating func pushValues(ofKey key: UInt) {
    while heap.state.pointee.ephemerons.waiting.load(ordering: .sequentiallyConsistent) > 0 {
      let ephemeron = heap.state.pointee.ephemerons.take(key: key)
      if ephemeron == 0 { return }
      pushValue(of: ephemeron)
    }
  }

  fileprivate mutating func visit(_ reference: UInt) {
    guard map.owner(of: reference) == UnsafeMutableRawPointer(heap.state), let object = map.conservativeCell(reference)
    else { return }
    ensureRoom()
    push(object)
  }

  /// Gives the older half of a full stack to the pool, for others or for later. Half, so that a stack that moves about the
  /// chunk's edge does not trade chunks at every step.
  @inline(never) private mutating func spill() {
    if !giveOlderHalf() { forgetOlderHalf() }
  }

  /// Takes more work when the stack is empty; false when there is none.
  private mutating func refill() -> Bool {
    if top > floor { return true }
    if nodeCount > 1 {
      // While there is work without them, what was put aside waits for its chunk to be full: a hand over takes the pool's lock.
      if let work = heap.state.pointee.grey.exchangeEmpty(chunk, for: node, or: &home) {
        take(work)
        return true
      }
      _ = sendOutboxes()
    }
    var next = node
    guard let work = heap.state.pointee.grey.exchangeEmpty(chunk, for: &next, heap.state.pointee.nodes) else {
      return false
    }
    home = next
    take(work)
    return true
  }

  private mutating func take(_ other: UnsafeMutablePointer<GreyChunk>) {
    chunk = other
    floor = GreyChunk.entries(other)
    ceiling = floor + GreyChunk.capacity
    top = floor + other.pointee.count
  }

  /// Hands half of the work to a marker that has nothing to do.
  @inline(__always) private mutating func shareIfWanted() {
    if _slowPath(heap.state.pointee.grey.isStarved) { share() }
  }

  @inline(never) private mutating func share() {
    if nodeCount > 1 && outboxes != nil && sendOutboxes() { return }
    if giveHalfSlice() { return }
    if top - floor >= Marker.worthSharing { _ = giveOlderHalf() }
  }

  /// Cuts the oldest slice that is worth it in two and pools its second half; false when there is none, or no chunk to be had.
  private mutating func giveHalfSlice() -> Bool {
    var second = floor
    while second < top, second.pointee & 1 == 0 || second.pointee >> 1 < Marker.worthCutting { second += 1 }
    guard second < top, let other = heap.state.pointee.grey.emptyChunk() else { return false }
    let count = second.pointee >> 1
    let kept = count / 2
    second.pointee = kept << 1 | 1
    GreyChunk.push(second[-1] + kept * UInt(layout(of: second[-1]).pointee.elementBytes), on: other)
    GreyChunk.push((count - kept) << 1 | 1, on: other)
    heap.state.pointee.grey.give(other, to: home)
    return true
  }

  /// Pools the older half of the stack and goes on with the younger one in a chunk of its own; false when there is none to be had.
  private mutating func giveOlderHalf() -> Bool {
    guard let other = heap.state.pointee.grey.emptyChunk() else { return false }
    let half = middle
    let rest = top - floor - half
    GreyChunk.entries(other).update(from: floor + half, count: rest)
    other.pointee.count = rest
    chunk.pointee.count = half
    let given = chunk
    take(other)
    heap.state.pointee.grey.give(given, to: home)
    return true
  }

  /// Half the stack's entries, no pair split.
  private var middle: Int {
    let half = (top - floor) / 2
    return floor[half] & 1 != 0 ? half + 1 : half
  }

  /// Makes room on a full stack without a chunk: drops edges to what is marked already, and if that is not enough, marks the objects
  /// of the older half without scanning them (Overflow.swift). The rest of an array that is dropped is found by the same walk.
  private mutating func forgetOlderHalf() {
    dropMarked()
    if top - floor <= GreyChunk.capacity / 2 { return }
    let half = middle
    var entry = 0
    // An account of its own: the marker's is that of an object scanned again, which counts nothing, when this happens during a walk.
    var forgotten = MarkTally()
    while entry < half {
      let isPair = floor[entry + 1] & 1 != 0
      if !isPair && map.mark(floor[entry]) { forgotten.add(map.tally(of: floor[entry])) }
      entry += isPair ? 2 : 1
    }
    heap.note(forgotten)
    let rest = top - floor - half
    floor.update(from: floor + half, count: rest)
    top = floor + rest
    heap.state.pointee.grey.noteOverflow()
  }

  private mutating func dropMarked() {
    var kept = floor
    var entry = floor
    while entry < top {
      let isPair = entry + 1 < top && entry[1] & 1 != 0
      if isPair || !map.isMarked(entry[0]) {
        kept[0] = entry[0]
        if isPair { kept[1] = entry[1] }
        kept += isPair ? 2 : 1
      }
      entry += isPair ? 2 : 1
    }
    top = kept
  }
}

/// The visitor that custom trace functions call.
private func visitTracedReference(_ context: UnsafeMutableRawPointer, _ reference: UInt) {
  context.assumingMemoryBound(to: Marker.self).pointee.visit(reference)
}
