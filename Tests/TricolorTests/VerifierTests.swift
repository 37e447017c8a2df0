// The verifier: silent about sound heaps, however busy, and precise about each kind of damage. Damage is done on purpose through the
// testing interface; the checks that end the program run in processes of their own.

import Glibc
import Testing
@_spi(Testing) import Tricolor

@Suite("Verification")
struct VerifierTests {
  // MARK: Sound heaps

  @Test("A heap with objects of every kind is sound, before and after collections, from inside and outside")
  func sound() throws {
    let heap = try Heap.quiet()
    #expect(heap.verify().isSound)
    let kept = try onOwnThread {
      try heap.withMutator { m in
        let all = try m.makeArray(of: Link.self, count: 20_000)
        for i in 0..<20_000 { all[i] = try m.make(Link(key: i, left: i > 0 ? all[i - 1] : nil, right: nil)) }
        let elements = try m.makeElements(of: Link.self, count: 5000)
        elements[4999].left = all[0]
        _ = try m.makeBytes(count: 100)
        _ = try m.makeBytes(count: 5 << 20)
        _ = try m.makeBytes(count: 70 << 20)
        _ = try m.make(Vast(first: all[1], gap: .init(repeating: 0), last: all[2]))
        let inside = heap.verify()
        #expect(inside.isSound, "\(inside)")
        #expect(inside.reachedObjects >= 20_002)
        return (m.root(all), m.root(elements))
      }
    }
    for _ in 0..<3 {
      let result = heap.verify()
      #expect(result.isSound, "\(result)")
      heap.collect()
    }
    #expect(heap.verify().reachedObjects == 20_002)
    withExtendedLifetime(kept) {}
  }

  @Test("The census counts what is reachable by layout, and says how one object of each is reached")
  func census() throws {
    let heap = try Heap.quiet()
    let kept = try onOwnThread {
      try heap.withMutator { m in
        let all = try m.makeArray(of: Link.self, count: 10)
        for i in 0..<10 { all[i] = try m.make(Link(key: i, left: nil, right: nil)) }
        // A chain that hangs on the last, and garbage.
        var last = all[9]!
        for i in 0..<100 {
          last.left = try m.make(Link(key: i, left: nil, right: nil))
          last = last.left!
          _ = try m.make(Link(key: i, left: nil, right: nil))
        }
        last.right = all[0]
        return m.root(all)
      }
    }
    let census = heap.verify().census
    #expect(census.map(\.name) == ["Link", "reference array"])
    #expect(census[0].objects == 110 && census[0].bytes == 110 * 32)
    #expect(census[1].objects == 1 && census[1].bytes == 96)
    #expect(census[1].path.hasPrefix("root slot -> reference array@"))
    let path = census[0].path
    #expect(path.hasPrefix("root slot -> reference array@") && path.contains(" [9] -> Link@"), "\(path)")
    // Longer than is shown whole.
    #expect(path.contains("-> (61 objects) ->"), "\(path)")
    withExtendedLifetime(kept) {}
  }

  @Test(
    "Threads that allocate, store, block, come and go under gcverify and gccheckmark, with verifications beside them")
  func busy() throws {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 256 << 10
    configuration.settings.debug.gcVerify = true
    configuration.settings.debug.gcCheckMark = true
    let heap = try Heap(configuration: configuration)
    try runThreads(4) { index in
      for life in 0..<5 {
        try onOwnThread { try churn(heap, rounds: 3000, seed: index * 100 + life) }
        let result = heap.verify()
        #expect(result.isSound, "\(result)")
      }
    }
    #expect(heap.statistics.cycles > 3)
  }

  @Test("Threads inside two heaps that are both verified do not wait for each other for ever")
  func twoHeaps() throws {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 128 << 10
    configuration.settings.debug.gcVerify = true
    configuration.settings.debug.gcCheckMark = true
    let first = try Heap(configuration: configuration)
    let second = try Heap(configuration: configuration)
    try runThreads(3) { index in
      for _ in 0..<10 {
        try onOwnThread {
          let (outer, inner) = index % 2 == 0 ? (first, second) : (second, first)
          try outer.withMutator { _ in
            try churn(inner, rounds: 500, seed: index)
            try churn(outer, rounds: 500, seed: index)
            #expect(inner.verify().isSound)
          }
        }
      }
    }
    #expect(first.statistics.cycles > 1)
    #expect(second.statistics.cycles > 1)
  }

