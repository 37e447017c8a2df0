// Layouts: references are found wherever a payload has them, and payloads whose references cannot be found are refused by name.

import Testing
@_spi(Testing) import Tricolor

@Suite("Layouts")
struct LayoutTests {
  // MARK: Offsets

  @Test("References are found in fields, nested structs, tuples and inline arrays, wherever they lie")
  func offsets() throws {
    #expect(try Heap.referenceOffsets(of: Link.self) == [8, 16])
    #expect(try Heap.referenceOffsets(of: Nested.self) == [8, 24, 32, 48, 64])
    #expect(try Heap.referenceOffsets(of: Row.self) == Array(stride(from: 0, through: 72, by: 8)))
    #expect(try Heap.referenceOffsets(of: Sparse.self) == [0, 800])
    #expect(try Heap.referenceOffsets(of: Pairs.self) == [8, 24, 40])
    #expect(try Heap.referenceOffsets(of: Mandatory.self) == [0, 8])
  }

  @Test("Plain fields of every sort hold no references")
  func plain() throws {
    #expect(try Heap.referenceOffsets(of: Plain.self) == [])
  }

  @Test("A payload with a class, a closure, a string or an array is refused, with the field's name and the way out")
  func counted() {
    #expect { try Heap.referenceOffsets(of: WithClass.self) } throws: { refuses($0, "WithClass.object", "by an index") }
    #expect { try Heap.referenceOffsets(of: WithClosure.self) } throws: {
      refuses($0, "WithClosure.body", "by an index")
    }
    #expect { try Heap.referenceOffsets(of: WithString.self) } throws: {
      refuses($0, "WithString.text", "ManagedString")
    }
    #expect { try Heap.referenceOffsets(of: WithDeepArray.self) } throws: {
      refuses($0, "WithDeepArray.outer.names", "ManagedArray")
    }
  }

  @Test("A field whose references cannot be found is refused, with its name and the way out")
  func opaque() {
    #expect { try Heap.referenceOffsets(of: WithOptionalStruct.self) } throws: {
      refuses($0, "WithOptionalStruct.second", "optional references in it")
    }
    #expect { try Heap.referenceOffsets(of: WithPayloadEnum.self) } throws: {
      refuses($0, "WithPayloadEnum.either", "a plain enum as a tag")
    }
    #expect { try Heap.referenceOffsets(of: WithDeepEnum.self) } throws: {
      refuses($0, "WithDeepEnum.outer.either", "layoutByHand")
    }
    #expect { try Heap.referenceOffsets(of: WithEnumArray.self) } throws: {
      refuses($0, "WithEnumArray.row[]", "a plain enum as a tag")
    }
    #expect { try Heap.referenceOffsets(of: WithUnion.self) } throws: { refuses($0, "WithUnion.union", "plain fields") }
    #expect { try Heap.referenceOffsets(of: WithWideHandle.self) } throws: {
      refuses($0, "WithWideHandle.handle", "has 16 bytes")
    }
  }

  private func refuses(_ error: any Error, _ name: String, _ wayOut: String) -> Bool {
    guard let error = error as? LayoutError else { return false }
    return error.name.hasSuffix(name) && "\(error)".contains(name) && error.reason.contains(wayOut)
  }

  @Test("Collections, strings and handles of a program are references, optional or not")
  func handles() throws {
    #expect(try Heap.referenceOffsets(of: WithHandles.self) == [8, 16, 24, 32])
  }

  // MARK: By hand

  @Test("A type that describes itself by hand is traced as it says, and asked once")
  func describedByHand() throws {
    try expectSurvival { m in
      try m.make(Tagged(content: .link(link(m, 1)), after: link(m, 2)))
    } read: { (tagged: Reference<Tagged>) -> [Int?] in
      guard case .link(let first) = tagged.address.assumingMemoryBound(to: Tagged.self).pointee.content else {
        return []
      }
      return [first.key, tagged.after?.key]
    }
    try expectSurvival { m in
      try m.make(Chosen(content: .init(number: 5, link: link(m, 1)), after: link(m, 2)))
    } read: { (chosen: Reference<Chosen>) -> [Int?] in
      [chosen.address.assumingMemoryBound(to: Chosen.self).pointee.content!.link?.key, chosen.after?.key]
    }
    try expectSurvival { m in
      let array = try m.makeElements(of: Chosen.self, count: 2)
      array[0].after = try link(m, 1)
      array[1].after = try link(m, 2)
      return array
    } read: { (array: Reference<ElementArray<Chosen>>) -> [Int?] in
      [array[0].after?.key, array[1].after?.key]
    }
    // For objects and for arrays.
    #expect(Chosen.asked.withLock { $0 } == 2)
  }

  // MARK: Fields

  @Test("Fields that are not optional, constants and computed properties are reached through a reference")
  func fields() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let fields = try m.make(Fields(identity: 7, required: link(m, 1), fixed: link(m, 2), none: nil))
        heap.collect()
        #expect((fields.identity, fields.required.key, fields.fixed.key) == (7, 1, 2))
        #expect(fields.none == nil)
        fields.required = try link(m, 3)
        heap.collect()
        #expect(fields.required.key == 3)
        #expect(fields.double == 14)
        #expect(fields.first == fields.required)
        #expect(fields.any == fields.required)
      }
    }
  }

  @Test("Layouts registered by hand are checked, and the message names what is wrong")
  func byHand() throws {
    #expect { try Layout.register(.fixed(bytes: 0, references: []), name: "empty") } throws: {
      "\($0)".contains("size 0")
    }
    #expect { try Layout.register(.fixed(bytes: 16, references: [12]), name: "odd") } throws: {
      "\($0)".contains("offset 12")
    }
    #expect { try Layout.register(.fixed(bytes: 16, references: [16]), name: "after") } throws: {
      "\($0)".contains("offset 16")
    }
    #expect { try Layout.register(.elementArray(stride: 8, references: [-8]), name: "before") } throws: {
      "\($0)".contains("offset -8")
    }
    #expect { try Layout.register(.elementArray(stride: 20, references: [8]), name: "uneven") } throws: {
      "\($0)".contains("stride 20")
    }
  }

  @Test("Threads that make the first object of a type at the same time register it once")
  func firstUse() throws {
    let heap = try Heap.quiet()
    let before = Heap.laneCount
    let go = Shared(false)
    try runThreads(8) { _ in
      while !go.withLock({
        let value = $0
        $0 = true
        return value
      }) {}
      try heap.withMutator { m in
        _ = try m.make(Fresh(value: 1, next: nil))
        _ = try m.makeElements(of: Fresh.self, count: 3)
      }
    }
    // Other tests make lanes meanwhile; eight registrations would make sixteen more.
    #expect(Heap.laneCount - before < 16)
  }

  // MARK: Tracing

  @Test("References in nested structs and tuples keep their objects")
  func nested() throws {
    try expectSurvival { m in
      let nested = try m.make(
        Nested(
          number: 1, first: nil, inner: .init(number: 2, link: nil, last: nil), pair: (5, nil), flag: true, end: nil))
      nested.first = try link(m, 1)
      nested[dynamicMember: \.inner.link] = try link(m, 2)
      nested[dynamicMember: \.inner.last] = try link(m, 3)
      nested[dynamicMember: \.pair.1] = try link(m, 4)
      nested.end = try link(m, 5)
      return nested
    } read: { (nested: Reference<Nested>) -> [Int?] in
      var links: [Reference<Link>?] = [nested.first, nested[dynamicMember: \.inner.link]]
      links += [nested[dynamicMember: \.inner.last], nested[dynamicMember: \.pair.1], nested.end]
      return links.map { $0?.key }
    }
  }

  @Test("A row of references from the first to the last word keeps its objects")
  func row() throws {
    try expectSurvival { m in
      let row = try m.make(Row(links: .init(repeating: nil), last: link(m, 10)))
      for i in 0..<9 { row.links[i] = try link(m, i + 1) }
      return row
    } read: { (row: Reference<Row>) -> [Int?] in
      (0..<9).map { row.links[$0]?.key } + [row.last?.key]
    }
  }

  @Test("References beyond the words that a scan word's bitmap covers keep their objects")
  func sparse() throws {
    try expectSurvival { m in
      try m.make(Sparse(first: link(m, 1), gap: .init(repeating: 7), last: link(m, 2)))
    } read: { (sparse: Reference<Sparse>) -> [Int?] in
      [sparse.first?.key, sparse.last?.key]
    }
  }

  @Test("Hundreds of references in one payload keep their objects")
  func crowd() throws {
    try expectSurvival { m in
      let crowd = try m.make(Crowd(links: .init(repeating: nil)))
      for i in 0..<300 { crowd.links[i] = try link(m, i + 1) }
      return crowd
    } read: { (crowd: Reference<Crowd>) -> [Int?] in
      (0..<300).map { crowd.links[$0]?.key }
    }
  }

  @Test("A payload that needs blocks of its own keeps its objects")
  func large() throws {
    try expectSurvival { m in
      try m.make(Vast(first: link(m, 1), gap: .init(repeating: 7), last: link(m, 2)))
    } read: { (vast: Reference<Vast>) -> [Int?] in
      [vast.first?.key, vast.last?.key]
    }
  }

  @Test("References in the elements of an array keep their objects", arguments: [4, 10, 600, 3000, 30_000])
  func elements(count: Int) throws {
    let places = [0, 1, count / 2, count - 1]
    try expectSurvival { m in
      let array = try m.makeElements(of: Nested.self, count: count)
      for (key, i) in places.enumerated() {
        array[i].first = try link(m, key + 1)
        array[i].end = array[i].first
      }
      return array
    } read: { (array: Reference<ElementArray<Nested>>) -> [Int?] in
      places.map { i in array[i].first == array[i].end ? array[i].first?.key : nil }
    }
  }

  @Test("A custom layout's references are those its trace function reports")
  func custom() throws {
    let layout = try Layout.register(.custom(trace: traceMasked), name: "masked")
    for bytes in [64, 40_000] {
      try expectSurvival { (m: Mutator) -> Reference<Masked> in
        let (first, last) = (try link(m, 1), try link(m, 2))
        let object = try m.allocate(layout, bytes: bytes).assumingMemoryBound(to: UInt.self)
        object[0] = UInt(bitPattern: first.address) ^ mask
        object[bytes / 8 - 1] = UInt(bitPattern: last.address) ^ mask
        return Reference<Masked>(unsafeAddress: object)
      } read: { (object: Reference<Masked>) -> [Int?] in
        let words = object.address.assumingMemoryBound(to: UInt.self)
        return [words[0], words[bytes / 8 - 1]].map { word in
          Reference<Link>(unsafeAddress: UnsafeMutableRawPointer(bitPattern: word ^ mask)!).key
        }
      }
    }
  }

  @Test("Objects of layouts registered by hand keep what their offsets refer to")
  func handMade() throws {
    let fixed = try Layout.register(.fixed(bytes: 40, references: [32, 8]), name: "by hand")
    let array = try Layout.register(.elementArray(stride: 24, references: [16]), name: "array by hand")
    let lastSlot = 16 + 24 * 9 + 16
    try expectSurvival { (m: Mutator) -> Reference<Masked> in
      let (first, second) = (try link(m, 1), try link(m, 2))
      let elements = try m.allocate(array, bytes: 16 + 24 * 10)
      elements.storeBytes(of: 10, as: Int.self)
      elements.storeBytes(of: UInt(bitPattern: second.address), toByteOffset: lastSlot, as: UInt.self)
      let object = try m.allocate(fixed, bytes: 40)
      object.storeBytes(of: UInt(bitPattern: first.address), toByteOffset: 8, as: UInt.self)
      object.storeBytes(of: UInt(bitPattern: elements), toByteOffset: 32, as: UInt.self)
      return Reference(unsafeAddress: object)
    } read: { (object: Reference<Masked>) -> [Int?] in
      let elements = object.address.load(fromByteOffset: 32, as: UnsafeMutableRawPointer.self)
      let first = object.address.load(fromByteOffset: 8, as: UnsafeMutableRawPointer.self)
      let second = elements.load(fromByteOffset: lastSlot, as: UnsafeMutableRawPointer.self)
      return [first, second].map { Reference<Link>(unsafeAddress: $0).key }
    }
  }

  /// Makes an object on one thread, lets two cycles pass while only a root refers to it, and reads the keys of what it refers to,
  /// which must be 1, 2, …
  private func expectSurvival<Target: ManagedObject & SendableMetatype>(
    _ make: @escaping @Sendable (Mutator) throws -> Reference<Target>,
    read: @escaping @Sendable (Reference<Target>) -> [Int?]
  ) throws {
    let heap = try Heap.quiet()
    let root = try onOwnThread { try heap.withMutator { m in m.root(try make(m)) } }
    heap.collect()
    heap.collect()
    let keys = try onOwnThread { heap.withMutator { m in read(root.get(m)!) } }
    #expect(keys == Array(1...keys.count))
  }
}

private func link(_ m: Mutator, _ key: Int) throws -> Reference<Link> {
  try m.make(Link(key: key, left: nil, right: nil))
}

private struct Fields: Managed {
  static let slot = TypeSlot()
  let identity: Int
  var required: Reference<Link>
  let fixed: Reference<Link>
  let none: Reference<Link>?
  var double: Int { 2 * identity }
  var first: Reference<Link> { required }
  var any: Reference<Link>? { none ?? required }
}

private let mask: UInt = 0x5555_0000_0000_5550

/// What layouts registered by hand describe.
private enum Masked: ManagedObject {}

private let traceMasked: TraceFunction = { object, bytes, visit, context in
  let words = object.assumingMemoryBound(to: UInt.self)
  for word in [words[0], words[bytes / 8 - 1]] where word != 0 { visit(context, word ^ mask) }
}
