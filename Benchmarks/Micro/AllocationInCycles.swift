// The same allocations while cycles come and go by themselves, as GOGC starts them over 32 MiB that stay alive: what is added to
// the cost of an allocation is assists, sweeping, handshakes and fuller caches. CPU time is the allocating thread's; what markers take
// on other processors shows in wall time alone.

import Tricolor

enum AllocationInCycles {
  private static let liveBytes = 32 << 20

  static func run(_ session: Session) throws -> [Figure] {
    var configuration = Heap.Configuration.environment
    configuration.gcPercent = 100
    configuration.memoryLimit = .off
    let heap = try Heap(configuration: configuration)
    let (live, head) = try heap.withMutator { mutator in try makeLive(mutator) }
    let counter = AllocationCounter(heap)
    let cyclesBefore = heap.statistics.cycles
    var figures = try heap.withMutator { mutator in
      try session.measure(
        "cycles", AllocationMaker(mutator: mutator, counter: counter, prepare: {}).allSizes())
    }
    let cycles = heap.statistics.cycles - cyclesBefore
    figures[0].note = "\(cycles) cycles during the group"
    session.verify(cycles > 0, "that cycles ran by themselves")
    session.verify(counter.agrees(), "the heap's count of objects under cycles")
    session.verify(
      heap.withMutator { mutator in length(head.get(mutator), mutator) } == live, "the objects that live under cycles")
    return figures
  }

  /// A chain of objects, and how many.
  private static func makeLive(_ mutator: Mutator) throws(OutOfMemory) -> (Int, Root<Sample32>) {
    let count = liveBytes / MemoryLayout<Sample32>.size
    var first: Reference<Sample32>? = nil
    for number in 0..<count {
      let object = try mutator.make(Sample32(UInt(number)))
      object.left = first
      first = object
    }
    return (count, mutator.root(first))
  }

  /// How long the chain is; its objects count down to 0.
  private static func length(_ first: Reference<Sample32>?, _ mutator: Mutator) -> Int {
    var length = 0
    var next = first
    while let object = next, object.inverse == ~object.number {
      mutator.poll()
      length += 1
      next = object.left
    }
    return length
  }
}