  @Test("An object that only a held thread's stack refers to is reached")
  func heldStack() throws {
    let heap = try Heap.quiet()
    let thread = RunningThread {
      try heap.withMutator { m in
        let list = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
        let before = heap.verify().reachedObjects
        return (before, list.keys)
      }
    }
    let (reached, keys) = try thread.join()
    #expect(reached >= 2)
    #expect(keys == [1, 2])
  }

  @Test(
    "Weak references and ephemerons, with objects alive and dead, are sound under both checks; external bytes are counted"
  )
  func weak() throws {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.debug.gcVerify = true
    configuration.settings.debug.gcCheckMark = true
    let heap = try Heap(configuration: configuration)
    let kept = try onOwnThread {
      try heap.withMutator { m in
        let kept = try m.makeArray(of: Link.self, count: 50)
        let weak = try m.makeArray(of: Weak<Link>.self, count: 100)
        let ephemerons = try m.makeArray(of: Ephemeron<Link, Link>.self, count: 100)
        for i in 0..<100 {
          let key = try m.make(Link(key: i, left: nil, right: nil))
          weak[i] = try m.makeWeak(key)
          ephemerons[i] = try m.makeEphemeron(key: key, value: m.make(Link(key: -i, left: key, right: nil)))
          m.addExternalBytes(1000, to: key)
          if i % 2 == 0 { kept[i / 2] = key }
        }
        return (m.root(kept), m.root(weak), m.root(ephemerons))
      }
    }
    for _ in 0..<3 {
      let result = heap.verify()
      #expect(result.isSound, "\(result)")
      heap.collect()
    }
    // Three arrays, 50 keys, 50 values, 200 weak cells and ephemerons.
    #expect(heap.verify().reachedObjects == 303)
    withExtendedLifetime(kept) {}
  }

