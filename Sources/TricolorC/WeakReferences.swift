// Weak references, disappearing links, and ephemerons with their chains.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

@c @implementation
public func tricolor_weak_create(_ mutator: OpaquePointer?, _ object: UnsafeRawPointer?) -> OpaquePointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let object = try requireObject(object, "object", of: mutator)
    return OpaquePointer(
      try allocating { () throws(AllocationFailure) in
        let weak = try mutator.makeWeak(object)
        EmbeddedObject.keep(object)
        return weak
      })
  }
}

@c @implementation
public func tricolor_weak_get_slowly(_ weak: OpaquePointer?) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    guard let weak = weak.map({ UnsafeRawPointer($0) }) else { return nil }
    guard EmbeddedWeak.isOne(UInt(bitPattern: weak)) else {
      throw .argument("weak", is: hexadecimal(weak), allowed: "it must be one that tricolor_weak_create made")
    }
    return UnsafeMutableRawPointer(bitPattern: EmbeddedWeak.load(UInt(bitPattern: weak)))
  }
}

@c @implementation
public func tricolor_ephemeron_create(
  _ mutator: OpaquePointer?, _ key: UnsafeRawPointer?, _ value: UnsafeRawPointer?
) -> UnsafeMutablePointer<tricolor_ephemeron>? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let key = try requireObjectOrNull(key, "key", of: mutator)
    let value = key == 0 ? 0 : try requireObjectOrNull(value, "value", of: mutator)
    let made = try allocating { () throws(AllocationFailure) in
      let ephemeron = try mutator.makeEphemeron(key: key, value: value)
      EmbeddedObject.keep(key)
      EmbeddedObject.keep(value)
      return ephemeron
    }
    return made.assumingMemoryBound(to: tricolor_ephemeron.self)
  }
}

private func requireEphemeron(_ ephemeron: UnsafePointer<tricolor_ephemeron>?) throws(Failure) -> UInt {
  let ephemeron = UnsafeRawPointer(try require(ephemeron, "ephemeron"))
  guard EmbeddedEphemeron.isOne(UInt(bitPattern: ephemeron)) else {
    throw .argument(
      "ephemeron", is: hexadecimal(ephemeron), allowed: "it must be one that tricolor_ephemeron_create made")
  }
  return UInt(bitPattern: ephemeron)
}

@c @implementation
public func tricolor_ephemeron_fill(
  _ mutator: OpaquePointer?, _ ephemeron: UnsafeMutablePointer<tricolor_ephemeron>?, _ key: UnsafeRawPointer?,
  _ value: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let ephemeron = try requireEphemeron(ephemeron)
    let key = try requireObject(key, "key", of: mutator)
    let value = try requireObjectOrNull(value, "value", of: mutator)
    guard EmbeddedEphemeron.fill(ephemeron, key: key, value: value) else {
      throw .state("the ephemeron has a key that is alive; kill it first")
    }
  }
}

@c @implementation
public func tricolor_ephemeron_key(_ ephemeron: UnsafePointer<tricolor_ephemeron>?) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    UnsafeMutableRawPointer(bitPattern: EmbeddedEphemeron.key(try requireEphemeron(ephemeron)))
  }
}

@c @implementation
public func tricolor_ephemeron_value(_ ephemeron: UnsafePointer<tricolor_ephemeron>?) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    UnsafeMutableRawPointer(bitPattern: EmbeddedEphemeron.value(try requireEphemeron(ephemeron)))
  }
}

@c @implementation
public func tricolor_ephemeron_set_value(
  _ ephemeron: UnsafeMutablePointer<tricolor_ephemeron>?, _ value: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let ephemeron = try requireEphemeron(ephemeron)
    if let value, EmbeddedObject.bytes(at: UInt(bitPattern: value)) == nil {
      throw .argument(
        "value", is: hexadecimal(value), allowed: "it must be the address of an object of a heap, or NULL")
    }
    EmbeddedEphemeron.setValue(ephemeron, UInt(bitPattern: value))
  }
}

@c @implementation
public func tricolor_ephemeron_kill(_ ephemeron: UnsafeMutablePointer<tricolor_ephemeron>?) -> CInt {
  answer { () throws(Failure) in EmbeddedEphemeron.kill(try requireEphemeron(ephemeron)) }
}

@c @implementation
public func tricolor_ephemeron_push(
  _ chain: UnsafeMutablePointer<UnsafeMutablePointer<tricolor_ephemeron>?>?,
  _ ephemeron: UnsafeMutablePointer<tricolor_ephemeron>?
) -> CInt {
  answer { () throws(Failure) in
    let chain = try requireSlot(chain, "chain")
    EmbeddedEphemeron.push(try requireEphemeron(ephemeron), on: chain)
  }
}

@c @implementation
public func tricolor_ephemeron_first(
  _ chain: UnsafeMutablePointer<UnsafeMutablePointer<tricolor_ephemeron>?>?
) -> UnsafeMutablePointer<tricolor_ephemeron>? {
  answer { () throws(Failure) in
    let chain = try requireSlot(chain, "chain")
    return UnsafeMutablePointer(bitPattern: EmbeddedEphemeron.firstAlive(from: chain))
  }
}

@c @implementation
public func tricolor_ephemeron_next(
  _ ephemeron: UnsafeMutablePointer<tricolor_ephemeron>?
) -> UnsafeMutablePointer<tricolor_ephemeron>? {
  answer { () throws(Failure) in
    UnsafeMutablePointer(bitPattern: EmbeddedEphemeron.next(try requireEphemeron(ephemeron)))
  }
}

@c @implementation
public func tricolor_link_add(
  _ mutator: OpaquePointer?, _ link: UnsafeMutableRawPointer?, _ object: UnsafeRawPointer?, _ isLong: CInt
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let link = try requireSlot(link, "link")
    let object = try requireObject(object, "object", of: mutator)
    guard mutator.addLink(link, object: object, isLong: isLong != 0) else { throw .state("the word is a link already") }
  }
}

@c @implementation
public func tricolor_link_remove(_ heap: OpaquePointer?, _ link: UnsafeMutableRawPointer?) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let link = try requireSlot(link, "link")
    if !heap.removeLink(link) { throw .notFound(nil) }
  }
}
