// A lane's lists: which block a mutator gets.

import Testing

@testable import Tricolor

@Suite("Lanes")
struct LaneTests {
  @Test(
    "A mutator that has yet to answer the sweep handshake gets no block that another one gave back in the new epoch")
  func epochs() throws {
    let heap = try Heap.quiet()
    let address = try onOwnThread { try heap.withMutator { m in UInt(bitPattern: try m.makeBytes(count: 8).address) } }
    // The last block of the arena that the object is in: nobody uses it.
    let block = addressMap.block(of: address) | (Geometry.blocksPerArena - 1)
    defer { addressMap.descriptors[block] = BlockDescriptor() }
    addressMap.descriptors[block].sweptEpoch = 7
    var lane = Lane()
    lane.put(block, freeCells: .some(tier: 3), epoch: 7)
    #expect(lane.takePartial(epoch: 6) == nil)
    #expect(lane.takePartial(epoch: 7) == block)
    lane.put(block, freeCells: .some(tier: 3), epoch: 8)
    #expect(lane.takePartial(epoch: 8) == nil)
    #expect(lane.unswept.pop() == block)
  }

  @Test("The fullest block is given first")
  func fullestFirst() throws {
    let heap = try Heap.quiet()
    let address = try onOwnThread { try heap.withMutator { m in UInt(bitPattern: try m.makeBytes(count: 8).address) } }
    let last = addressMap.block(of: address) | (Geometry.blocksPerArena - 1)
    var lane = Lane()
    for (offset, tier) in [(0, 2), (1, 7), (2, 0)] {
      addressMap.descriptors[last - offset].sweptEpoch = 7
      lane.put(last - offset, freeCells: .some(tier: tier), epoch: 7)
    }
    #expect(
      [lane.takePartial(epoch: 7), lane.takePartial(epoch: 7), lane.takePartial(epoch: 7)] == [
        last - 1, last, last - 2,
      ])
    for offset in 0..<3 { addressMap.descriptors[last - offset] = BlockDescriptor() }
  }
}
