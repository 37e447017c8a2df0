// Layouts of payload structs, derived by the standard library's field reflection at a type's first allocation.
//
// `_forEachField` (SPI of the standard library) gives name, offset and type of every stored field; structs and tuples inside are
// entered. A field is plain if it is trivial, a reference slot if its type is `Reference` or an optional one; anything else, an
// optional struct that holds references, an enum with a payload of a word or more, a class, a closure, is refused with its name,
// because the collector could not find the references in it. `InlineArray` fields show as unknown to reflection and are described
// by their element type.

@_spi(Reflection) import Swift
import Synchronization

enum PayloadLayout {
  /// One registration at a time: two threads that meet a type for the first time give it one layout.
  private static let registration = Mutex<Void>(())

  /// Finds the fields of `type`, registers its layout and lane, and fills in its slot. Fatal, with the field's name, when the
  /// type cannot live on the managed heap: no program that allocates it is right.
  static func register<T: Managed>(_ type: T.Type) {
    registration.withLock { _ in
      if T.slot.runOffset.load(ordering: .relaxed) != 0 { return }
      let layout = layout(of: type, arrayOf: false)
      let lane = LayoutTable.lane(of: layout, bytes: MemoryLayout<T>.size)
      T.slot.runOffset.store(
        UInt32(MutatorCore.runsOffset + lane * MemoryLayout<Run>.stride), ordering: .releasing)
    }
  }

  static func elementArray<T: Managed>(of type: T.Type) -> Layout {
    if T.slot.arrayLayout.load(ordering: .acquiring) == 0 {
      registration.withLock { _ in
        if T.slot.arrayLayout.load(ordering: .relaxed) != 0 { return }
        T.slot.arrayLayout.store(layout(of: type, arrayOf: true).index + 1, ordering: .releasing)
      }
    }
    return Layout(index: T.slot.arrayLayout.load(ordering: .relaxed) - 1)
  }

  private static func layout<T: Managed>(of type: T.Type, arrayOf: Bool) -> Layout {
    do {
      guard MemoryLayout<T>.alignment <= Geometry.granule else {
        throw LayoutError(name: "\(type)", reason: "alignment \(MemoryLayout<T>.alignment) exceeds \(Geometry.granule)")
      }
      let references = try referenceOffsets(of: type)
      let kind: Layout.Kind =
        arrayOf
        ? .elementArray(stride: MemoryLayout<T>.stride, references: references)
        : .fixed(bytes: max(1, MemoryLayout<T>.size), references: references)
      return try Layout.register(kind, name: arrayOf ? "[\(type)]" : "\(type)")
    } catch {
      fatalError("tricolor: \(error)")
    }
  }

  /// The byte offsets of all references in `type`.
  static func referenceOffsets<T>(of type: T.Type) throws(LayoutError) -> [Int] {
    guard _isPOD(type) else {
      throw LayoutError(
        name: "\(type)",
        reason: "it holds a class, closure or other counted value, which the collector would never release; "
          + "keep such values outside and refer to them by an index")
    }
    var offsets: [Int] = []
    try collect(type, at: 0, path: "\(type)", into: &offsets)
    return offsets.sorted()
  }

  private static func collect(
    _ type: Any.Type, at base: Int, path: String, into offsets: inout [Int]
  ) throws(LayoutError) {
    if type is any AnyReference.Type {
      offsets.append(base)
      return
    }
    if let array = type as? any InlineReferences.Type {
      try array.collectElements(at: base) { (element, offset) throws(LayoutError) in
        try collect(element, at: offset, path: path, into: &offsets)
      }
      return
    }
    if let optional = type as? any AnyOptional.Type {
      try refuseReferences(inside: optional.wrapped, of: type, path)
      return
    }
    // Too small for a reference.
    if size(of: type) < 8 { return }
    switch kind(of: type) {
    case .struct, .tuple: try collectFields(of: type, at: base, path: path, into: &offsets)
    // What is behind a payload's tag shows in no reflection; nor does what the runtime knows no kind for.
    case .enum, .unknown, nil: throw refusal(type, path)
    // Machine words, function pointers, types, unmanaged objects: trivial, and no place for a reference.
    default: break
    }
  }

  private static func collectFields(
    of type: Any.Type, at base: Int, path: String, into offsets: inout [Int]
  ) throws(LayoutError) {
    var failure: LayoutError? = nil
    var count = 0
    let known = _forEachField(of: type) { name, offset, fieldType, kind in
      count += 1
      do throws(LayoutError) {
        if kind != .opaque {
          try collect(fieldType, at: base + offset, path: "\(path).\(String(cString: name))", into: &offsets)
        }
        return true
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    // A module compiled without reflection metadata shows no fields.
    if !known || count == 0 { throw refusal(type, path) }
  }

  private static func refuseReferences(
    inside wrapped: Any.Type, of type: Any.Type, _ path: String
  ) throws(LayoutError) {
    var inside: [Int] = []
    try collect(wrapped, at: 0, path: path, into: &inside)
    if !inside.isEmpty { throw refusal(type, path) }
  }

  /// The kind of `type`, by reflection on a struct that has one field of it.
  private static func kind(of type: Any.Type) -> _MetadataKind? {
    func open<T>(_: T.Type) -> _MetadataKind? {
      var found: _MetadataKind? = nil
      _ = _forEachField(of: OneField<T>.self) { _, _, _, kind in
        found = kind
        return false
      }
      return found
    }
    return _openExistential(type, do: open)
  }

  private static func size(of type: Any.Type) -> Int {
    func open<T>(_: T.Type) -> Int { MemoryLayout<T>.size }
    return _openExistential(type, do: open)
  }

  private static func refusal(_ type: Any.Type, _ path: String) -> LayoutError {
    LayoutError(
      name: path,
      reason:
        "the references in a value of type \(type) cannot be found: use plain fields, Reference, or InlineArray of references"
    )
  }
}

/// A struct to ask the runtime about the type of its field.
private struct OneField<Value> {
  var value: Value
}

/// Optionals, to look at what they wrap.
private protocol AnyOptional {
  static var wrapped: Any.Type { get }
}

extension Optional: AnyOptional {
  static var wrapped: Any.Type { Wrapped.self }
}

/// Inline arrays, which reflection does not see into.
private protocol InlineReferences {
  static func collectElements(
    at base: Int, _ body: (Any.Type, Int) throws(LayoutError) -> Void
  ) throws(LayoutError)
}

extension InlineArray: InlineReferences {
  static func collectElements(
    at base: Int, _ body: (Any.Type, Int) throws(LayoutError) -> Void
  ) throws(LayoutError) {
    for index in 0..<count { try body(Element.self, base + index * MemoryLayout<Element>.stride) }
  }
}
