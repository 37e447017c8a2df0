// Allocation with nothing else going on: each batch takes 8 MiB, and between batches a forced cycle gives them back, so that memory
// has been used before and cells must be zeroed, as in any program that has run for a while. A size is that of the whole object.
//
// The loop that is subtracted only counts. `alloc-16-alone` makes each object in a function that does nothing else, as much code does:
// there nothing can be moved out of the loop, and the function's frame is counted in. `alloc-16-cached` takes 256 KiB a batch, which stay in the processor's cache. Beside each object that is made from a value stands the writing of that value to one place
// of plain memory (`write-N`): from 256 bytes on it is most of the cost.

import CTricolorShims
import Synchronization
import Tricolor

enum Allocation {
  static let batchBytes = 8 << 20

  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    let counter = AllocationCounter(heap)
    let figures = try heap.withMutator { mutator in
      let maker = AllocationMaker(mutator: mutator, counter: counter, prepare: { heap.collect() })
      let further = [
        Operation(name: "call", loop: "call", count: batchBytes / 16, body: callMany),
        maker.operation("alloc-16-alone", 16, loop: "call", target: 2, mostInstructions: 20) {
          try makeManyAlone($0, $1)
        },
        maker.operation("alloc-16-cached", 16, batch: 256 << 10, target: 2) { try makeMany(Sample16.self, $0, $1) },
        write(Sample16.self) { writeMany($0, $1) }, write(Sample32.self) { writeMany($0, $1) },
        write(Sample64.self) { writeMany($0, $1) }, write(Sample256.self) { writeMany($0, $1) },
        write(Sample1024.self) { writeMany($0, $1) },
      ]
      return try session.measure("allocation", maker.allSizes(target: 2, mostInstructions: 12) + further)
    }
    if case .times = session.purpose { session.verify(counter.agrees(), "the heap's count of objects") }
    return figures
  }

  private static func write<T: Sample>(
    _ type: T.Type, _ body: @escaping (UnsafeMutablePointer<T>, Int) -> Void
  ) -> Operation {
    let place = UnsafeMutablePointer<T>.allocate(capacity: 1)
    place.initialize(to: T(0))
    return Operation(
      name: "write-\(MemoryLayout<T>.size)", loop: "loop", count: batchBytes / MemoryLayout<T>.size,
      body: { body(place, $0) }, check: { place.pointee.number == UInt($0 - 1) })
  }
}

/// Allocations as operations.
struct AllocationMaker {
  let mutator: Mutator
  let counter: AllocationCounter
  let prepare: () -> Void

  /// `body` makes objects and answers whether the last one is right.
  func operation(
    _ name: String, _ size: Int, loop: String = "loop", batch: Int = Allocation.batchBytes, target: Double? = nil,
    mostInstructions: Int? = nil, _ body: @escaping (Mutator, Int) throws -> Bool
  ) -> Operation {
    var isIntact = false
    return Operation(
      name: name, loop: loop, count: batch / size, target: target, mostInstructions: mostInstructions,
      prepare: prepare,
      body: { count in
        isIntact = try body(mutator, count)
        counter.add(count)
      },
      check: { _ in isIntact })
  }

  /// The bare loop and objects of every size. The bounds are for the smallest.
  func allSizes(target: Double? = nil, mostInstructions: Int? = nil) -> [Operation] {
    [
      Operation(name: "loop", loop: "loop", count: Allocation.batchBytes / 16, body: countUp),
      operation("alloc-16", 16, target: target, mostInstructions: mostInstructions) {
        try makeMany(Sample16.self, $0, $1)
      },
      operation("alloc-32", 32) { try makeMany(Sample32.self, $0, $1) },
      operation("alloc-64", 64) { try makeMany(Sample64.self, $0, $1) },
      operation("alloc-256", 256) { try makeMany(Sample256.self, $0, $1) },
      operation("alloc-1024", 1024) { try makeMany(Sample1024.self, $0, $1) },
      operation("bytes-16", 16) { try makeManyBytes(16, $0, $1) },
      operation("bytes-32", 32) { try makeManyBytes(32, $0, $1) },
      operation("bytes-64", 64) { try makeManyBytes(64, $0, $1) },
      operation("bytes-256", 256) { try makeManyBytes(256, $0, $1) },
      operation("bytes-1024", 1024) { try makeManyBytes(1024, $0, $1) },
    ]
  }
}

/// What was allocated, to be compared with the heap's own count, which is complete after a cycle.
final class AllocationCounter: Sendable {
  private let heap: Heap
  private let before: Int
  private let expected = Atomic(0)

  /// Counts from now on. Outside `withMutator`.
  init(_ heap: Heap) {
    self.heap = heap
    heap.collect()
    before = heap.statistics.allocatedObjects
  }

  func add(_ objects: Int) { expected.wrappingAdd(objects, ordering: .relaxed) }

  /// Whether the heap counted the same. Outside `withMutator`.
  func agrees() -> Bool {
    heap.collect()
    return heap.statistics.allocatedObjects - before == expected.load(ordering: .relaxed)
  }
}

// MARK: Loops. Each is a function of its own for each type, so that it is compiled alone and can be found in a disassembly.

@inline(never) func countUp(_ count: Int) {
  for number in 0..<count { tricolor_keep(UInt(bitPattern: number)) }
}

@inline(never) private func makeMany<T: Sample>(
  _ type: T.Type, _ mutator: Mutator, _ count: Int
) throws(OutOfMemory) -> Bool {
  var last: Reference<T>? = nil
  for number in 0..<count {
    let object = try mutator.make(T(UInt(bitPattern: number)))
    tricolor_keep(UInt(bitPattern: object.address))
    last = object
  }
  // Not `$0.number`, which in generic code is no field but a requirement of the protocol.
  return last.map { $0.address.assumingMemoryBound(to: T.self).pointee.number == UInt(bitPattern: count - 1) } ?? false
}

@inline(never) private func makeManyAlone(_ mutator: Mutator, _ count: Int) throws(OutOfMemory) -> Bool {
  var last: Reference<Sample16>? = nil
  for number in 0..<count { last = try makeOne(mutator, UInt(bitPattern: number)) }
  return last.map { $0.number == UInt(bitPattern: count - 1) } ?? false
}

@inline(never) private func makeOne(_ mutator: Mutator, _ number: UInt) throws(OutOfMemory) -> Reference<Sample16> {
  try mutator.make(Sample16(number))
}

@inline(never) private func callMany(_ count: Int) {
  for number in 0..<count { tricolor_keep(makeNothing(UInt(bitPattern: number))) }
}

@inline(never) private func makeNothing(_ number: UInt) -> UInt {
  tricolor_keep(number)
  return number
}

@inline(never) private func makeManyBytes(
  _ size: Int, _ mutator: Mutator, _ count: Int
) throws(OutOfMemory) -> Bool {
  var last: Reference<Bytes>? = nil
  for _ in 0..<count {
    let object = try mutator.makeBytes(count: size - 8)
    tricolor_keep(UInt(bitPattern: object.address))
    last = object
  }
  return last.map { $0.count == size - 8 && $0.bytes.allSatisfy { $0 == 0 } } ?? false
}

@inline(never) private func writeMany<T: Sample>(_ place: UnsafeMutablePointer<T>, _ count: Int) {
  for number in 0..<count {
    place.pointee = T(UInt(bitPattern: number))
    tricolor_keep(UInt(bitPattern: place))
  }
}
