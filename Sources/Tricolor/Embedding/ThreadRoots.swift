// Where references may be that no Swift type describes: frames of handles, copied stacks, and ranges of the program's memory.
//
// A frame of handles is a record on a thread's stack, or wherever the program has it, that names an array of words. The newest is named
// by the mutator's record. Frames are the thread's own, as its stack is: scanned by it or while it is away, and so written without the
// barrier. What they and ranges hold is looked up as a stack's words are: any address inside an object keeps it.
//
// A thread that enters a blocking region by a call that returns cannot leave its frames as they are until the region ends: its
// registers go on being used, and so does the stack below the caller's frame. It copies both. Everything it may refer to when the region
// ends was in one of them when it began, for a region touches no reference.

import CTricolorShims
import Synchronization

/// A range of the program's memory that may hold references.
struct RootRange {
  let start: UInt
  let end: UInt
  /// Whether the program writes it without the barrier: then cycles stop it for a moment (StoppedCycle.swift).
  let isPlain: Bool
}

/// Reports words that may refer to objects to `visit`, with the context it was given.
package typealias RootTraceFunction =
  @convention(c) (_ data: UnsafeMutableRawPointer?, _ visit: TraceVisitor, _ context: UnsafeMutableRawPointer) -> Void

/// A program's function that reports a thread's roots from structures of its own.
package struct RootTracer {
  let function: RootTraceFunction
  let data: UnsafeMutableRawPointer?
}

/// The words of a frame of handles, as C lays them out.
private enum HandleFrame {
  static func previous(_ frame: UInt) -> UInt { tricolor_load_word(frame) }
  static func handles(_ frame: UInt) -> UInt { tricolor_load_word(frame + 8) }
  static func count(_ frame: UInt) -> UInt { tricolor_load_word(frame + 16) }
}

extension MutatorCore {
  /// Adds what this mutator's thread refers to to the grey set: its stack from `stackPointer` up, where the heap scans stacks, what
  /// it has copied of it, and its handles.
  func scanThread(from stackPointer: UInt) {
    forEachSearchedRange(from: stackPointer) { heap.scanStack(from: $0, to: $1) }
    var core = heap
    withUnsafeMutablePointer(to: &core) { traceRoots(shadeTracedRoot, $0) }
  }

  /// Has the program's function, if there is one, report this thread's further roots to `visit`.
  func traceRoots(_ visit: TraceVisitor, _ context: UnsafeMutableRawPointer) {
    if let tracer = state.pointee.rootTracer { tracer.function(tracer.data, visit, context) }
  }

  /// Calls `body` with the range of the stack from `stackPointer` up, that of its copy, and the words of every frame of handles.
  func forEachSearchedRange(from stackPointer: UInt, _ body: (_ start: UInt, _ end: UInt) -> Void) {
    forEachStackRange(from: stackPointer, body)
    forEachFrame(body)
  }

  /// Calls `body` with the range of the stack from `stackPointer` up and that of its copy, where the heap scans stacks.
  func forEachStackRange(from stackPointer: UInt, _ body: (_ start: UInt, _ end: UInt) -> Void) {
    guard heap.state.pointee.scansStacks.load(ordering: .relaxed) else { return }
    let copy = UInt(bitPattern: copiedStack)
    body(copy, copy + UInt(state.pointee.copiedBytes))
    body(min(stackPointer, state.pointee.stackBase), state.pointee.stackBase)
  }

  /// Calls `body` with the words of every frame of handles.
  func forEachFrame(_ body: (_ start: UInt, _ end: UInt) -> Void) {
    var frame = state.pointee.frames
    while frame != 0 {
      let start = HandleFrame.handles(frame)
      body(start, start + 8 * HandleFrame.count(frame))
      frame = HandleFrame.previous(frame)
    }
  }

  /// Bytes of the copy that the registers take.
  private static let registerBytes = 96

  /// Enters a blocking region that lasts until `unpark`. The copy holds the caller's registers and stack, for this frame and the ones below
  /// are gone when it returns.
  @inline(never) func parkWithCopy() {
    let stackPointer = tricolor_capture_registers(copiedStack)
    let base = state.pointee.stackBase
    let room = UInt(MutatorCore.copyCapacity - MutatorCore.registerBytes)
    let bytes = stackPointer < base ? min(base - stackPointer, room) : 0
    UnsafeMutableRawPointer(copiedStack).advanced(by: MutatorCore.registerBytes).copyMemory(
      from: UnsafeRawPointer(bitPattern: stackPointer)!, byteCount: Int(bytes))
    state.pointee.copiedBytes = MutatorCore.registerBytes + Int(bytes)
    park(stackPointer + bytes)
  }

  /// Leaves the heap however deep the thread is in it, so that it may detach.
  func leaveForGood() {
    if isOrphan || state.pointee.depth == 0 { return }
    if state.pointee.parkedStack != 0 { unpark() }
    state.pointee.depth = 0
    state.pointee.frames = 0
    suspend(to: MutatorStatus.outside)
  }
}

extension HeapCore {
  /// Ends what a range keeps alive. What it holds is shaded as if it were overwritten: it was reachable when the cycle began.
  func removeRange(at start: UInt) -> Bool {
    state.pointee.roots.lock.lock()
    defer { state.pointee.roots.lock.unlock() }
    guard let range = state.pointee.roots.removeRange(at: start) else { return false }
    if isMarking { scanStack(from: range.start, to: range.end) }
    return true
  }
}

/// Makes the object that a reported word leads to grey; `context` is the heap's handle.
private func shadeTracedRoot(_ context: UnsafeMutableRawPointer, _ word: UInt) {
  let heap = context.assumingMemoryBound(to: HeapCore.self).pointee
  let map = addressMap
  guard map.owner(of: word) == UnsafeMutableRawPointer(heap.state), let object = map.conservativeCell(word),
    !map.isMarked(object)
  else { return }
  heap.shade(object)
}
