// What young cycles rest on (I10): when `arm` has been answered, every old object that refers to a young one lies on a dirty card. An
// interleaving for each way to lose a card, or a mark. A thread is *late* here when it has yet to answer `sweep`, and allocates black,
// while another one has answered, and allocates white what will be young in the next cycle.

import Testing
@_spi(Testing) import Tricolor

@Suite("Young cycles, step by step")
struct YoungTests {
  // MARK: Between the cycles

  @Test("A young object survives that a thread has hidden in an old one between two cycles")
  func betweenCycles() throws {
    let heap = try Heap.young()
    let old = try heap.makeChain(1)
    heap.collect()
    try onOwnThread { try heap.withMutator { m in storeHidden(try hiddenPair(m), in: old.get(m)!) } }
    try expectYoung(heap)
    #expect(try old.keys(in: heap) == [1, 1, 2])
  }

  // MARK: While `sweep` is being answered

  @Test(
    "A new object survives the next cycle that a late thread stores in an old one, with its barrier still recording")
  func lateStore() throws {
    let scene = try Scene()
    try scene.run { m, new in
      let old = scene.old.get(m)!
      return { old.left = new() }
    }
    try scene.expectKeptInNextCycle { m in scene.old.get(m)!.left }
  }

  @Test("A new object survives the next cycle that a thread stores in an old one while another is late")
  func earlyStore() throws {
    let scene = try Scene()
    try scene.run(early: { m, new in scene.old.get(m)!.left = new }, late: { _, _ in {} })
    try scene.expectKeptInNextCycle { m in scene.old.get(m)!.left }
  }

  @Test("A new object survives the next cycle that a late thread has put into a black one as it made it")
  func lateInitialisation() throws {
    let scene = try Scene()
    try scene.run { m, new in
      // Opens a run, which the answer to `roots` blackens: making an object from it is no poll.
      _ = try m.make(Link(key: 0, left: nil, right: nil))
      return { scene.late.set(try m.make(Link(key: 5, left: new(), right: nil)), m) }
    }
    try scene.expectKeptInNextCycle { m in scene.late.get(m)!.left }
  }

  @Test(
    "A new object survives the next cycle that a late thread puts into a black one with blocks of its own, made before")
  func lateInitialisationOfLarge() throws {
    let bytes = 40_000
    let layout = try Layout.register(.fixed(bytes: bytes, references: [bytes - 8]), name: "large, made black")
    let scene = try Scene()
    try scene.run(from: .answered(.roots)) { m, new in
      let large = try m.allocate(layout, bytes: bytes)
      return {
        large.storeBytes(of: UInt(bitPattern: new().address), toByteOffset: bytes - 8, as: UInt.self)
        scene.late.set(Reference(unsafeAddress: large), m)
      }
    }
    try scene.expectKeptInNextCycle { m in
      let large = scene.late.get(m)!.address
      return Reference(unsafeAddress: large.load(fromByteOffset: bytes - 8, as: UnsafeMutableRawPointer.self))
    }
  }

  @Test("A new object that a late thread has put into a large black one survives although the thread ends at once")
  func lateThreadEnds() throws {
    let bytes = 40_000
    let layout = try Layout.register(.fixed(bytes: bytes, references: [bytes - 8]), name: "large, made at the end")
    let scene = try Scene()
    try scene.run(from: .answered(.roots), staysInside: false) { m, new in
      let large = try m.allocate(layout, bytes: bytes)
      return {
        large.storeBytes(of: UInt(bitPattern: new().address), toByteOffset: bytes - 8, as: UInt.self)
        scene.late.set(Reference(unsafeAddress: large), m)
      }
    }
    try scene.expectKeptInNextCycle { m in
      let large = scene.late.get(m)!.address
      return Reference(unsafeAddress: large.load(fromByteOffset: bytes - 8, as: UnsafeMutableRawPointer.self))
    }
  }

