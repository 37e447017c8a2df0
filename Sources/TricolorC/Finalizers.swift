// Finalizers that are taken from a queue, cleanups that run by themselves, bytes from elsewhere.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

@c @implementation
public func tricolor_finalizer_create(_ mutator: OpaquePointer?) -> UnsafeMutablePointer<tricolor_finalizer>? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let made = try allocating { () throws(AllocationFailure) in try mutator.makeFinalizer() }
    return made.assumingMemoryBound(to: tricolor_finalizer.self)
  }
}

private func requireFinalizer(_ finalizer: UnsafePointer<tricolor_finalizer>?) throws(Failure) -> UInt {
  let finalizer = UnsafeRawPointer(try require(finalizer, "finalizer"))
  guard EmbeddedMutator.isFinalizer(UInt(bitPattern: finalizer)) else {
    throw .argument(
      "finalizer", is: hexadecimal(finalizer), allowed: "it must be one that tricolor_finalizer_create made")
  }
  return UInt(bitPattern: finalizer)
}

@c @implementation
public func tricolor_finalizer_attach(
  _ mutator: OpaquePointer?, _ finalizer: UnsafeMutablePointer<tricolor_finalizer>?, _ priority: UInt32,
  _ object: UnsafeRawPointer?, _ closure: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in try attach(mutator, finalizer, priority, isOrdered: false, object, closure) }
}

@c @implementation
public func tricolor_finalizer_attach_ordered(
  _ mutator: OpaquePointer?, _ finalizer: UnsafeMutablePointer<tricolor_finalizer>?, _ priority: UInt32,
  _ object: UnsafeRawPointer?, _ closure: UnsafeRawPointer?
) -> CInt {
  answer { () throws(Failure) in try attach(mutator, finalizer, priority, isOrdered: true, object, closure) }
}

private func attach(
  _ mutator: OpaquePointer?, _ finalizer: UnsafeMutablePointer<tricolor_finalizer>?, _ priority: UInt32,
  isOrdered: Bool,
  _ object: UnsafeRawPointer?, _ closure: UnsafeRawPointer?
) throws(Failure) {
  let mutator = try requireMutator(mutator)
  let finalizer = try requireFinalizer(finalizer)
  let object = try requireObject(object, "object", of: mutator)
  let closure = try requireObjectOrNull(closure, "closure", of: mutator)
  guard
    mutator.attach(
      finalizer: finalizer, priority: priority, isOrdered: isOrdered, object: object, closure: closure)
  else { throw .state("the finalizer is attached or queued already") }
}

@c @implementation
public func tricolor_finalizer_detach(
  _ mutator: OpaquePointer?, _ finalizer: UnsafeMutablePointer<tricolor_finalizer>?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let finalizer = try requireFinalizer(finalizer)
    if !mutator.detach(finalizer: finalizer) { throw .notFound(nil) }
  }
}

@c @implementation
public func tricolor_finalizer_take(_ mutator: OpaquePointer?) -> UnsafeMutablePointer<tricolor_finalizer>? {
  answer { () throws(Failure) in UnsafeMutablePointer(bitPattern: try requireMutator(mutator).takeFinalizer()) }
}

@c @implementation
public func tricolor_finalizer_object(
  _ finalizer: UnsafePointer<tricolor_finalizer>?
) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    UnsafeMutableRawPointer(bitPattern: EmbeddedMutator.object(ofFinalizer: try requireFinalizer(finalizer)))
  }
}

@c @implementation
public func tricolor_finalizer_closure(
  _ finalizer: UnsafePointer<tricolor_finalizer>?
) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    UnsafeMutableRawPointer(bitPattern: EmbeddedMutator.closure(ofFinalizer: try requireFinalizer(finalizer)))
  }
}

@c @implementation
public func tricolor_cleanup_add(
  _ mutator: OpaquePointer?, _ object: UnsafeRawPointer?,
  _ function: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ data: UnsafeMutableRawPointer?,
  _ number: UnsafeMutablePointer<UInt64>?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let object = try requireObject(object, "object", of: mutator)
    let callback = Callback(function: try require(function, "function"), data: data)
    let callbacks = HeapTable.callbacks(of: mutator.heap)
    let made = mutator.addCleanup(to: object) { callbacks.run { callback.function(callback.data) } }
    number?.pointee = UInt64(made)
  }
}

@c @implementation
public func tricolor_cleanup_cancel(_ heap: OpaquePointer?, _ number: UInt64) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    guard number > 0 && number <= UInt64(Int.max) else {
      throw .argument("number", is: "\(number)", allowed: "it must be one that tricolor_cleanup_add gave")
    }
    if !heap.cancelCleanup(Int(number)) { throw .notFound(nil) }
  }
}

@c @implementation
public func tricolor_external_bytes_add(
  _ mutator: OpaquePointer?, _ object: UnsafeRawPointer?, _ bytes: Int
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let object = try requireObject(object, "object", of: mutator)
    guard bytes >= 0 && bytes <= EmbeddedMutator.mostBytes else {
      throw .argument(
        "bytes", is: "\(UInt(bitPattern: bytes))", allowed: "it must be at most \(EmbeddedMutator.mostBytes)")
    }
    mutator.addExternalBytes(bytes, to: object)
  }
}
