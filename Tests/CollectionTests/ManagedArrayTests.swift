// Managed arrays beside the standard library's, under collection.

import Testing
import Tricolor

@Suite("Managed arrays")
struct ManagedArrayTests {
  @Test("Random programs leave an array as they leave the standard library's", arguments: Collecting.allCases)
  func randomPrograms(collecting: Collecting) throws {
    let seed = UInt64.random(in: 0 ... .max)
    #expect(try run(Int.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(UInt8.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(Wide.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(Reference<Link>.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(Reference<Link>?.self, seed, collecting) == nil, "seed \(seed)")
    #expect(try run(ManagedString.self, seed, collecting) == nil, "seed \(seed)")
  }

  /// What differed first, nil when nothing did.
  private func run<Element: Numbered & SendableMetatype>(
    _ type: Element.Type, _ seed: UInt64, _ collecting: Collecting
  ) throws -> String? {
    let heap = try collecting.heap
    let operations = collecting.operations(12_000)
    return try onOwnThread {
      try heap.withMutator { m in
        var program = try ArrayProgram<Element>(seed: seed, m)
        for step in 0..<operations {
          let operation = try program.step(m)
          if let difference = program.difference { return "step \(step), \(operation): \(difference)" }
        }
        return nil
      }
    }
  }

  @Test("An array of a million references grows, shrinks and is emptied, and its elements live exactly as long")
  func large() throws {
    var configuration = Heap.Configuration()
    configuration.debug.clobberFree = true
    let heap = try Heap(configuration: configuration)
    let root = try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray<Reference<Link>>(m)
        for i in 0..<1_000_000 { try array.append(m.make(Link(key: i, left: nil, right: nil))) }
        array.removeSubrange(1000..<500_000)
        for i in 0..<500 { array.remove(at: i) }
        return m.root(array)
      }
    }
    heap.collect()
    let (count, wrong) = try onOwnThread {
      heap.withMutator { m in
        let array = root.get(m)!
        return (
          array.count,
          array.enumerated().filter { $0.element.key != ($0.offset < 500 ? 2 * $0.offset + 1 : $0.offset + 499_500) }
            .count
        )
      }
    }
    #expect(count == 500_500)
    #expect(wrong == 0)
    try onOwnThread { heap.withMutator { m in root.get(m)!.removeAll() } }
    heap.collect()
    #expect(heap.statistics.liveBytes < 1 << 16)
  }

  @Test("What is removed from an array dies")
  func removed() throws {
    let heap = try Heap.quiet()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray((0..<100).map { try Reference<Link>.make($0, m) }, m)
        return m.root(array)
      }
    }
    heap.collect()
    let all = heap.statistics.liveBytes
    try onOwnThread {
      heap.withMutator { m in
        let array = root.get(m)!
        array.removeLast()
        _ = array.popLast()
        array.remove(at: 3)
        array.removeSubrange(10..<20)
        array.removeAll { $0.key % 2 == 0 }
      }
    }
    try onOwnThread { scrubStack() }
    heap.collect()
    let left = try onOwnThread { heap.withMutator { m in root.get(m)!.count } }
    #expect(left == 43)
    #expect(heap.statistics.liveBytes == all - (100 - left) * 32)
    try onOwnThread { heap.withMutator { m in root.get(m)!.removeAll(keepingCapacity: true) } }
    heap.collect()
    #expect(heap.statistics.liveBytes == all - 100 * 32)
  }

  @Test("Handles of an array are the same array, in payloads and roots too")
  func identity() throws {
    let heap = try Heap.quiet()
    let (inHolder, elements) = try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray([1, 2, 3], m)
        let holder = try m.make(Holder(numbers: array, name: ManagedString("first", m), links: nil))
        try array.append(4)
        try holder.numbers.append(5)
        holder.name = try ManagedString("second", m)
        holder.links = try ManagedArray([Reference<Link>.make(7, m)], m)
        let root = m.root(holder)
        heap.collect()
        let kept = root.get(m)!
        return (
          kept.numbers.asReference == array.asReference && kept.name.description == "second"
            && kept.links![0].key == 7, Array(array)
        )
      }
    }
    #expect(inHolder)
    #expect(elements == [1, 2, 3, 4, 5])
  }

  @Test("Sorting with a predicate that throws moves nothing")
  func throwingSort() throws {
    struct Stop: Error {}
    let heap = try Heap.quiet()
    let elements = try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray([5, 3, 4, 1, 2], m)
        var calls = 0
        do {
          try array.sort { (left, right) in
            calls += 1
            if calls == 4 { throw Stop() }
            return left < right
          }
        } catch is Stop {}
        return Array(array)
      }
    }
    #expect(elements == [5, 3, 4, 1, 2])
  }

  @Test("Appending takes constant time on average: the capacity at least doubles")
  func growth() throws {
    let heap = try Heap.quiet()
    let moves = try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray<Int>(m)
        var moves = 0
        var capacity = 0
        for i in 0..<100_000 {
          try array.append(i)
          if array.capacity != capacity { moves += 1 }
          capacity = array.capacity
        }
        return moves
      }
    }
    #expect(moves <= 17)
  }

  @Test("A capacity that no object can have is an error, and the array is as it was")
  func tooLarge() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let array = try ManagedArray([1, 2, 3], m)
        #expect { try array.reserveCapacity(.max) } throws: { "\($0)".contains("out of managed memory") }
        #expect(throws: OutOfMemory.self) { try array.reserveCapacity(1 << 44) }
        #expect(Array(array) == [1, 2, 3])
      }
    }
  }

  @Test("Wrong indices, ranges and capacities end the program with a message that names them")
  func misuse() async {
    let index = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try ManagedArray([1, 2, 3], m)[3] }
    }
    expect(index, toSay: "index 3 of a collection whose elements are 0 ..< 3")
    let insertion = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in try ManagedArray([1, 2, 3], m).insert(0, at: 5) }
    }
    expect(insertion, toSay: "insertion at 5; allowed is 0 ... 3")
    let range = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in try ManagedArray([1, 2, 3], m).removeSubrange(2..<5) }
    }
    expect(range, toSay: "range 2..<5 of a collection whose elements are 0 ..< 3")
    let empty = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try ManagedArray<Int>(m).removeLast() }
    }
    expect(empty, toSay: "removed from an empty collection")
    let capacity = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try ManagedArray<Int>(minimumCapacity: -1, m) }
    }
    expect(capacity, toSay: "a capacity of -1")
  }
}

