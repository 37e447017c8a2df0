// What a program does inside `withMutator` beside allocating and storing: polls, loads through weak references, root handles. No cycle
// runs meanwhile.

import CTricolorShims
import Tricolor

enum InsideMutator {
  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    return try heap.withMutator { mutator in
      let object = try mutator.make(Sample32(7))
      let holder = try mutator.make(Sample32(8))
      holder.left = object
      let weak = try mutator.makeWeak(object)
      let root = mutator.root(object)
      let slow = 1 << 17
      let fast = 1 << 20
      var sum: UInt = 0
      func sums(_ body: @escaping (Int) -> UInt) -> (Int) -> Void { { sum = body($0) } }
      func isSum(_ count: Int) -> Bool { sum == UInt(count) &* 7 }
      return try session.measure(
        "inside",
        [
          Operation(name: "loop", loop: "loop", count: fast, body: countUp),
          Operation(
            name: "poll", loop: "loop", count: fast, target: 0.5, mostInstructions: 4, body: { pollMany(mutator, $0) }),
          Operation(
            name: "load-strong", loop: "loop", count: fast, body: sums { loadMany(holder, $0) }, check: isSum),
          Operation(
            name: "load-weak", loop: "loop", count: fast, mostInstructions: 8, body: sums { loadManyWeakly(weak, $0) },
            check: isSum),
          Operation(
            name: "root-get", loop: "loop", count: slow, mostInstructions: 16,
            body: sums { getMany(root, mutator, $0) }, check: isSum),
          Operation(
            name: "root-make-get-drop", loop: "loop", count: slow, body: sums { rootMany(object, mutator, $0) },
            check: { isSum($0) && heap.statistics.roots == 1 }),
        ])
    }
  }
}

@inline(never) private func pollMany(_ mutator: Mutator, _ count: Int) {
  for number in 0..<count {
    mutator.poll()
    tricolor_keep(UInt(bitPattern: number))
  }
}

@inline(never) private func loadMany(_ holder: Reference<Sample32>, _ count: Int) -> UInt {
  var sum: UInt = 0
  for number in 0..<count {
    sum &+= holder.left!.number
    tricolor_keep(UInt(bitPattern: number))
  }
  return sum
}

@inline(never) private func loadManyWeakly(_ weak: Reference<Weak<Sample32>>, _ count: Int) -> UInt {
  var sum: UInt = 0
  for number in 0..<count {
    sum &+= weak.referent!.number
    tricolor_keep(UInt(bitPattern: number))
  }
  return sum
}

@inline(never) private func getMany(_ root: Root<Sample32>, _ mutator: Mutator, _ count: Int) -> UInt {
  var sum: UInt = 0
  for number in 0..<count {
    sum &+= root.get(mutator)!.number
    tricolor_keep(UInt(bitPattern: number))
  }
  return sum
}

@inline(never) private func rootMany(_ object: Reference<Sample32>, _ mutator: Mutator, _ count: Int) -> UInt {
  var sum: UInt = 0
  for number in 0..<count {
    sum &+= mutator.root(object).get(mutator)!.number
    tricolor_keep(UInt(bitPattern: number))
  }
  return sum
}
