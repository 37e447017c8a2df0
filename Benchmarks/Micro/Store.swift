// A store of a reference into 1024 objects in turn, beside the store of a word into the same objects, with the barrier idle and active.
//
// Active: the collector is held before its first round of `finish`, when everything is marked and every barrier is on, so the barrier
// is on during the whole of each batch, which is checked at both ends of it, and no marker competes for the processor. What is
// recorded is marked already; the first record of an unmarked object, once for an object and cycle at most, costs more.

import CTricolorShims
import Tricolor

enum Store {
  private static let count = 1 << 20

  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    return try heap.withMutator { mutator in
      let targets = try StoreTargets(mutator)
      let held = HeldCycle(heap, mutator)
      defer { held.end() }
      let plain = Operation(
        name: "store-plain", loop: "store-plain", count: count, prepare: held.end,
        body: { storeWords(targets.addresses, $0) }, check: { targets.holdNumbers($0) })
      let idle = Operation(
        name: "store-idle", loop: "store-plain", count: count, target: 1, mostInstructions: 2, prepare: held.end,
        body: { storeReferences(targets.addresses, $0) }, check: { _ in targets.holdSuccessors() })
      var active = idle
      active.name = "store-active"
      active.target = 8
      active.mostInstructions = 100
      active.prepare = held.begin
      active.check = { _ in held.noteBarrier() && targets.holdSuccessors() }
      var figures = try session.measure("store", [plain, idle, active])
      if let last = figures.indices.last { figures[last].note = "barrier on in \(held.share)" }
      return figures
    }
  }
}

/// 1024 objects, their addresses in plain memory, and an array that keeps them alive.
struct StoreTargets {
  static let count = 1024
  let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let array: Reference<ReferenceArray<Sample32>>

  init(_ mutator: Mutator) throws(OutOfMemory) {
    addresses = .allocate(capacity: StoreTargets.count)
    array = try mutator.makeArray(of: Sample32.self, count: StoreTargets.count)
    for index in 0..<StoreTargets.count {
      let object = try mutator.make(Sample32(0))
      array[index] = object
      (addresses + index).initialize(to: object.address)
    }
  }

  /// Whether every object refers to the next one.
  func holdSuccessors() -> Bool {
    (0..<StoreTargets.count).allSatisfy { array[$0]!.left == array[($0 + 1) % StoreTargets.count] }
  }

  /// Whether every object holds the last number below `end` that it got.
  func holdNumbers(_ end: Int) -> Bool {
    (max(0, end - StoreTargets.count)..<end).allSatisfy { array[$0 % StoreTargets.count]!.number == UInt($0) }
  }
}

@inline(never) private func storeWords(_ addresses: UnsafeMutablePointer<UnsafeMutableRawPointer>, _ count: Int) {
  for number in 0..<count {
    let object = Reference<Sample32>(unsafeAddress: addresses[number & (StoreTargets.count - 1)])
    let other = addresses[(number + 1) & (StoreTargets.count - 1)]
    object.number = UInt(bitPattern: number)
    tricolor_keep(UInt(bitPattern: other))
  }
}

@inline(never) private func storeReferences(
  _ addresses: UnsafeMutablePointer<UnsafeMutableRawPointer>, _ count: Int
) {
  for number in 0..<count {
    let object = Reference<Sample32>(unsafeAddress: addresses[number & (StoreTargets.count - 1)])
    let other = addresses[(number + 1) & (StoreTargets.count - 1)]
    object.left = Reference(unsafeAddress: other)
    tricolor_keep(UInt(bitPattern: other))
  }
}
