// Errors of the C interface: each function either does what it says, or says on standard error what was wrong and answers a code.
//
// Every function's body runs in `answer`, throws a `Failure` at the first argument that is wrong, and touches nothing before all have been
// looked at. The message begins with the function's name, so that a C programmer can find the call.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

/// Why a function did not do what it was called for.
enum Failure: Error {
  /// An argument: its name, its value, and what is allowed.
  case argument(String, is: String, allowed: String)
  /// A call at the wrong time or in the wrong thread.
  case state(String)
  case outOfMemory
  case system(String)
  /// What was to be removed is not there; with a message where a name was wrong.
  case notFound(String?)
  case broken(String)

  var code: Int {
    switch self {
    case .argument: TRICOLOR_INVALID_ARGUMENT
    case .state: TRICOLOR_INVALID_STATE
    case .outOfMemory: TRICOLOR_OUT_OF_MEMORY
    case .system: TRICOLOR_SYSTEM_ERROR
    case .notFound: TRICOLOR_NOT_FOUND
    case .broken: TRICOLOR_HEAP_BROKEN
    }
  }

  private var message: String? {
    switch self {
    case .argument(let name, let value, let allowed): "\(name) is \(value); \(allowed)"
    case .state(let message), .system(let message), .broken(let message): message
    case .notFound(let message): message
    case .outOfMemory: nil
    }
  }

  /// Tells and remembers the error; its code.
  @inline(never) func report(in function: StaticString) -> CInt {
    if let message {
      let name = "\(function)".prefix { $0 != "(" }
      EmbeddedReport.write("tricolor: \(name): \(message)\n")
    }
    EmbeddedReport.lastError = Int32(code)
    return CInt(code)
  }
}

/// Runs a function that answers a code.
@inline(__always)
func answer(function: StaticString = #function, _ body: () throws(Failure) -> Void) -> CInt {
  do throws(Failure) {
    try body()
    return CInt(TRICOLOR_OK)
  } catch {
    return error.report(in: function)
  }
}

/// Runs a function that answers a pointer.
@inline(__always)
func answer<Pointer>(function: StaticString = #function, _ body: () throws(Failure) -> Pointer?) -> Pointer? {
  do throws(Failure) {
    return try body()
  } catch {
    _ = error.report(in: function)
    return nil
  }
}

// MARK: Arguments

/// A pointer that must not be NULL.
@inline(__always)
func require<Pointer>(_ pointer: Pointer?, _ name: StaticString) throws(Failure) -> Pointer {
  guard let pointer else { throw .argument("\(name)", is: "NULL", allowed: "it must not be") }
  return pointer
}

/// A C string that must not be NULL, and is UTF-8.
func requireText(_ text: UnsafePointer<CChar>?, _ name: StaticString) throws(Failure) -> String {
  let text = try require(text, name)
  guard let string = String(validatingCString: text) else {
    throw .argument("\(name)", is: "not UTF-8", allowed: "text must be")
  }
  return string
}

/// The calling thread's mutator, running.
@inline(__always)
func requireMutator(_ mutator: OpaquePointer?) throws(Failure) -> EmbeddedMutator {
  let address = UnsafeMutableRawPointer(try require(mutator, "mutator"))
  do throws(EmbeddedMutator.Refusal) {
    return try EmbeddedMutator(address)
  } catch {
    throw refusal(error, address)
  }
}

@inline(never)
func refusal(_ refusal: EmbeddedMutator.Refusal, _ address: UnsafeMutableRawPointer) -> Failure {
  switch refusal {
  case .unknown:
    .argument("mutator", is: hexadecimal(address), allowed: "it must be of the calling thread, which is attached")
  case .isBlocking: .state("the thread is in a blocking region; end it first")
  case .isForked: .state(forkMessage)
  }
}

let forkMessage = "this process is a fork of one that had a heap: it may call exec or _exit, but not use heaps"

/// An object of the mutator's heap, not NULL.
@inline(__always)
func requireObject(
  _ object: UnsafeRawPointer?, _ name: StaticString, of mutator: EmbeddedMutator
) throws(Failure) -> UInt {
  let object = try require(object, name)
  guard mutator.owns(object) else {
    throw .argument(
      "\(name)", is: hexadecimal(object), allowed: "it must be the address of an object of the mutator's heap")
  }
  return UInt(bitPattern: object)
}

/// An object of the mutator's heap, or NULL, which is 0.
@inline(__always)
func requireObjectOrNull(
  _ object: UnsafeRawPointer?, _ name: StaticString, of mutator: EmbeddedMutator
) throws(Failure) -> UInt {
  object == nil ? 0 : try requireObject(object, name, of: mutator)
}

/// An aligned place that a reference may be stored in, not NULL.
@inline(__always)
func requireSlot(_ slot: UnsafeRawPointer?, _ name: StaticString) throws(Failure) -> UInt {
  let slot = try require(slot, name)
  guard UInt(bitPattern: slot) & 7 == 0 else {
    throw .argument("\(name)", is: hexadecimal(slot), allowed: "it must be a multiple of 8")
  }
  return UInt(bitPattern: slot)
}

@inline(never)
func hexadecimal(_ pointer: UnsafeRawPointer) -> String { "0x" + String(UInt(bitPattern: pointer), radix: 16) }

// MARK: What has no arguments

@c @implementation
public func tricolor_last_error() -> CInt { CInt(EmbeddedReport.lastError) }

private let names: [StaticString] = [
  "no error", "invalid argument", "call at the wrong time", "out of memory", "refused by the operating system",
  "not found",
  "the heap is broken",
]

@c @implementation
public func tricolor_error_name(_ error: CInt) -> UnsafePointer<CChar>? {
  let name: StaticString = names.indices.contains(Int(error)) ? names[Int(error)] : "not an error code of tricolor"
  return UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func tricolor_version() -> UnsafePointer<CChar>? {
  let version: StaticString = "1.0"
  return UnsafeRawPointer(version.utf8Start).assumingMemoryBound(to: CChar.self)
}
