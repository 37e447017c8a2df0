// The grey set: edges that wait to be marked and scanned, in chunks that workers pass around whole.
//
// An entry is the address of an object that may or may not be marked yet (an edge, not a node: the marker tests and sets the mark
// when it takes the edge off its stack), or the second half of a pair (address, count << 1 | 1): a slice of a marked array, `count`
// elements from `address` on, that has yet to be scanned. Addresses of objects and elements are even, so bit 0 tells them apart; a
// pair is never split between chunks, and never dropped but by an overflow. A slice can be cut into two anywhere.
//
// Where a heap has several nodes there is a list of chunks for each. A marker takes what is on its own node's list, and of others only
// when that is empty, the nearest first; edges to objects of another node it gathers and hands to that node's list (Marker.swift). A list
// is where its work is best done and not where it must be: chunks of roots, stacks and barrier buffers are as mixed as they come.
//
// Invariant: the grey set is empty exactly when no chunk is pooled and nobody is active, and both are decided under one lock: a
// marker becomes active in the critical section that takes its chunk, and inactive in the one that returns it.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// A stack of grey entries in one 16 KiB piece of raw memory.
struct GreyChunk {
  static let bytes = 16 * 1024
  static let capacity = bytes / 8 - 2

  var next: UnsafeMutablePointer<GreyChunk>?
  var count: Int

  /// The first entry of the chunk at `chunk`.
  @inline(__always) static func entries(_ chunk: UnsafeMutablePointer<GreyChunk>) -> UnsafeMutablePointer<UInt> {
    UnsafeMutableRawPointer(chunk).advanced(by: 16).assumingMemoryBound(to: UInt.self)
  }

  /// Adds an edge to the chunk at `chunk`, which is not full.
  @inline(__always) static func push(_ edge: UInt, on chunk: UnsafeMutablePointer<GreyChunk>) {
    entries(chunk)[chunk.pointee.count] = edge
    chunk.pointee.count += 1
  }
}

struct GreyPool: ~Copyable {
  private static let slabBytes = 1 << 20
  private static let mostSlabs = 16384

  let lock = FutexLock()
  /// Signalled when a chunk arrives while somebody waits, and when the grey set becomes empty.
  let changed = FutexEvent()
  /// Threads in `waitForWork`.
  private let hungry = Atomic<Int>(0)

  /// The chunks with work, by node.
  private let lists: UnsafeMutablePointer<UnsafeMutablePointer<GreyChunk>?>
  private let listCount: Int
  /// How many chunks are pooled: changed under the lock, and looked at without it by markers that might hand work on.
  private let pooledCount = Atomic<Int>(0)
  private var active = 0
  /// Whether markers may take work: from the end of root scanning to the end of marking (I9).
  private var isOpen = false
  /// Whether grey work was added, other than by a marker, since the round of `finish` handshakes began (invariant I6).
  private var wasAdded = false
  /// Whether markers look newly marked objects up as keys of ephemerons (Ephemerons.swift). Read by a marker when it enters.
  var looksUpKeys = false
  /// Whether entries were lost since the heap was last walked (Overflow.swift), and how often that happened.
  private var hasOverflowed = false
  let overflows = Atomic<Int>(0)
  private var empties: UnsafeMutablePointer<GreyChunk>? = nil
  private var slabs: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var slabCount = 1
  /// Bytes of the newest slab that chunks have been cut from; a slab is cut as needed, so that untouched pages cost nothing.
  private var uncut = 0
  /// Bytes mapped for chunks: part of the process's non-heap memory.
  let mappedBytes = Atomic<Int>(GreyPool.slabBytes)

  /// A pool of as many lists as there are nodes, with its first slab, which it keeps.
  init(nodes: Int) throws(PlatformError) {
    let first = try AddressSpace.map(bytes: GreyPool.slabBytes)
    listCount = nodes
    lists = .allocate(capacity: nodes)
    lists.initialize(repeating: nil, count: nodes)
    slabs = .allocate(capacity: GreyPool.mostSlabs)
    slabs[0] = first
  }

  deinit {
    for i in 0..<slabCount { AddressSpace.unreserve(slabs[i], bytes: GreyPool.slabBytes) }
    slabs.deallocate()
    lists.deallocate()
  }

  /// Whether nothing is pooled. The lock is held.
  private var isEmpty: Bool { pooledCount.load(ordering: .relaxed) == 0 }