  @Test("A weak reference to a cell that is free is named")
  func danglingWeak() throws {
    let (heap, links) = try chain(2)
    let weak = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeWeak(m.make(Link(key: 9, left: nil, right: nil)))) }
    }
    let cell = try onOwnThread { heap.withMutator { m in UInt(bitPattern: weak.get(m)!.address) } }
    heap.inflict(.word(links[1] + 32 * 400, at: cell))
    expect(heap, .reference, "root slot -> weak reference@\(hex(cell)) (+0) = ")
  }

  // MARK: Damage

  @Test("A reference out of the managed range is named, with the path from the root")
  func wildReference() throws {
    let (heap, links) = try chain(3)
    heap.inflict(.word(0x1230, at: links[2] + 8))
    expect(heap, .reference, "root slot -> Link@\(hex(links[0])) (+8) -> Link@\(hex(links[1])) (+8) -> ")
    expect(heap, .reference, "Link@\(hex(links[2])) (+8) = 0x1230: outside the managed address range")
  }

  @Test("References into an object, to a free cell, to a free block and to another heap are named")
  func wrongReferences() throws {
    let (heap, links) = try chain(2)
    heap.inflict(.word(links[0] + 16, at: links[1] + 8))
    expect(heap, .reference, "(+8) = \(hex(links[0] + 16)): 16 bytes into Link@\(hex(links[0])), not its start")
    heap.inflict(.word(links[1] + 32 * 400, at: links[1] + 8))
    expect(heap, .reference, "not an allocated cell")
    heap.inflict(.word(links[1] + 32 << 20, at: links[1] + 8))
    expect(heap, .reference, "in a free block")
    let (other, strangers) = try chain(1)
    heap.inflict(.word(strangers[0], at: links[1] + 8))
    expect(heap, .reference, "an object of another heap")
    #expect(other.verify().isSound)
    heap.inflict(.word(0, at: links[1] + 8))
    #expect(heap.verify().isSound)
  }

  @Test("An array that says it has more elements than its cell has room for is named")
  func wrongCount() throws {
    let heap = try Heap.quiet()
    let array = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: 5)) } }
    let address = try onOwnThread { heap.withMutator { m in UInt(bitPattern: array.get(m)!.address) } }
    heap.inflict(.word(6, at: address))
    expect(heap, .object, "reference array@\(hex(address)) says it has 6 elements; its cell has room for 5")
  }

  @Test("A cell whose allocation bit is gone, and one whose mark was left, are named")
  func bits() throws {
    let (heap, links) = try chain(3)
    heap.collect()
    heap.inflict(.allocationBit(at: links[1]))
    expect(heap, .reference, "root slot -> Link@\(hex(links[0])) (+8) = \(hex(links[1])): not an allocated cell")
    heap.inflict(.allocationBit(at: links[1]))
    heap.inflict(.allocationBit(at: links[1] + 16))
    expect(heap, .bitmap, "allocation bit at \(hex(links[1] + 16)), which is not the start of a cell")
    heap.inflict(.allocationBit(at: links[1] + 16))
    heap.inflict(.markBit(at: links[2]))
    expect(heap, .bitmap, "mark bit at \(hex(links[2])) after the sweep")
    heap.inflict(.markBit(at: links[2]))
    #expect(heap.verify().isSound)
  }

  @Test("Every field of a block's description that contradicts its lane is named")
  func descriptors() throws {
    let (heap, links) = try chain(3)
    let at = links[0]
    heap.inflict(.span(7, at: at))
    expect(heap, .block, "has span 7, not 1")
    heap.inflict(.span(1, at: at))
    heap.inflict(.cellBytes(48, at: at))
    expect(heap, .block, "has cell size 48, not 32")
    heap.inflict(.cellBytes(32, at: at))
    heap.inflict(.frontier(33, at: at))
    expect(heap, .block, "has frontier 33; allowed are the starts of 512 cells of 32 bytes")
    heap.inflict(.frontier(96, at: at))
    heap.inflict(.lane(4095, at: at))
    expect(heap, .block, "is of lane 4095; allowed are 1 to")
    heap.inflict(.kind(9, at: at))
    expect(heap, .block, "is of kind 9; allowed are 0 to 3")
    heap.inflict(.kind(0, at: at))
    expect(heap, .block, "is free and not in the table of free blocks")
    heap.inflict(.kind(3, at: at))
    expect(heap, .block, "continues a run that does not reach it")
  }

  @Test("A wrong scan word is named")
  func scanWord() throws {
    let (heap, links) = try chain(3)
    heap.inflict(.scanWord(1, at: links[0]))
    expect(heap, .block, "has scan word 0x1, not 0x")
  }

  @Test("A block that is on no list, and a list that never ends, are named")
  func lists() throws {
    let (heap, links) = try chain(2000)
    heap.inflict(.knottedList(laneOf: links[0]))
    expect(heap, .list, "blocks it counts")
    let (other, others) = try chain(3)
    other.inflict(.unlisted(laneOf: others[0]))
    expect(other, .list, "is on no list and open in no thread")
  }

  @Test("A counter of live bytes that disagrees with the cells is named")
  func counters() throws {
    let (heap, _) = try chain(3)
    heap.inflict(.liveBytes(32))
    expect(heap, .count, "128 live bytes are counted, and there are 96")
  }

  @Test("Of many faults sixteen are kept and all are counted")
  func many() throws {
    let (heap, links) = try chain(100)
    for link in links { heap.inflict(.word(0x10, at: link + 16)) }
    let result = heap.verify()
    #expect(result.faults.count == 16)
    #expect(result.faultCount == 100)
    #expect(result.description.contains("and 84 more"))
  }

  // MARK: Switches

  @Test("gcverify ends the program after the cycle that finds a fault")
  func verifySwitch() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var configuration = Heap.Configuration()
      configuration.settings.debug.gcVerify = true
      let heap = try Heap(configuration: configuration)
      let root = try heap.makeChain(2)
      let links = try heap.addresses(of: root)
      heap.onCycleStep { step in
        // After marking, so that the marker does not follow it.
        if step == .answered(.sweep) { heap.inflict(.word(0x1230, at: links[0] + 16)) }
      }
      heap.collect()
    }
    expect(result, toSay: "gcverify in cycle 1: 1 faults")
    expect(result, toSay: "(+16) = 0x1230: outside the managed address range")
  }

  @Test("gccheckmark names an object whose mark was lost, and the path to it")
  func checkMarkSwitch() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var configuration = Heap.Configuration()
      configuration.settings.debug.gcCheckMark = true
      let heap = try Heap(configuration: configuration)
      let root = try heap.makeChain(3)
      let links = try heap.addresses(of: root)
      heap.onCycleStep { step in
        if step == .posted(.hold) { heap.inflict(.markBit(at: links[2])) }
      }
      heap.collect()
    }
    expect(result, toSay: "gccheckmark in cycle 1: 1 faults")
    expect(result, toSay: "root slot -> Link@")
    expect(result, toSay: ": reachable and not marked")
  }

  @Test("gccheckmark counts floating garbage in a line of its own, and goes on")
  func floating() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var configuration = Heap.Configuration()
      configuration.gcPercent = nil
      configuration.settings.debug.gcCheckMark = true
      configuration.settings.debug.gcTrace = true
      let heap = try Heap(configuration: configuration)
      let root = try heap.makeChain(5)
      let links = try heap.addresses(of: root)
      heap.onCycleStep { step in
        // Cut between the end of marking and the look at the marks: the last three have died since they were marked.
        if step == .answered(.hold) { heap.inflict(.word(0, at: links[1] + 8)) }
      }
      heap.collect()
    }
    expect(result, toSay: "gccheckmark: re-marked 2 objects, 3 floating, 0 on a stack alone")
  }

  // MARK: Helpers

  /// A quiet heap with a chain of `count` links, and their addresses.
  private func chain(_ count: Int) throws -> (Heap, [UInt]) {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(count)
    let addresses = try heap.addresses(of: root)
    // Dropped with the process: a root keeps its heap.
    VerifierTests.kept.withLock { $0.append(root) }
    return (heap, addresses)
  }

  private static let kept = Shared<[Root<Link>]>([])

  private func hex(_ address: UInt) -> String { "0x" + String(address, radix: 16) }

  private func expect(_ heap: Heap, _ kind: HeapFault.Kind, _ text: String) {
    let result = heap.verify()
    #expect(result.faults.contains { $0.kind == kind && $0.description.contains(text) }, "\(text) is not in \(result)")
  }

  private func expect(_ result: ExitTest.Result?, toSay text: String) {
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains(text), "\(text) is not in \(said)")
  }
}

extension Heap {
  /// The addresses of a chain's links, in order.
  fileprivate func addresses(of root: Root<Link>) throws -> [UInt] {
    try onOwnThread {
      self.withMutator { m in
        var addresses: [UInt] = []
        var next = root.get(m)
        while let link = next {
          addresses.append(UInt(bitPattern: link.address))
          next = link.left
        }
        return addresses
      }
    }
  }
}

/// A window of lists that are made, linked with each other and dropped.
private func churn(_ heap: Heap, rounds: Int, seed: Int) throws {
  try heap.withMutator { m in
    let window = try m.makeArray(of: Link.self, count: 64)
    for round in 0..<rounds {
      let slot = (round &* 31 &+ seed) & 63
      let link = try m.make(Link(key: round, left: window[slot], right: window[(slot + 7) & 63]))
      window[slot] = round % 5 == 0 ? nil : link
      if let left = link.left { left.left = nil }
      if round % 50 == 0 { _ = try m.makeArray(of: Link.self, count: 10_000) }
      if round % 97 == 0 { m.blocking { _ = sched_yield() } }
      m.poll()
    }
  }
}
