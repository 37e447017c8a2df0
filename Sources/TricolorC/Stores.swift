// The parts of stores that tricolor.h does not have inline.
//
// Whether a slot lies in an object or a root range is not asked: that would cost more than the barrier. A slot elsewhere is recorded all
// the same, which is harmless.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

@c @implementation
public func tricolor_store_slowly(_ slot: UnsafeMutableRawPointer?, _ value: UnsafeRawPointer?) -> CInt {
  answer { () throws(Failure) in
    let slot = try requireSlot(slot, "slot")
    EmbeddedStore.note(slot: slot, old: EmbeddedStore.load(slot), new: UInt(bitPattern: value))
  }
}

@c @implementation
public func tricolor_exchanged_slowly(
  _ slot: UnsafeMutableRawPointer?, _ old: UnsafeRawPointer?, _ value: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let slot = try requireSlot(slot, "slot")
    EmbeddedStore.note(slot: slot, old: UInt(bitPattern: old), new: UInt(bitPattern: value))
  }
}

@c @implementation
public func tricolor_copy(_ to: UnsafeMutableRawPointer?, _ from: UnsafeRawPointer?, _ bytes: Int) -> CInt {
  answer { () throws(Failure) in
    let target = try requireSlot(to, "to")
    let source = try requireSlot(from, "from")
    guard bytes >= 0 && bytes & 7 == 0 else {
      throw .argument(
        "bytes", is: "\(UInt(bitPattern: bytes))", allowed: "it must be a multiple of 8, and at most \(Int.max)")
    }
    EmbeddedStore.copy(to: target, from: source, words: bytes >> 3)
  }
}

@c @implementation
public func tricolor_stored(_ object: UnsafeRawPointer?) -> CInt {
  answer { () throws(Failure) in
    let object = try require(object, "object")
    guard EmbeddedObject.bytes(at: UInt(bitPattern: object)) != nil else {
      throw .argument("object", is: hexadecimal(object), allowed: "it must be the address of an object of a heap")
    }
    guard EmbeddedStore.mayNoteLate(object: UInt(bitPattern: object)) else {
      throw .state(
        "the object's heap never stops the program; announce stores before they are made, or make the heap with a stop mode"
      )
    }
    EmbeddedStore.noteStored(object: UInt(bitPattern: object))
  }
}