/// A payload whose fields are handles.
private struct Holder: Managed {
  static let slot = TypeSlot()
  var numbers: ManagedArray<Int>
  var name: ManagedString
  var links: ManagedArray<Reference<Link>>?
}

/// The same random changes to a managed array and to a Swift array of the numbers in it.
private struct ArrayProgram<Element: Numbered> {
  private var random: SeededRandom
  private var model: [Int] = []
  private let array: ManagedArray<Element>
  private var next = 1

  init(seed: UInt64, _ mutator: Mutator) throws {
    random = SeededRandom(seed: seed)
    array = try ManagedArray(mutator)
  }

  var difference: String? {
    if array.count != model.count { return "count \(array.count), not \(model.count)" }
    if array.capacity < array.count { return "capacity \(array.capacity) for \(array.count)" }
    for (index, number) in model.enumerated() where array[index].number != number {
      return "element \(index) is \(array[index].number), not \(number)"
    }
    return nil
  }

  /// A new element and the number that it can be told by.
  private mutating func element(_ mutator: Mutator) throws -> (Element, Int) {
    next += 1
    let element = try Element.make(next, mutator)
    return (element, element.number)
  }

  private mutating func elements(_ mutator: Mutator) throws -> (ManagedArray<Element>, [Int]) {
    let made = try ManagedArray<Element>(mutator)
    var numbers: [Int] = []
    for _ in 0..<random.below(6) {
      let (element, number) = try element(mutator)
      try made.append(element)
      numbers.append(number)
    }
    return (made, numbers)
  }

  private mutating func range() -> Range<Int> {
    let start = random.below(model.count + 1)
    return start..<start + random.below(model.count - start + 1)
  }

  mutating func step(_ m: Mutator) throws -> String {
    // Mostly short, now and then long enough to move in several pieces.
    if model.count > 300 { return shorten() }
    switch random.below(14) {
    case 0, 1, 2, 3:
      let (element, number) = try element(m)
      try array.append(element)
      model.append(number)
      return "append"
    case 4:
      let (element, number) = try element(m)
      let index = random.below(model.count + 1)
      try array.insert(element, at: index)
      model.insert(number, at: index)
      return "insert at \(index)"
    case 5:
      let (elements, numbers) = try elements(m)
      try array.append(contentsOf: elements)
      model.append(contentsOf: numbers)
      return "append \(numbers.count)"
    case 6:
      let (elements, numbers) = try elements(m)
      let range = range()
      try array.replaceSubrange(range, with: elements)
      model.replaceSubrange(range, with: numbers)
      return "replace \(range) by \(numbers.count)"
    case 7 where model.count < 100:
      try array.append(contentsOf: array)
      model.append(contentsOf: model)
      return "append itself"
    case 8 where !model.isEmpty:
      let (element, number) = try element(m)
      let index = random.below(model.count)
      array[index] = element
      model[index] = number
      return "set \(index)"
    case 9:
      try array.reserveCapacity(random.below(200))
      return "reserve"
    case 10 where !model.isEmpty:
      let (first, second) = (random.below(model.count), random.below(model.count))
      array.swapAt(first, second)
      model.swapAt(first, second)
      return "swap \(first), \(second)"
    case 11:
      array.reverse()
      model.reverse()
      return "reverse"
    case 12:
      array.sort { $0.number < $1.number }
      model.sort()
      return "sort"
    default: return shorten()
    }
  }

  private mutating func shorten() -> String {
    switch random.below(7) {
    case 0 where !model.isEmpty:
      let index = random.below(model.count)
      let same = array.remove(at: index).number == model.remove(at: index)
      return same ? "remove at \(index)" : fail()
    case 1 where !model.isEmpty:
      let same = array.removeLast().number == model.removeLast()
      return same ? "remove last" : fail()
    case 2:
      let same = array.popLast()?.number == model.popLast()
      return same ? "pop last" : fail()
    case 3:
      let range = range()
      array.removeSubrange(range)
      model.removeSubrange(range)
      return "remove \(range)"
    case 4:
      let divisor = 2 + random.below(3)
      array.removeAll { $0.number % divisor == 0 }
      model.removeAll { $0 % divisor == 0 }
      return "remove multiples of \(divisor)"
    case 5 where random.below(4) == 0:
      let keeps = random.below(2) == 0
      array.removeAll(keepingCapacity: keeps)
      model.removeAll(keepingCapacity: keeps)
      return "remove all"
    case 6 where !model.isEmpty:
      let same = array.removeFirst().number == model.removeFirst()
      return same ? "remove first" : fail()
    default: return "nothing"
    }
  }

  /// Makes the next comparison fail: what was removed was not what the model removed.
  private mutating func fail() -> String {
    model.append(-1)
    return "another element removed"
  }
}

/// That the message of a program that ended contains `text`.
func expect(_ result: ExitTest.Result?, toSay text: String) {
  let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  #expect(said.contains(text))
}
