// Objects whose place a program knows better than the heap's policy: on the node of another object, on a certain node, spread over all.
//
// A thread has an open run for each lane and node it asks for (MutatorState.swift, "bank"), so such an object costs a call and a bump. Where
// the heap has one node, or under `TRICOLOR_NUMA=off`, these are the ordinary ways to make an object.

import CTricolorShims
import Synchronization
import TricolorPlatform

extension Heap {
  /// The kernel's numbers of the NUMA nodes that this heap takes memory from, ascending: those that have memory and that the process's cpuset
  /// allowed when the heap was made. One where there is nothing to choose.
  public var memoryNodes: [Int] { core.state.pointee.nodes.kernelNumbers }
}

extension Mutator {
  /// A new object holding `value`, on the node that `neighbour` lies on: for objects that are used together. Where the node is full, on the
  /// nearest other. Cost: some twenty instructions when the run has room, on one node as `make(_:)`.
  public func make<T: Managed, Neighbour>(
    _ value: T, near neighbour: Reference<Neighbour>
  ) throws(OutOfMemory) -> Reference<T> {
    let pool = addressMap.pool(of: neighbour.word)
    return try make(value, pool: pool < core.heap.state.pointee.nodes.count ? pool : nil)
  }

  /// A new object holding `value`, on node `node` by the kernel's number, which must be one of the heap's `memoryNodes`: the program
  /// ends otherwise. Where the node is full, on the nearest other.
  public func make<T: Managed>(_ value: T, onNode node: Int) throws(OutOfMemory) -> Reference<T> {
    try make(value, pool: index(ofNode: node))
  }

  /// Bytes, all zero, on a node as `make(_:onNode:)` has it.
  public func makeBytes(count: Int, onNode node: Int) throws(OutOfMemory) -> Reference<Bytes> {
    Mutator.check(count: count, stride: 1)
    return Reference(unsafeAddress: try counted(.leaf, header: 8, count: count, stride: 1, pool: index(ofNode: node)))
  }

  /// An array of `count` nil references on a node as `make(_:onNode:)` has it.
  public func makeArray<Element>(
    of type: Element.Type, count: Int, onNode node: Int
  ) throws(OutOfMemory) -> Reference<ReferenceArray<Element>> {
    Mutator.check(count: count, stride: 8)
    return Reference(
      unsafeAddress: try counted(.referenceArray, header: 8, count: count, stride: 8, pool: index(ofNode: node)))
  }

  /// Bytes, all zero, whose pages lie on all nodes in turn: for large ones that all threads use. Small ones, below 32 KiB, lie where the
  /// policy has them.
  public func makeSpreadBytes(count: Int) throws(OutOfMemory) -> Reference<Bytes> {
    Mutator.check(count: count, stride: 1)
    return Reference(unsafeAddress: try counted(.leaf, header: 8, count: count, stride: 1, pool: spreadPool))
  }

  /// An array of `count` nil references whose pages lie on all nodes in turn, as `makeSpreadBytes`.
  public func makeSpreadArray<Element>(
    of type: Element.Type, count: Int
  ) throws(OutOfMemory) -> Reference<ReferenceArray<Element>> {
    Mutator.check(count: count, stride: 8)
    return Reference(
      unsafeAddress: try counted(.referenceArray, header: 8, count: count, stride: 8, pool: spreadPool))
  }

  /// The kernel's number of the node whose memory `object` was taken from; nil where its pages lie on all nodes in turn, where the heap has
  /// one node, and under `TRICOLOR_NUMA=off`. Constant time; the kernel is not asked.
  public func node<T>(of object: Reference<T>) -> Int? {
    let pool = addressMap.pool(of: object.word)
    return hasNodes && pool != spreadPool ? core.heap.state.pointee.nodes.kernelNumbers[pool] : nil
  }

  /// Whether there is a choice.
  private var hasNodes: Bool { core.heap.state.pointee.nodes.count > 1 && core.heap.state.pointee.nodes.places }
  private var spreadPool: Int { core.heap.state.pointee.nodes.spreadPool }

  private func index(ofNode node: Int) -> Int {
    if let index = core.heap.state.pointee.nodes.index(ofKernel: node) { return index }
    let numbers = core.heap.state.pointee.nodes.kernelNumbers
    fatalError("tricolor: an object on node \(node); this heap takes memory from nodes \(numbers)")
  }

  private func make<T: Managed>(_ value: T, pool: Int?) throws(OutOfMemory) -> Reference<T> {
    guard let pool, hasNodes else { return try make(value) }
    if T.slot.runOffset.load(ordering: .acquiring) == 0 { PayloadLayout.register(T.self) }
    let lane = (Int(T.slot.runOffset.load(ordering: .relaxed)) - MutatorCore.runsOffset) / MemoryLayout<Run>.stride
    let size = roundedToGranules(MemoryLayout<T>.size)
    let address =
      size > Geometry.largestCell
      ? try core.allocateLarge(lane: lane, bytes: size, zeroed: true, pool: pool)
      : try cell(lane, UInt(size), node: pool)
    let object = UnsafeMutableRawPointer(bitPattern: address)!
    object.initializeMemory(as: T.self, to: value)
    return Reference(unsafeAddress: object)
  }

  /// A cell of a lane on a node by its index.
  private func cell(_ lane: Int, _ bytes: UInt, node: Int) throws(OutOfMemory) -> UInt {
    let slot = Geometry.slot(lane: lane, node: node)
    let run = core.run(slot)
    if run.pointee.cursor + bytes > run.pointee.limit { return try core.allocateSlowly(slot: slot) }
    let cell = run.pointee.cursor
    run.pointee.cursor = cell + bytes
    return cell
  }

  /// A zeroed object that begins with its count, in a pool.
  private func counted(
    _ layout: Layout, header: Int, count: Int, stride: Int, pool: Int
  ) throws(OutOfMemory) -> UnsafeMutableRawPointer {
    let bytes = header + count * stride
    let object: UnsafeMutableRawPointer
    let lane = LayoutTable.lane(of: layout, bytes: bytes)
    let cellBytes = LayoutTable.laneClasses[lane].cellBytes
    if !hasNodes || cellBytes > 0 && pool == spreadPool {
      object = try allocate(layout, bytes: bytes, zeroed: true)
    } else if cellBytes == 0 {
      let address = try core.allocateLarge(lane: lane, bytes: bytes, zeroed: true, pool: pool)
      object = UnsafeMutableRawPointer(bitPattern: address)!
    } else {
      object = UnsafeMutableRawPointer(bitPattern: try cell(lane, UInt(cellBytes), node: pool))!
      object.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }
    object.assumingMemoryBound(to: Int.self).pointee = count
    return object
  }
}
