// Root handles and root ranges.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

@c @implementation
public func tricolor_root_create(_ mutator: OpaquePointer?, _ object: UnsafeRawPointer?) -> OpaquePointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    return OpaquePointer(bitPattern: mutator.makeRoot(try requireObjectOrNull(object, "object", of: mutator)))
  }
}

@c @implementation
public func tricolor_root_set(
  _ mutator: OpaquePointer?, _ root: OpaquePointer?, _ object: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let root = UnsafeRawPointer(try require(root, "root"))
    guard mutator.isRoot(UInt(bitPattern: root)) else { throw noRoot(root) }
    mutator.setRoot(UInt(bitPattern: root), try requireObjectOrNull(object, "object", of: mutator))
  }
}

@c @implementation
public func tricolor_root_destroy(_ heap: OpaquePointer?, _ root: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let root = UnsafeRawPointer(try require(root, "root"))
    guard heap.destroyRoot(UInt(bitPattern: root)) else { throw noRoot(root) }
  }
}

private func noRoot(_ root: UnsafeRawPointer) -> Failure {
  .argument("root", is: hexadecimal(root), allowed: "it must be a handle of this heap that has not been destroyed")
}

@c @implementation
public func tricolor_roots_add(
  _ heap: OpaquePointer?, _ start: UnsafeRawPointer?, _ bytes: Int, _ kind: tricolor_roots
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let start = try requireSlot(start, "start")
    guard bytes > 0 && bytes & 7 == 0 && start &+ UInt(bytes) > start else {
      throw .argument(
        "bytes", is: "\(UInt(bitPattern: bytes))", allowed: "it must be a multiple of 8 above 0, and the range must end"
      )
    }
    guard kind == TRICOLOR_ROOTS_STORED || kind == TRICOLOR_ROOTS_PLAIN else {
      throw .argument("kind", is: "\(kind.rawValue)", allowed: "it must be one of tricolor_roots")
    }
    // May wait for the end of a cycle.
    guard heap.addRange(start: start, bytes: bytes, isPlain: kind == TRICOLOR_ROOTS_PLAIN) else {
      throw .state("a root range begins at 0x\(String(start, radix: 16)) already")
    }
  }
}

@c @implementation
public func tricolor_roots_remove(_ heap: OpaquePointer?, _ start: UnsafeRawPointer?) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let start = try requireSlot(start, "start")
    if !heap.removeRange(start: start) { throw .notFound(nil) }
  }
}
