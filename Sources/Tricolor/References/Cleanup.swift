// Cleanups and external bytes: what is to happen, and to be counted, when an object of the heap dies.
//
// A cleanup is a closure of the program that runs once, on a thread of its own, after its object is dead. It cannot refer to the object
// (references do not leave `withMutator`), so nothing is resurrected and no order among cleanups is needed (Boehm, "Destructors,
// Finalizers, and Synchronization", POPL 2003). External bytes are memory from elsewhere that lives as long as an object: they count
// in the pace of the collector.
//
// The collector sees a table of raw entries only: the object, the bytes, the number of the closure. Entries of dead objects move to a
// second table in the step that clears weak references; the cleanup thread takes them from there. Cost: a look at one mark bit for
// each entry in each cycle.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// The collector's side: which objects have something to be done at their death.
struct CleanupTable: ~Copyable {
  struct Entry {
    var object: UInt
    /// Number of the closure, 0 when there is none.
    var number: Int
    var bytes: Int
  }

  let lock = FutexLock()
  /// Signalled when entries have died and when the heap ends.
  let died = FutexEvent()
  /// Bytes outside the heap that its objects keep.
  let externalBytes = Atomic<Int>(0)
  /// Closures whose objects have died, and those of them taken to be run.
  let queued = Atomic<Int>(0)
  let taken = Atomic<Int>(0)
  private var entries: UnsafeMutablePointer<Entry>
  private var count = 0
  private var capacity = 64
  /// Entries at the end of the same memory whose objects are dead and that nobody has taken yet.
  private var deadCount = 0

  init() { entries = .allocate(capacity: capacity) }

  deinit { entries.deallocate() }

  mutating func add(_ entry: Entry) {
    lock.lock()
    defer { lock.unlock() }
    if count + deadCount == capacity { grow() }
    entries[count] = entry
    count += 1
    externalBytes.wrappingAdd(entry.bytes, ordering: .relaxed)
  }

  /// Takes out the entry of closure `number` if its object has not died; whether it was there. Linear in the number of entries.
  mutating func remove(number: Int) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard let index = (0..<count).first(where: { entries[$0].number == number }) else { return false }
    removeEntry(index)
    return true
  }

  /// Moves the entries of unmarked objects to the dead. Only between the end of marking and the sweep.
  mutating func collectDead() {
    lock.lock()
    let map = addressMap
    let before = deadCount
    var index = 0
    while index < count {
      if map.isMarked(entries[index].object) {
        index += 1
      } else {
        let dead = entries[index]
        removeEntry(index)
        if dead.number != 0 {
          deadCount += 1
          entries[capacity - deadCount] = dead
        }
      }
    }
    let hasDead = deadCount > before
    queued.wrappingAdd(deadCount - before, ordering: .relaxed)
    lock.unlock()
    if hasDead { died.signalAll() }
  }

  /// The number of the next closure to run, nil when there is none.
  mutating func takeDead() -> Int? {
    lock.lock()
    defer { lock.unlock() }
    guard deadCount > 0 else { return nil }
    deadCount -= 1
    taken.wrappingAdd(1, ordering: .relaxed)
    return entries[capacity - deadCount - 1].number
  }

  private mutating func removeEntry(_ index: Int) {
    externalBytes.wrappingSubtract(entries[index].bytes, ordering: .relaxed)
    count -= 1
    entries[index] = entries[count]
  }

  private mutating func grow() {
    let larger = UnsafeMutablePointer<Entry>.allocate(capacity: 2 * capacity)
    larger.update(from: entries, count: count)
    (larger + 2 * capacity - deadCount).update(from: entries + capacity - deadCount, count: deadCount)
    entries.deallocate()
    entries = larger
    capacity *= 2
  }
}

/// The program's side: the closures, and the thread that runs them, which starts with the first one.
final class CleanupRunner: Sendable {
  private struct Actions {
    var last = 0
    var pending: [Int: @Sendable () -> Void] = [:]
    var thread: NativeThread? = nil
    var isEnding = false
  }
  private let actions = Mutex(Actions())

  /// Keeps `action`; its number.
  func add(_ action: @escaping @Sendable () -> Void, _ core: HeapCore) -> Int {
    actions.withLock { actions in
      actions.last += 1
      actions.pending[actions.last] = action
      if actions.thread == nil { actions.thread = startThread(core) }
      return actions.last
    }
  }

  func remove(_ number: Int) { actions.withLock { _ = $0.pending.removeValue(forKey: number) } }

  /// Nil when the system has no room for a thread: the next cleanup tries again, and the heap's end runs them all.
  private func startThread(_ core: HeapCore) -> NativeThread? {
    do {
      return try NativeThread.start(name: "tricolor-clean", priority: .normal) { self.run(core) }
    } catch {
      StandardError.write("tricolor: no thread for cleanups, they wait: \(error)\n")
      return nil
    }
  }

  private func run(_ core: HeapCore) {
    while true {
      let seen = core.state.pointee.cleanups.died.current()
      while let number = core.state.pointee.cleanups.takeDead() {
        runAction(number)
        // An action that held the last reference to the heap has ended it.
        if isEnding { return }
      }
      if isEnding { return }
      core.state.pointee.cleanups.died.wait(past: seen)
    }
  }

  private var isEnding: Bool { actions.withLock { $0.isEnding } }

  private func runAction(_ number: Int) {
    let action = actions.withLock { $0.pending.removeValue(forKey: number) }
    action?()
  }

  /// Ends the thread, then runs every closure that is left, in the order of registration: all objects end with their heap.
  func finish(_ core: HeapCore) {
    let thread = actions.withLock { actions in
      actions.isEnding = true
      return actions.thread
    }
    core.state.pointee.cleanups.died.signalAll()
    ThreadRecords.whileParked { thread?.join() }
    let left = actions.withLock { actions in
      defer { actions.pending = [:] }
      return actions.pending
    }
    for number in left.keys.sorted() { left[number]?() }
  }
}

/// A registered cleanup, to take it back.
public struct Cleanup: Sendable {
  let number: Int
  /// Held, so that the table is there for as long as somebody may ask for it.
  let heap: Heap

  /// Takes the cleanup back; true when it will not run, false when its object has died already. Any thread.
  /// Cost: linear in the number of cleanups of the heap.
  @discardableResult
  public func cancel() -> Bool {
    guard heap.core.state.pointee.cleanups.remove(number: number) else { return false }
    heap.services.cleanups.remove(number)
    return true
  }
}

extension Mutator {
  /// Runs `action` once on a thread of the heap after `object` is found dead, or when the heap ends.
  ///
  /// Whatever `action` captures stays until then: a `Root` of `object`, directly or not, would keep it alive for ever.
  @discardableResult
  public func addCleanup<Target>(
    to object: Reference<Target>, _ action: @escaping @Sendable () -> Void
  ) -> Cleanup {
    let number = core.heap.services.cleanups.add(action, core.heap)
    core.heap.state.pointee.cleanups.add(.init(object: wordOf(object), number: number, bytes: 0))
    tricolor_keep(wordOf(object))
    return Cleanup(number: number, heap: Heap.object(of: core.heap))
  }

  /// Counts `count` bytes from elsewhere (malloc, a mapped file) in the pace of the collector for as long as `object` lives.
  public func addExternalBytes<Target>(_ count: Int, to object: Reference<Target>) {
    precondition(count >= 0, "external bytes of \(count)")
    core.heap.state.pointee.cleanups.add(.init(object: wordOf(object), number: 0, bytes: count))
    core.heap.noteHandedOut(count, scannable: false, black: false, by: core)
    tricolor_keep(wordOf(object))
  }
}