  /// Whether there is no grey object anywhere but in mutators' buffers.
  mutating func isQuiescent() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    return isEmpty && active == 0
  }

  /// Begins a round of `finish` handshakes if there is no grey work. The look and the clearing are one step, and so are adding and
  /// noting it: work added after the look is always noted, even if it is marked before the round ends.
  ///
  /// With `lookUpKeys`, markers that enter from now on look up keys; nobody is active who does not.
  mutating func beginRound(lookUpKeys: Bool) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard isEmpty && active == 0 && !hasOverflowed else { return false }
    if lookUpKeys && !Mutation.noKeyLookup.isOn { looksUpKeys = true }
    wasAdded = false
    return true
  }

  /// Whether no grey work was added since the round began, and so none is there.
  mutating func wasQuietRound() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    return (!wasAdded || Mutation.noQuietRound.isOn) && isEmpty && active == 0
  }

  /// What a round that begins in two steps does in the second one (`Mutation.roundLookNotAtomic`).
  mutating func forgetAdded() {
    lock.lock()
    wasAdded = false
    lock.unlock()
  }

  /// Lets markers take work from now on, or not any more. A marker that decided to enter when it saw the heap marking, and comes to it in
  /// the next cycle while stacks are being scanned, finds the pool closed.
  mutating func open(_ isOpen: Bool) {
    lock.lock()
    self.isOpen = isOpen
    lock.unlock()
  }

  /// Takes a chunk of work and becomes active; nil when nothing is pooled.
  ///
  /// - Parameters:
  ///   - node: the node to take it for; that of the work, afterwards.
  ///   - nodes: the heap's.
  mutating func enter(for node: inout Int, _ nodes: borrowing NodeTable) -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    guard isOpen || Mutation.markingBeforeRoots.isOn, let chunk = takeWork(for: &node, nodes) else { return nil }
    active += 1
    return chunk
  }

  /// Swaps an exhausted chunk for one with work; the caller stays active. Nil when nothing is pooled: it keeps its chunk.
  mutating func exchangeEmpty(
    _ chunk: UnsafeMutablePointer<GreyChunk>, for node: inout Int, _ nodes: borrowing NodeTable
  ) -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    guard let work = takeWork(for: &node, nodes) else { return nil }
    keepEmpty(chunk)
    return work
  }

  /// The same for work of `node`, or else of `home`, and of no other.
  mutating func exchangeEmpty(
    _ chunk: UnsafeMutablePointer<GreyChunk>, for node: Int, or home: inout Int
  ) -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    if lists[node] != nil { home = node }
    if lists[home] == nil { return nil }
    keepEmpty(chunk)
    return takeNewest(of: home)
  }

  /// The newest chunk of the node's list, or of the nearest that has one.
  private mutating func takeWork(
    for node: inout Int, _ nodes: borrowing NodeTable
  ) -> UnsafeMutablePointer<GreyChunk>? {
    if isEmpty { return nil }
    var list = node
    var place = 0
    while lists[list] == nil {
      place += 1
      list = nodes.node(place, nearest: node)
    }
    node = list
    return takeNewest(of: list)
  }

  private mutating func takeNewest(of list: Int) -> UnsafeMutablePointer<GreyChunk> {
    let work = lists[list]!
    lists[list] = work.pointee.next
    pooledCount.wrappingSubtract(1, ordering: .relaxed)
    return work
  }

  /// Pools a chunk with work for a node; the caller stays active with another one.
  mutating func give(_ chunk: UnsafeMutablePointer<GreyChunk>, to node: Int) {
    lock.lock()
    pool(chunk, node)
    lock.unlock()
    announce()
  }

  /// The same for a chunk of edges alone, into another chunk of the list if they fit: what markers hand to other nodes comes in small pieces.
  mutating func deliver(_ chunk: UnsafeMutablePointer<GreyChunk>, to node: Int) {
    lock.lock()
    let count = chunk.pointee.count
    if let first = lists[node], first.pointee.count + count <= GreyChunk.capacity {
      (GreyChunk.entries(first) + first.pointee.count).update(from: GreyChunk.entries(chunk), count: count)
      first.pointee.count += count
      keepEmpty(chunk)
    } else if count > 0 {
      pool(chunk, node)
    } else {
      keepEmpty(chunk)
    }
    lock.unlock()
    announce()
  }

  /// Leaves: the chunk is pooled for `node` when it holds work, kept otherwise. Wakes whoever waits for the grey set to be empty.
  mutating func leave(_ chunk: UnsafeMutablePointer<GreyChunk>, to node: Int) {
    lock.lock()
    if chunk.pointee.count > 0 { pool(chunk, node) } else { keepEmpty(chunk) }
    active -= 1
    let finished = active == 0 && isEmpty
    lock.unlock()
    if finished { changed.signalAll() } else { announce() }
  }

  /// Whether somebody waits for work and none is pooled for him. No more than a hint: one who is on his way to work that has just been
  /// pooled still counts, and is given nothing else.
  @inline(__always) var isStarved: Bool {
    hungry.load(ordering: .relaxed) > 0 && pooledCount.load(ordering: .relaxed) == 0
  }

  /// Sleeps until a chunk is pooled, the grey set becomes empty or `nanoseconds` have passed. Returns at once when a chunk is pooled, and
  /// with `unlessQuiescent` also when nobody is active. Counted as hungry before it looks, under the lock under which chunks are
  /// pooled: whoever pools one afterwards sees that, and signals.
  mutating func waitForWork(nanoseconds: Int64, unlessQuiescent: Bool) {
    hungry.wrappingAdd(1, ordering: .relaxed)
    defer { hungry.wrappingSubtract(1, ordering: .relaxed) }
    let seen = changed.current()
    lock.lock()
    let isPointless = !isEmpty || unlessQuiescent && active == 0
    lock.unlock()
    if !isPointless { changed.wait(past: seen, timeoutNanoseconds: nanoseconds) }
  }

  /// An empty chunk; nil when the system gives no memory. Who is not a marker (a barrier buffer, a stack scan) gives it back by `add`.
  mutating func emptyChunk() -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    return takeEmpty()
  }

  /// Becomes active without work, to find some; nil when the system gives no memory.
  mutating func enterEmpty() -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    guard let chunk = takeEmpty() else { return nil }
    active += 1
    return chunk
  }

  /// Adds what a barrier buffer, a stack or the roots held, if anything, for `node`. Notes that grey work was found.
  mutating func add(_ chunk: UnsafeMutablePointer<GreyChunk>?, to node: Int) {
    guard let chunk else { return }
    lock.lock()
    pool(chunk, node)
    wasAdded = true
    lock.unlock()
    announce()
  }

  /// Objects are marked and not scanned, and no entry says which. After their marks are set.
  mutating func noteOverflow() {
    overflows.wrappingAdd(1, ordering: .relaxed)
    lock.lock()
    hasOverflowed = true
    wasAdded = true
    lock.unlock()
  }

  /// If entries were lost and nothing else is grey: becomes active with an empty chunk, to walk the heap; the loss counts as made up
  /// for from here on. Nil also while all chunks are with mutators that are about to give them back.
  mutating func enterAfterOverflow() -> UnsafeMutablePointer<GreyChunk>? {
    lock.lock()
    defer { lock.unlock() }
    guard hasOverflowed && isEmpty && active == 0, let chunk = takeEmpty() else { return nil }
    hasOverflowed = false
    active += 1
    return chunk
  }

  /// Adds one edge for `node`: what a dropped root held, what a weak load found. False when there is no chunk for it.
  mutating func add(edge: UInt, to node: Int) -> Bool {
    lock.lock()
    if lists[node] == nil || lists[node]!.pointee.count == GreyChunk.capacity, let empty = takeEmpty() {
      pool(empty, node)
    }
    guard let chunk = lists[node], chunk.pointee.count < GreyChunk.capacity else {
      lock.unlock()
      return false
    }
    GreyChunk.push(edge, on: chunk)
    wasAdded = true
    lock.unlock()
    announce()
    return true
  }

  /// Makes sure that the first chunks of a cycle, which mutators take while they are held, cost them no page fault.
  mutating func prepare(chunks: Int) {
    lock.lock()
    defer { lock.unlock() }
    var taken: UnsafeMutablePointer<GreyChunk>? = nil
    for _ in 0..<chunks {
      guard let chunk = takeEmpty() else { break }
      for offset in stride(from: 4096, to: GreyChunk.bytes, by: 4096) {
        UnsafeMutableRawPointer(chunk).storeBytes(of: 0, toByteOffset: offset, as: UInt.self)
      }
      chunk.pointee.next = taken
      taken = chunk
    }
    while let chunk = taken {
      taken = chunk.pointee.next
      keepEmpty(chunk)
    }
  }

  /// Unmaps all but one slab. Only between cycles, when every chunk is empty.
  mutating func trim() {
    lock.lock()
    defer { lock.unlock() }
    precondition(isEmpty && active == 0 && !hasOverflowed, "grey chunks are trimmed only when nothing is grey")
    guard slabCount > 1 else { return }
    for i in 1..<slabCount { AddressSpace.unreserve(slabs[i], bytes: GreyPool.slabBytes) }
    slabCount = 1
    empties = nil
    uncut = 0
    mappedBytes.store(GreyPool.slabBytes, ordering: .relaxed)
  }

  private func announce() {
    if hungry.load(ordering: .relaxed) > 0 { changed.signalAll() }
  }

  private mutating func pool(_ chunk: UnsafeMutablePointer<GreyChunk>, _ node: Int) {
    chunk.pointee.next = lists[node]
    lists[node] = chunk
    pooledCount.wrappingAdd(1, ordering: .relaxed)
  }

  private mutating func keepEmpty(_ chunk: UnsafeMutablePointer<GreyChunk>) {
    chunk.pointee.count = 0
    chunk.pointee.next = empties
    empties = chunk
  }

  private mutating func takeEmpty() -> UnsafeMutablePointer<GreyChunk>? {
    if let chunk = empties {
      empties = chunk.pointee.next
      chunk.pointee.count = 0
      return chunk
    }
    if uncut == GreyPool.slabBytes && !grow() { return nil }
    let chunk = (slabs[slabCount - 1] + uncut).assumingMemoryBound(to: GreyChunk.self)
    uncut += GreyChunk.bytes
    chunk.pointee.count = 0
    return chunk
  }

  /// Maps another slab; false when the system refuses, or the pool has as many as it may.
  private mutating func grow() -> Bool {
    guard slabCount < GreyPool.mostSlabs else { return false }
    do throws(PlatformError) {
      slabs[slabCount] = try AddressSpace.map(bytes: GreyPool.slabBytes)
    } catch {
      return false
    }
    slabCount += 1
    uncut = 0
    mappedBytes.store(slabCount * GreyPool.slabBytes, ordering: .relaxed)
    return true
  }
}