  @Test("A weak reference that a late thread makes to a new object answers it until it dies, and nil from then on")
  func lateWeak() throws {
    let scene = try Scene()
    let weak = try onOwnThread { scene.heap.withMutator { m in m.root(nil as Reference<Weak<Link>>?) } }
    try scene.run { m, new in
      _ = try m.makeWeak(m.make(Link(key: 0, left: nil, right: nil)))
      return { weak.set(try m.makeWeak(new()), m) }
    }
    let key = try onOwnThread { scene.heap.withMutator { m in weak.get(m)!.referent?.key } }
    #expect(key == 1)
    try scene.dropNew()
    try expectYoung(scene.heap)
    let later = try onOwnThread { scene.heap.withMutator { m in weak.get(m)!.referent?.key } }
    #expect(later == nil)
  }

  @Test("An ephemeron that a late thread makes for a new key keeps its value while the key lives, and loses it then")
  func lateEphemeron() throws {
    let scene = try Scene()
    let ephemeron = try onOwnThread {
      scene.heap.withMutator { m in m.root(nil as Reference<Ephemeron<Link, Link>>?) }
    }
    try scene.run { m, new in
      let key = try m.make(Link(key: 0, left: nil, right: nil))
      _ = try m.makeEphemeron(key: key, value: key)
      return { ephemeron.set(try m.makeEphemeron(key: new(), value: new().left), m) }
    }
    let value: @Sendable () throws -> Int? = {
      try onOwnThread { scene.heap.withMutator { m in ephemeron.get(m)!.value?.key } }
    }
    // The key lives, its own reference to the value does not.
    try onOwnThread { scene.heap.withMutator { m in scene.shared.get(m)![0]!.left = nil } }
    try expectYoung(scene.heap)
    #expect(try value() == 2)
    try scene.dropNew()
    scene.heap.collect()
    #expect(try value() == nil)
  }

  // MARK: During a young cycle

  @Test("What a thread allocates black among old objects, after its answer to `roots`, survives the young cycle")
  func blackAmongOld() throws {
    let heap = try Heap.young()
    let count = 4096
    // Survivors that are few in each KiB, so that a thread gets free cells whose marks lie in one word with theirs.
    let old = try onOwnThread {
      try heap.withMutator { m in
        let kept = try m.makeArray(of: Link.self, count: count / 16)
        for i in 0..<count {
          let link = try m.make(Link(key: i, left: nil, right: nil))
          if i % 16 == 0 { kept[i / 16] = link }
        }
        return m.root(kept)
      }
    }
    try onOwnThread { scrubStack() }
    heap.collect()
    let script = Script(heap)
    let thread = RunningThread {
      try heap.withMutator { m in
        _ = try m.make(Link(key: 0, left: nil, right: nil))
        script.say("inside")
        script.wait(for: .posted(.roots), polling: m)
        m.poll()
        var made: Reference<Link>? = nil
        for key in stride(from: 8, through: 1, by: -1) { made = try m.make(Link(key: key, left: made, right: nil)) }
        script.wait(for: .over, polling: m)
        return made!.keys
      }
    }
    script.wait(for: "inside")
    try expectYoung(heap)
    #expect(try thread.join() == Array(1...8))
    withExtendedLifetime(old) {}
  }

  @Test("A young object cut from its old holder before the cards are looked at is kept for the thread that loaded it")
  func cutBeforeScan() throws {
    let heap = try Heap.young()
    let old = try heap.makeChain(1)
    heap.collect()
    try onOwnThread { try heap.withMutator { m in storeHidden(try hiddenPair(m), in: old.get(m)!) } }
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let young = old.get(m)!.left!
        old.get(m)!.left = nil
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return young.keys
      }
    }
    script.wait(for: "inside")
    try expectYoung(heap)
    #expect(try thread.join() == [1, 2])
  }

  @Test("What is stored in an old object at any step of a young cycle survives it and the next one", arguments: steps)
  func storeAt(step: CycleStep) throws {
    let heap = try Heap.young()
    let old = try heap.makeChain(1)
    heap.collect()
    let script = Script(heap, holdingAt: step)
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: step, polling: m)
        storeHidden(try hiddenPair(m), in: old.get(m)!)
        scrubStack()
        script.release(step)
        script.wait(for: .over, polling: m)
      }
    }
    script.wait(for: "inside")
    try expectYoung(heap)
    try thread.join()
    #expect(try old.keys(in: heap) == [1, 1, 2])
    try expectYoung(heap)
    #expect(try old.keys(in: heap) == [1, 1, 2])
  }

  static let steps: [CycleStep] = [
    .posted(.arm), .answered(.arm), .posted(.settle), .answered(.settle), .posted(.roots), .answered(.roots), .marking,
    .round, .posted(.finish), .answered(.finish), .clearing, .posted(.sweep), .answered(.sweep),
  ]

  // MARK: Two heaps

  @Test("A store into an old object is remembered while another heap that the thread is inside of marks")
  func otherHeapMarks() throws {
    let heap = try Heap.young()
    let other = try Heap.quiet()
    let old = try heap.makeChain(1)
    heap.collect()
    let script = Script(other, holdingAt: .answered(.roots))
    let thread = RunningThread {
      try other.withMutator { n in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: n)
        try heap.withMutator { m in storeHidden(try hiddenPair(m), in: old.get(m)!) }
        script.release(.answered(.roots))
        script.wait(for: .over, polling: n)
      }
    }
    script.wait(for: "inside")
    other.collect()
    try thread.join()
    try expectYoung(heap)
    #expect(try old.keys(in: heap) == [1, 1, 2])
  }
}

