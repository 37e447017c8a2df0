// Attaching, detaching, blocking regions, safepoints, frames of handles.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

@c @implementation
public func tricolor_thread_attach(
  _ heap: OpaquePointer?, _ mutator: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap)
    let place = try require(mutator, "mutator")
    if let inside = EmbeddedMutator.current(of: heap.heap), inside.isBlocking {
      throw .state("the thread is in a blocking region; end it first")
    }
    place.pointee = OpaquePointer(try heap.enter().address)
  }
}

@c @implementation
public func tricolor_thread_detach(_ mutator: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    if mutator.depth == 1 && mutator.hasFrames { throw .state("the thread has frames of handles left; pop them first") }
    mutator.leave()
  }
}

@c @implementation
public func tricolor_thread_mutator(_ heap: OpaquePointer?) -> OpaquePointer? {
  answer { () throws(Failure) in
    EmbeddedMutator.current(of: try HeapTable.heap(heap).heap).map { OpaquePointer($0.address) }
  }
}

@c @implementation
public func tricolor_thread_set_stack(_ mutator: OpaquePointer?, _ base: UnsafeRawPointer?) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    if let base, UInt(bitPattern: base) & 7 != 0 {
      throw .argument("base", is: hexadecimal(base), allowed: "it must be a multiple of 8")
    }
    mutator.setStack(base.map { UInt(bitPattern: $0) })
  }
}

@c @implementation
public func tricolor_blocking_begin(_ mutator: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in try requireMutator(mutator).beginBlocking() }
}

@c @implementation
public func tricolor_blocking_end(_ mutator: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireAttached(mutator)
    guard mutator.isBlocking else { throw .state("the thread is in no blocking region") }
    mutator.endBlocking()
  }
}

@c @implementation
public func tricolor_blocking_call(
  _ mutator: OpaquePointer?, _ function: (@convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?)?,
  _ data: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireAttached(mutator)
    let function = try require(function, "function")
    let answered = mutator.blocking { function(data) }
    result?.pointee = answered
  }
}

/// The calling thread's mutator, running or in a blocking region.
private func requireAttached(_ mutator: OpaquePointer?) throws(Failure) -> EmbeddedMutator {
  let address = UnsafeMutableRawPointer(try require(mutator, "mutator"))
  do throws(EmbeddedMutator.Refusal) {
    return try EmbeddedMutator(runningOrBlocking: address)
  } catch {
    throw refusal(error, address)
  }
}

@c @implementation
public func tricolor_thread_is_blocking(_ mutator: OpaquePointer?) -> CInt {
  var isBlocking = false
  _ = answer { () throws(Failure) in isBlocking = try requireAttached(mutator).isBlocking }
  return isBlocking ? 1 : 0
}

@c @implementation
public func tricolor_poll_slowly(_ mutator: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in try requireMutator(mutator).poll() }
}

@c @implementation
public func tricolor_thread_set_roots(
  _ mutator: OpaquePointer?, _ trace: tricolor_trace_roots?, _ data: UnsafeMutableRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    mutator.setRootTracer(trace.map { unsafeBitCast($0, to: RootTraceFunction.self) }, data)
  }
}

@c @implementation
public func tricolor_frame_push_slowly(
  _ mutator: OpaquePointer?, _ frame: UnsafeMutablePointer<tricolor_frame>?,
  _ handles: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ count: Int
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let frame = try require(frame, "frame")
    if count != 0 { _ = try requireSlot(handles, "handles") }
    frame.pointee.previous = UnsafeMutablePointer(bitPattern: mutator.newestFrame)
    frame.pointee.handles = handles
    frame.pointee.count = count
    mutator.setNewestFrame(UInt(bitPattern: frame))
  }
}

@c @implementation
public func tricolor_frame_pop_slowly(
  _ mutator: OpaquePointer?, _ frame: UnsafeMutablePointer<tricolor_frame>?
) -> CInt {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let frame = try require(frame, "frame")
    guard mutator.newestFrame == UInt(bitPattern: frame) else {
      throw .state("the frame is not the newest; frames are popped in the reverse order")
    }
    mutator.setNewestFrame(UInt(bitPattern: frame.pointee.previous))
  }
}
