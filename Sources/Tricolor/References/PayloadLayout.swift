// Layouts of payload structs, derived by the standard library's field reflection at a type's first allocation.
//
// `_forEachField` (SPI of the standard library) gives name, offset and type of every stored field; structs and tuples inside are
// entered. A field is plain if it is trivial, a reference slot if its type is a handle (`Reference`, a collection) or an optional one.
// Anything else, an optional struct that holds references, an enum with a payload of a word or more, a class, a closure, is refused
// with its name and the way out, because the collector could not find the references in it. `InlineArray` fields show as unknown
// to reflection and are described by their element type. A type may give its layout by hand instead; the offsets in it are checked.

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
      let lane = lane(of: layout, bytes: roundedToGranules(MemoryLayout<T>.size))
      T.slot.runOffset.store(
        UInt32(MutatorCore.runsOffset + lane * MemoryLayout<Run>.stride), ordering: .releasing)
    }
  }

  /// The lane whose cells are as large as `make` takes them, whatever the kind of layout.
  private static func lane(of layout: Layout, bytes: Int) -> Int {
    do {
      return try LayoutTable.lane(layout: layout, cellBytes: bytes)
    } catch {
      fatalError("tricolor: \(error)")
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
      return try Layout.register(kind(of: type, arrayOf: arrayOf), name: arrayOf ? "[\(type)]" : "\(type)")
    } catch {
      fatalError("tricolor: \(error)")
    }
  }

  /// What is registered for `type`, or for arrays of it.
  static func kind<T: Managed>(of type: T.Type, arrayOf: Bool) throws(LayoutError) -> Layout.Kind {
    try refuseCounted(type)
    guard let byHand = T.layoutByHand else {
      return fixed(type, try referenceOffsets(of: type), arrayOf)
    }
    switch byHand {
    case .fixed(MemoryLayout<T>.size, let references):
      return fixed(type, references, arrayOf)
    case .custom where !arrayOf:
      return byHand
    case .custom:
      throw LayoutError(
        name: "[\(type)]",
        reason: "a type whose references a function finds cannot be the element of an array of payloads; "
          + "use an array of references to such objects")
    default:
      throw LayoutError(
        name: "\(type)",
        reason: "layoutByHand is \(byHand); allowed are .fixed with the type's size of "
          + "\(MemoryLayout<T>.size) bytes, and .custom")
    }
  }

  private static func fixed<T>(_ type: T.Type, _ references: [Int], _ arrayOf: Bool) -> Layout.Kind {
    arrayOf
      ? .elementArray(stride: MemoryLayout<T>.stride, references: references)
      : .fixed(bytes: max(1, MemoryLayout<T>.size), references: references)
  }

  /// The byte offsets of all references in `type`, found by reflection.
  static func referenceOffsets<T>(of type: T.Type) throws(LayoutError) -> [Int] {
    try refuseCounted(type)
    var offsets: [Int] = []
    try collect(type, at: 0, path: "\(type)", into: &offsets)
    return offsets.sorted()
  }

  // MARK: Counted values

  private static func refuseCounted(_ type: Any.Type) throws(LayoutError) {
    if isPlain(type) { return }
    let (path, field) = counted(in: type, path: "\(type)")
    throw LayoutError(
      name: path,
      reason:
        "its type \(field) is a class, closure, string, array or other counted value, which the collector would never "
        + "release; keep such values outside, in a Swift array, and refer to them by an index, or use Bytes, ManagedString and "
        + "ManagedArray")
  }

  /// The innermost field of `type` that is to blame for its being counted.
  private static func counted(in type: Any.Type, path: String) -> (path: String, type: Any.Type) {
    var found: (String, Any.Type)? = nil
    let kind = kind(of: type)
    if kind == .struct || kind == .tuple {
      _ = _forEachField(of: type) { name, _, fieldType, _ in
        if isPlain(fieldType) { return true }
        found = (("\(path).\(String(cString: name))"), fieldType)
        return false
      }
    }
    guard let found, !isOfTheStandardLibrary(type) else { return (path, type) }
    return counted(in: found.1, path: found.0)
  }

  /// Whether the fields of `type` are nobody's business: those of `String` and `Array`.
  private static func isOfTheStandardLibrary(_ type: Any.Type) -> Bool { String(reflecting: type).hasPrefix("Swift.") }

  /// Whether values are copied as bytes, without counting anything.
  private static func isPlain(_ type: Any.Type) -> Bool {
    func open<T>(_: T.Type) -> Bool { _isPOD(T.self) }
    return _openExistential(type, do: open)
  }

  // MARK: References

  private static func collect(
    _ type: Any.Type, at base: Int, path: String, into offsets: inout [Int]
  ) throws(LayoutError) {
    if isHandle(type) {
      guard size(of: type) == 8 else {
        throw LayoutError(
          name: path,
          reason: "the handle \(type) has \(size(of: type)) bytes; allowed is one stored property, a reference, of 8")
      }
      offsets.append(base)
      return
    }
    if let array = type as? any InlineReferences.Type {
      try array.collectElements(at: base) { (element, offset) throws(LayoutError) in
        try collect(element, at: offset, path: "\(path)[]", into: &offsets)
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
    case .enum:
      throw refusal(
        path, "\(type) is an enum whose payload may be a reference",
        "use a plain enum as a tag, and beside it a field for each payload")
    case .unknown, nil:
      throw refusal(path, "reflection does not see into \(type)", "use plain fields")
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
    if !known || count == 0 {
      throw refusal(
        path, "reflection shows no fields of \(type), as of C unions and of modules without reflection metadata",
        "use plain fields")
    }
  }

  private static func refuseReferences(
    inside wrapped: Any.Type, of type: Any.Type, _ path: String
  ) throws(LayoutError) {
    var inside: [Int] = []
    try collect(wrapped, at: 0, path: path, into: &inside)
    if !inside.isEmpty {
      throw refusal(
        path, "\(type) holds references only where it is not nil",
        "use the struct itself, with optional references in it")
    }
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

  private static func isHandle(_ type: Any.Type) -> Bool {
    type is any ManagedHandle.Type || (type as? any AnyOptional.Type)?.wrapped is any ManagedHandle.Type
  }

  private static func refusal(_ path: String, _ what: String, _ wayOut: String) -> LayoutError {
    LayoutError(
      name: path, reason: "the references in it cannot be found: \(what); \(wayOut), or give the type's layoutByHand")
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
