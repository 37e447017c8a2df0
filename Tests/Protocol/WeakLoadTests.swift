// Weak loads in the middle of a cycle: a load before the end of marking keeps its object, one after it answers nil, and the end is one
// moment for all.

import Testing
@_spi(Testing) import Tricolor

@Suite("Weak loads during a cycle")
struct WeakLoadTests {
  private func weakOnly(_ heap: Heap) throws -> Root<Weak<Link>> {
    try onOwnThread {
      try heap.withMutator { m in
        m.root(try m.makeWeak(m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))))
      }
    }
  }

  @Test(
    "What a weak load answers before marking has ended survives the cycle, with all it refers to",
    arguments: [
      CycleStep.posted(.arm), .answered(.arm), .answered(.settle), .posted(.roots), .answered(.roots), .marking, .round,
      .posted(.finish), .answered(.finish),
    ])
  func before(step: CycleStep) throws {
    let heap = try Heap.quiet()
    let weak = try weakOnly(heap)
    let script = Script(heap, holdingAt: step)
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        // At `posted`, before its own answer; at the others after it.
        if let previous = step.answeredBefore { script.wait(for: previous, polling: m) }
        script.wait(for: step, polling: step.isPosted ? nil : m)
        let link = weak.get(m)!.referent
        script.release(step)
        script.wait(for: .over, polling: m)
        return link?.keys ?? []
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [1, 2])
  }

  @Test("After marking has ended a weak load of a dead object answers nil, before and after it has been cleared")
  func after() throws {
    let heap = try Heap.quiet()
    let weak = try weakOnly(heap)
    let script = Script(heap, holdingAt: .clearing, .posted(.sweep))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .clearing, polling: m)
        let first = weak.get(m)!.referent == nil
        script.release(.clearing)
        script.wait(for: .posted(.sweep))
        let second = weak.get(m)!.referent == nil
        script.release(.posted(.sweep))
        script.wait(for: .over, polling: m)
        return [first, second, weak.get(m)!.referent == nil]
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [true, true, true])
  }

  @Test("A weak reference made to a new object while others have yet to answer the sweep handshake answers it")
  func newWhileSweepIsPosted() throws {
    let heap = try Heap.quiet()
    let shared = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeArray(of: Weak<Link>.self, count: 1)) }
    }
    let strong = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: 1)) } }
    let script = Script(heap)
    let maker = RunningThread {
      try heap.withMutator { m in
        script.say("maker inside")
        script.wait(for: .posted(.sweep), polling: m)
        m.poll()
        let link = try m.make(Link(key: 7, left: nil, right: nil))
        strong.get(m)![0] = link
        shared.get(m)![0] = try m.makeWeak(link)
        script.say("made")
        script.wait(for: .over, polling: m)
      }
    }
    let late = RunningThread {
      heap.withMutator { m in
        script.say("late inside")
        // Answers the last `finish`, and then nothing until the new reference is there.
        script.wait(for: .clearing, polling: m)
        script.wait(for: "made")
        let key = shared.get(m)![0]!.referent?.key
        script.wait(for: .over, polling: m)
        return key
      }
    }
    script.wait(for: "maker inside")
    script.wait(for: "late inside")
    heap.collect()
    try maker.join()
    #expect(try late.join() == 7)
  }
}

extension CycleStep {
  /// The last answer that a thread owes before this handshake is posted.
  fileprivate var answeredBefore: CycleStep? {
    switch self {
    case .posted(.roots): .answered(.settle)
    case .posted(.finish): .answered(.roots)
    default: nil
    }
  }

  fileprivate var isPosted: Bool { if case .posted = self { true } else { false } }
}