/// Runs a cycle, which must be a young one.
private func expectYoung(_ heap: Heap) throws {
  let before = heap.statistics.youngCycles
  heap.collectYoung()
  try #require(heap.statistics.youngCycles == before + 1, "the cycle was full")
}

/// A full cycle with a late thread, and one that has answered `sweep` and shows it a new pair of links in an old array.
private final class Scene: Sendable {
  let heap: Heap
  /// An old link, an old array in which the new pair is shown, and what the late thread makes.
  let old: Root<Link>
  let shared: Root<ReferenceArray<Link>>
  let late: Root<Link>

  init() throws {
    let heap = try Heap.young()
    old = try heap.makeChain(1)
    late = try emptyRoot(heap)
    shared = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: 1)) } }
    heap.collect()
    self.heap = heap
  }

  /// Collects. The late thread prepares when it has seen `step`, or before the cycle, and polls until marking has ended; it does what
  /// preparing has given when the new pair is there, without a poll in between. `early` is done by the thread that made the pair.
  func run(
    from step: CycleStep? = nil, staysInside: Bool = true,
    early: @escaping @Sendable (Mutator, Reference<Link>) throws -> Void = { _, _ in },
    late prepare: @escaping @Sendable (Mutator, @escaping () -> Reference<Link>) throws -> () throws -> Void
  ) throws {
    let script = step.map { Script(heap, holdingAt: $0, .clearing) } ?? Script(heap, holdingAt: .clearing)
    let lateThread = RunningThread { [self] in
      try heap.withMutator { m in
        if let step {
          script.say("late inside")
          script.wait(for: step, polling: m)
        }
        let act = try prepare(m) { self.shared.get(m)![0]! }
        script.say("late inside")
        if let step { script.release(step) }
        script.wait(for: .clearing, polling: m)
        script.release(.clearing)
        script.wait(for: "made")
        try act()
        if staysInside { script.wait(for: .over, polling: m) }
      }
    }
    let earlyThread = RunningThread { [self] in
      try heap.withMutator { m in
        script.say("early inside")
        script.wait(for: .posted(.sweep), polling: m)
        m.poll()
        let new = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
        shared.get(m)![0] = new
        try early(m, new)
        script.say("made")
        script.wait(for: .over, polling: m)
      }
    }
    script.wait(for: "late inside")
    script.wait(for: "early inside")
    heap.collect()
    try lateThread.join()
    try earlyThread.join()
  }

  /// Nothing shows the new pair any more but where the threads have put it.
  func dropNew() throws { try onOwnThread { [self] in heap.withMutator { m in shared.get(m)![0] = nil } } }

  /// A young cycle keeps the new pair for the object that `load` finds it in.
  func expectKeptInNextCycle(_ load: @escaping @Sendable (Mutator) -> Reference<Link>?) throws {
    try dropNew()
    try expectYoung(heap)
    let keys = try onOwnThread { [self] in heap.withMutator { m in load(m)?.keys } }
    #expect(keys == [1, 2])
  }
}
