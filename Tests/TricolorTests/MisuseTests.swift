// What a program does wrong ends it with a message that names the value. Each case runs in a process of its own.

import Testing
@_spi(Testing) import Tricolor

@Suite("Misuse")
struct MisuseTests {
  @Test("A payload the collector cannot describe ends the program at its first allocation, with the field's name")
  func undescribable() async {
    let counted = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.make(WithClass(number: 1, object: Counted())) }
    }
    expect(counted, toSay: "layout of WithClass.object: its type Counted is a class")
    let payload = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.make(WithPayloadEnum(either: .number(1))) }
    }
    expect(payload, toSay: "layout of WithPayloadEnum.either")
    let element = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeElements(of: WithOptionalStruct.self, count: 1) }
    }
    expect(element, toSay: "layout of WithOptionalStruct.second")
    let wrongSize = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.make(WrongSize(number: 1)) }
    }
    expect(wrongSize, toSay: "allowed are .fixed with the type's size of 8 bytes, and .custom")
    let custom = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeElements(of: Tagged.self, count: 3) }
    }
    expect(custom, toSay: "layout of [Tagged]: a type whose references a function finds cannot be the element")
  }

  @Test("A reference that is not optional is not read where none was stored")
  func missingReference() async {
    let missing = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeElements(of: Mandatory.self, count: 3)[1].one }
    }
    expect(missing, toSay: "a reference that is not optional was read before one was stored")
  }

  @Test("A collection is changed only by a thread that is inside its heap")
  func collectionOutside() async {
    let outside = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let heap = try Heap.quiet()
      let hidden = try heap.withMutator { m in
        UInt(bitPattern: try ManagedArray<Int>(m).asReference.address)
      }
      try ManagedArray<Int>(Reference(unsafeAddress: UnsafeMutableRawPointer(bitPattern: hidden)!)).append(1)
    }
    expect(outside, toSay: "by a thread that is not inside withMutator of its heap")
  }

  @Test("What is no stored field is refused: a computed property, and in generic code a protocol's requirement")
  func computedFields() async {
    let computed = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in try m.make(Flagged(bits: 0)).isFirstSet = true }
    }
    expect(computed, toSay: "is no stored field")
    let requirement = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = bits(of: try m.make(Flagged(bits: 7))) }
    }
    expect(requirement, toSay: "is no stored field")
  }

  @Test("Counts and sizes that no object can have are refused")
  func counts() async {
    let bytes = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeBytes(count: -1) }
    }
    expect(bytes, toSay: "an object of -1 elements")
    let array = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeArray(of: Link.self, count: .max) }
    }
    expect(array, toSay: "an object of 9223372036854775807 elements")
    let elements = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try Heap.quiet().withMutator { m in _ = try m.makeElements(of: Link.self, count: -2) }
    }
    expect(elements, toSay: "an object of -2 elements")
    let fixed = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let layout = try Layout.register(.fixed(bytes: 24, references: [8]), name: "fixed")
      try Heap.quiet().withMutator { m in _ = try m.allocate(layout, bytes: 64) }
    }
    expect(fixed, toSay: "64 bytes of a layout whose objects have 24")
  }

  @Test("An index outside an array, its slots or its bytes traps")
  func indices() async {
    await #expect(processExitsWith: .failure) {
      try Heap.quiet().withMutator { m in _ = try m.makeArray(of: Link.self, count: 3)[3] }
    }
    await #expect(processExitsWith: .failure) {
      try Heap.quiet().withMutator { m in try m.makeArray(of: Link.self, count: 3)[-1] = nil }
    }
    await #expect(processExitsWith: .failure) {
      try Heap.quiet().withMutator { m in try m.makeBytes(count: 8)[8] = 1 }
    }
    await #expect(processExitsWith: .failure) {
      try Heap.quiet().withMutator { m in _ = try m.makeElements(of: Link.self, count: 3)[3].key }
    }
    await #expect(processExitsWith: .failure) {
      try Heap.quiet().withMutator { m in
        let row = try m.make(Row(links: .init(repeating: nil), last: nil))
        row.links[Int(row.links.indices.upperBound)] = nil
      }
    }
  }

  @Test("A root is of one heap")
  func foreignRoot() async {
    await #expect(processExitsWith: .failure) {
      let (first, second) = (try Heap.quiet(), try Heap.quiet())
      let root = try first.makeChain(1)
      second.withMutator { m in _ = root.get(m) }
    }
  }

  @Test("Entering a heap in a blocking region of the same heap is refused")
  func enterWhileBlocking() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let heap = try Heap.quiet()
      heap.withMutator { m in m.blocking { heap.withMutator { _ in } } }
    }
    expect(result, toSay: "withMutator in a blocking region of the same heap")
  }

  private func expect(_ result: ExitTest.Result?, toSay text: String) {
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains(text))
  }
}

private protocol HasBits: Managed {
  var bits: UInt64 { get set }
}

private struct Flagged: HasBits {
  static let slot = TypeSlot()
  var bits: UInt64
  var isFirstSet: Bool {
    get { bits & 1 != 0 }
    set { bits = bits & ~1 | (newValue ? 1 : 0) }
  }
}

@inline(never) private func bits<T: HasBits>(of object: Reference<T>) -> UInt64 { object.bits }
