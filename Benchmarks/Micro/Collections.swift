// What the managed collections cost, beside the standard library's doing the same in native memory. No cycle runs meanwhile.

import CTricolorShims
import Tricolor

enum Collections {
  private static let size = 1000

  static func run(_ session: Session) throws -> [Figure] {
    let heap = try Heap.uncollected()
    return try heap.withMutator { mutator in
      let array = try ManagedArray(0..<size, mutator)
      let native = Array(0..<size)
      let dictionary = try ManagedDictionary(uniqueKeysWithValues: (0..<size).map { ($0, $0) }, mutator)
      let nativeDictionary = Dictionary(uniqueKeysWithValues: (0..<size).map { ($0, $0) })
      let references = try ManagedArray(repeating: mutator.make(Sample32(7)), count: size, mutator)
      let object = try mutator.make(Sample32(7))
      let channel = try ManagedChannel<Reference<Sample32>>(capacity: 8, mutator)
      let count = 1 << 17
      var sum = 0
      func sums(_ body: @escaping (Int) -> Int) -> (Int) -> Void { { sum = body($0) } }
      func isSum(_ count: Int) -> Bool { sum == (0..<count).reduce(0) { $0 + $1 % size } }
      return try session.measure(
        "collections",
        [
          Operation(name: "loop", loop: "loop", count: count, body: countUp),
          Operation(
            name: "array-get", loop: "loop", count: count, body: sums { sumOf(array, $0) }, check: isSum),
          Operation(
            name: "native-array-get", loop: "loop", count: count, body: sums { sumOf(native, $0) }, check: isSum),
          Operation(
            name: "array-set-reference", loop: "loop", count: count, body: { set(object, in: references, $0) }),
          Operation(name: "array-append", loop: "loop", count: count, body: { try append($0, mutator) }),
          Operation(name: "native-array-append", loop: "loop", count: count, body: appendNatively),
          Operation(
            name: "dictionary-find", loop: "loop", count: count, body: sums { sumOf(dictionary, $0) }, check: isSum),
          Operation(
            name: "native-dictionary-find", loop: "loop", count: count, body: sums { sumOf(nativeDictionary, $0) },
            check: isSum),
          Operation(
            name: "dictionary-update", loop: "loop", count: count, body: { try update(dictionary, $0) }),
          Operation(
            name: "unique-root-make-get-drop", loop: "loop", count: count, body: { rootUniquely(object, mutator, $0) },
            check: { _ in heap.statistics.roots == 1 }),
          Operation(
            name: "channel-send-receive", loop: "loop", count: count,
            body: { try sendAndReceive(object, channel, mutator, $0) }, check: { _ in channel.count == 0 }),
        ])
    }
  }

  @inline(never) private static func sumOf(_ array: ManagedArray<Int>, _ count: Int) -> Int {
    var sum = 0
    for number in 0..<count { sum += array[number % size] }
    return sum
  }

  @inline(never) private static func sumOf(_ array: [Int], _ count: Int) -> Int {
    var sum = 0
    for number in 0..<count { sum += array[number % size] }
    return sum
  }

  @inline(never) private static func sumOf(_ dictionary: ManagedDictionary<Int, Int>, _ count: Int) -> Int {
    var sum = 0
    for number in 0..<count { sum += dictionary[number % size]! }
    return sum
  }

  @inline(never) private static func sumOf(_ dictionary: [Int: Int], _ count: Int) -> Int {
    var sum = 0
    for number in 0..<count { sum += dictionary[number % size]! }
    return sum
  }

  @inline(never) private static func set(
    _ object: Reference<Sample32>, in array: ManagedArray<Reference<Sample32>>, _ count: Int
  ) {
    for number in 0..<count { array[number % size] = object }
  }

  @inline(never) private static func append(_ count: Int, _ mutator: Mutator) throws {
    let array = try ManagedArray<Int>(mutator)
    for number in 0..<count { try array.append(number) }
    tricolor_keep(UInt(bitPattern: array.asReference.address))
  }

  @inline(never) private static func appendNatively(_ count: Int) {
    var array: [Int] = []
    for number in 0..<count { array.append(number) }
    array.withUnsafeBytes { tricolor_keep(UInt(bitPattern: $0.baseAddress)) }
  }

  @inline(never) private static func update(_ dictionary: ManagedDictionary<Int, Int>, _ count: Int) throws {
    for number in 0..<count { try dictionary.updateValue(number % size, forKey: number % size) }
  }

  @inline(never) private static func rootUniquely(_ object: Reference<Sample32>, _ mutator: Mutator, _ count: Int) {
    for _ in 0..<count { tricolor_keep(UInt(mutator.uniqueRoot(object).get(mutator)!.number)) }
  }

  @inline(never) private static func sendAndReceive(
    _ object: Reference<Sample32>, _ channel: ManagedChannel<Reference<Sample32>>, _ mutator: Mutator, _ count: Int
  ) throws {
    for _ in 0..<count {
      try channel.send(object, mutator)
      tricolor_keep(UInt(channel.receive(mutator)!.number))
    }
  }
}
