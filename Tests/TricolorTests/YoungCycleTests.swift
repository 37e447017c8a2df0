// Young cycles: what was there before counts as alive, what is new lives and dies by its references, and whatever an old object has
// been made to refer to is found, in whichever kind of slot on whichever card.
//
// References are stored by threads that have ended when the cycle runs, so that no stack keeps what only a card should.

import Glibc
import Testing
@_spi(Testing) import Tricolor
import TricolorPacing
@_spi(Testing) import TricolorPlatform

@Suite("Young cycles")
struct YoungCycleTests {
  // MARK: What lives and what dies

  @Test("An old object that nothing refers to survives a young cycle and dies in a full one, for weak references too")
  func oldGarbage() throws {
    let heap = try Heap.young()
    let root = try heap.makeChain(2)
    heap.collect()
    let (hidden, weak) = try onOwnThread {
      try heap.withMutator { m in (HiddenAddress(root.get(m)!), m.root(try m.makeWeak(root.get(m)!))) }
    }
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    try expectYoung(heap)
    #expect(heap.cell(containing: hidden.address) == hidden.address)
    #expect(hidden.reference(to: Link.self).keys == [1, 2])
    #expect(try referentKey(of: weak, heap) == 1)
    heap.collect()
    #expect(heap.cell(containing: hidden.address) == nil)
    #expect(try referentKey(of: weak, heap) == nil)
  }

  @Test("Young garbage is freed by a young cycle, and what is reachable, old or young, is counted to the byte")
  func youngGarbage() throws {
    let heap = try Heap.young()
    let old = try heap.makeChain(100)
    heap.collect()
    let young = try heap.makeChain(50)
    let hidden = try onOwnThread {
      try heap.withMutator { m in
        for key in 0..<5000 { _ = try m.make(Link(key: key, left: nil, right: nil)) }
        _ = try m.makeBytes(count: 1 << 20)
        return HiddenAddress(try m.make(Link(key: 1, left: old.get(m), right: young.get(m))))
      }
    }
    let marked = heap.statistics.markedObjects
    try expectYoung(heap)
    #expect(heap.cell(containing: hidden.address) == nil)
    #expect(heap.statistics.liveBytes == 150 * 32)
    #expect(heap.statistics.markedObjects - marked == 50, "old objects were marked, or garbage was")
    #expect(try old.keys(in: heap) == Array(1...100))
    #expect(try young.keys(in: heap) == Array(1...50))
  }

  @Test("Old objects are not counted as freed by a young cycle, nor by the full one after it")
  func oldObjectsAreNotFreed() throws {
    let heap = try Heap.young()
    let old = try heap.makeChain(100)
    heap.collect()
    try expectYoung(heap)
    #expect(heap.statistics.allocatedObjects - heap.statistics.freedObjects == 100, "after a young cycle")
    heap.collect()
    #expect(heap.statistics.allocatedObjects - heap.statistics.freedObjects == 100, "after a full cycle")
    #expect(try old.keys(in: heap) == Array(1...100))
  }

  @Test("What survives a young cycle is old in the next one: it needs no reference any more until a full cycle")
  func promotion() throws {
    let heap = try Heap.young()
    let root = try heap.makeChain(3)
    try expectYoung(heap)
    let hidden = try onOwnThread {
      heap.withMutator { m in
        let third = HiddenAddress(root.get(m)!.left!.left!)
        root.get(m)!.left = nil
        return third
      }
    }
    try expectYoung(heap)
    #expect(heap.cell(containing: hidden.address) == hidden.address)
    heap.collect()
    #expect(heap.cell(containing: hidden.address) == nil)
    #expect(heap.statistics.liveBytes == 32)
  }

  @Test("A heap that has had many young cycles is sound, and holds what it held, to the byte")
  func manyCycles() throws {
    let heap = try Heap.young()
    let count = 2000
    let root = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: count)) }
    }
    for round in 0..<20 {
      try onOwnThread {
        try heap.withMutator { m in
          let array = root.get(m)!
          for i in stride(from: round, to: count, by: 7) {
            array[i] = try m.make(Link(key: round * count + i, left: nil, right: nil))
            array[i]!.left = try m.make(Link(key: -i, left: nil, right: nil))
          }
        }
      }
      heap.collectYoung()
      let result = heap.verify()
      #expect(result.isSound, "\(result)")
    }
    #expect(heap.statistics.youngCycles == 15)
    heap.collect()
    let held = try onOwnThread { heap.withMutator { m in (0..<count).filter { root.get(m)![$0]?.left != nil }.count } }
    #expect(held == count)
    #expect(heap.statistics.liveBytes == Heap.cellBytes(for: 8 + 8 * count)! + 64 * count)
  }

  // MARK: Slots of old objects

  @Test("A young object survives that only a field of an old one refers to")
  func field() throws {
    try expectRemembered { m in
      try m.make(
        Nested(
          number: 1, first: nil, inner: .init(number: 2, link: nil, last: nil), pair: (5, nil), flag: true, end: nil))
    } store: { nested, young in
      nested.end = young
    } load: { nested in
      nested.end
    }
  }

  @Test("A young object survives that only an inline slot of an old one refers to")
  func inlineSlot() throws {
    try expectRemembered { m in
      try m.make(Row(links: .init(repeating: nil), last: nil))
    } store: { row, young in
      row.links[8] = young
    } load: { row in
      row.links[8]
    }
  }

  @Test("A young object survives in any slot of an old array, at both sides of each border between cards")
  func arrayBorders() throws {
    let heap = try Heap.young()
    let root = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: 3000)) } }
    heap.collect()
    let start = try onOwnThread { heap.withMutator { m in UInt(bitPattern: root.get(m)!.address) + 8 } }
    let places = (0..<3000).filter { [0, 2040].contains((start + UInt($0) * 8) % 2048) || $0 == 0 || $0 == 2999 }
    #expect(places.count > 20)
    for place in places {
      heap.collect()
      try onOwnThread { try heap.withMutator { m in root.get(m)![place] = try youngPair(m) } }
      try expectYoung(heap)
      let keys = try onOwnThread { heap.withMutator { m in root.get(m)![place]!.keys } }
      #expect(keys == [1, 2], "slot \(place)")
    }
  }

  @Test("An old array of no references, or of no elements, is nothing to scan on a dirty card")
  func emptyArrays() throws {
    let heap = try Heap.young()
    let count = 200
    let root = try onOwnThread {
      try heap.withMutator { m in
        let all = try m.makeArray(of: ReferenceArray<Link>.self, count: 3 * count)
        for index in 0..<count {
          all[3 * index] = try m.makeArray(of: Link.self, count: 0)
          all[3 * index + 1] = try m.makeArray(of: Link.self, count: 1)
          // The collector goes by the block, not by the type of the reference.
          let elements = try m.makeElements(of: Link.self, count: 0)
          all[3 * index + 2] = Reference<ReferenceArray<Link>>(unsafeAddress: elements.address)
        }
        return m.root(all)
      }
    }
    heap.collect()
    try onOwnThread {
      try heap.withMutator { m in
        for index in 0..<count { root.get(m)![3 * index + 1]![0] = try m.make(Link(key: index, left: nil, right: nil)) }
      }
    }
    try expectYoung(heap)
    let keys = try onOwnThread {
      heap.withMutator { m in (0..<count).map { root.get(m)![3 * $0 + 1]![0]?.key } }
    }
    #expect(keys == Array(0..<count))
  }

  @Test("Young objects survive in an old array of several MiB, in slots on few of its cards")
  func largeArray() throws {
    let heap = try Heap.young()
    let count = 1 << 19
    let places = [0, 1, 254, 255, 256, 2046, 2047, 2048, 99_999, 300_000, 300_001, count - 300, count - 2, count - 1]
    let root = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: count)) } }
    heap.collect()
    for _ in 0..<3 {
      try onOwnThread {
        try heap.withMutator { m in for i in places { root.get(m)![i] = try youngPair(m) } }
      }
      let marked = heap.statistics.markedObjects
      try expectYoung(heap)
      #expect(heap.statistics.markedObjects - marked == 2 * places.count)
      let wrong = try onOwnThread {
        heap.withMutator { m in places.filter { root.get(m)![$0]?.keys != [1, 2] } }
      }
      #expect(wrong == [])
    }
  }

  @Test("A young object survives in any element of an old array of elements", arguments: [10, 200, 2000])
  func elements(count: Int) throws {
    let heap = try Heap.young()
    let root = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeElements(of: Nested.self, count: count)) }
    }
    heap.collect()
    for place in stride(from: 0, to: count, by: max(1, count / 16)) {
      heap.collect()
      try onOwnThread {
        try heap.withMutator { m in
          root.get(m)![place].first = try youngPair(m)
          root.get(m)![place].end = try youngPair(m)
        }
      }
      try expectYoung(heap)
      let keys = try onOwnThread {
        heap.withMutator { m in [root.get(m)![place].first!.keys, root.get(m)![place].end!.keys] }
      }
      #expect(keys == [[1, 2], [1, 2]], "element \(place)")
    }
  }

  @Test("A young object survives that only the part of an old object on its second card refers to")
  func secondCard() throws {
    let heap = try Heap.young()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let all = try m.makeArray(of: Sparse.self, count: 60)
        for i in 0..<60 { all[i] = try m.make(Sparse(first: nil, gap: .init(repeating: i), last: nil)) }
        return m.root(all)
      }
    }
    heap.collect()
    let crossing = try onOwnThread {
      heap.withMutator { m in
        (0..<60).filter { i in
          let start = UInt(bitPattern: root.get(m)![i]!.address)
          return start / 2048 != (start + 800) / 2048
        }
      }
    }
    #expect(crossing.count > 10)
    for i in crossing {
      heap.collect()
      try onOwnThread { try heap.withMutator { m in root.get(m)![i]!.last = try youngPair(m) } }
      try expectYoung(heap)
      let keys = try onOwnThread { heap.withMutator { m in root.get(m)![i]!.last!.keys } }
      #expect(keys == [1, 2])
    }
  }

  @Test("A young object survives that only the end of an old object with blocks of its own refers to")
  func largeFixed() throws {
    try expectRemembered { m in
      try m.make(Vast(first: nil, gap: .init(repeating: 7), last: nil))
    } store: { vast, young in
      vast.last = young
    } load: { vast in
      vast.last
    }
  }

  @Test("A young object survives that only an old object of a custom layout refers to", arguments: [64, 6144, 40_000])
  func custom(bytes: Int) throws {
    let layout = try Layout.register(.custom(trace: traceLastWord), name: "last word")
    try expectRemembered { (m: Mutator) -> Reference<Custom> in
      Reference(unsafeAddress: try m.allocate(layout, bytes: bytes))
    } store: { object, young in
      lastLink(object, bytes).left = young
    } load: { object in
      lastLink(object, bytes).left
    }
  }

  @Test("A young value of an old ephemeron survives with its key")
  func lateValue() throws {
    let heap = try Heap.young()
    let (key, ephemeron) = try onOwnThread {
      try heap.withMutator { m in
        let key = try m.make(Link(key: 9, left: nil, right: nil))
        return (m.root(key), m.root(try m.makeEphemeron(key: key, value: nil as Reference<Link>?)))
      }
    }
    heap.collect()
    try onOwnThread { try heap.withMutator { m in ephemeron.get(m)!.value = try youngPair(m) } }
    try expectYoung(heap)
    let keys = try onOwnThread { heap.withMutator { m in ephemeron.get(m)!.value?.keys } }
    #expect(keys == [1, 2])
    try onOwnThread { heap.withMutator { m in key.set(nil, m) } }
    heap.collect()
    let value = try onOwnThread { heap.withMutator { m in ephemeron.get(m)!.value?.keys } }
    #expect(value == nil)
  }

  @Test("A store of nil into an old object lets the young one that was there die")
  func cleared() throws {
    let heap = try Heap.young()
    let root = try heap.makeChain(1)
    heap.collect()
    let hidden = try onOwnThread {
      try heap.withMutator { m in
        root.get(m)!.left = try youngPair(m)
        let hidden = HiddenAddress(root.get(m)!.left!)
        root.get(m)!.left = nil
        return hidden
      }
    }
    try expectYoung(heap)
    #expect(heap.cell(containing: hidden.address) == nil)
    #expect(heap.statistics.liveBytes == 32)
  }

  @Test("What an old object was made to refer to lives on through further cycles of both kinds")
  func furtherCycles() throws {
    let heap = try Heap.young()
    let root = try heap.makeChain(1)
    heap.collect()
    try onOwnThread { try heap.withMutator { m in root.get(m)!.left = try youngPair(m) } }
    for _ in 0..<3 {
      try expectYoung(heap)
      #expect(try root.keys(in: heap) == [1, 1, 2])
    }
    heap.collect()
    #expect(try root.keys(in: heap) == [1, 1, 2])
  }

  // MARK: Weak references and cleanups

  @Test("Weak references and ephemerons to young objects answer while these live, and nil once they die")
  func youngTargets() throws {
    let heap = try Heap.young()
    let (kept, weak, ephemerons) = try onOwnThread {
      try heap.withMutator { m in
        let weak = try m.makeArray(of: Weak<Link>.self, count: 2)
        let ephemerons = try m.makeArray(of: Ephemeron<Link, Link>.self, count: 2)
        return (m.root(nil as Reference<Link>?), m.root(weak), m.root(ephemerons))
      }
    }
    heap.collect()
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<2 {
          let target = try m.make(Link(key: i, left: nil, right: nil))
          weak.get(m)![i] = try m.makeWeak(target)
          ephemerons.get(m)![i] = try m.makeEphemeron(key: target, value: youngPair(m))
          if i == 0 { kept.set(target, m) }
        }
      }
    }
    try expectYoung(heap)
    let answers = try onOwnThread {
      heap.withMutator { m in
        (0..<2).map { [weak.get(m)![$0]!.referent?.key] + (ephemerons.get(m)![$0]!.value?.keys ?? []) }
      }
    }
    #expect(answers == [[0, 1, 2], [nil]])
  }

  @Test("A young ephemeron keeps its value while its old key counts as alive")
  func oldKey() throws {
    let heap = try Heap.young()
    let key = try heap.makeChain(1)
    heap.collect()
    let ephemeron = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeEphemeron(key: key.get(m)!, value: youngPair(m))) }
    }
    try onOwnThread { heap.withMutator { m in key.set(nil, m) } }
    let value: @Sendable () throws -> [Int]? = {
      try onOwnThread { heap.withMutator { m in ephemeron.get(m)!.value?.keys } }
    }
    try expectYoung(heap)
    #expect(try value() == [1, 2])
    heap.collect()
    #expect(try value() == nil)
  }

  @Test("The cleanup of a young object runs after a young cycle, that of an old one after a full one")
  func cleanups() throws {
    let heap = try Heap.young()
    let runs = Shared<[String]>([])
    let root = try onOwnThread {
      try heap.withMutator { m in
        let old = try m.make(Link(key: 1, left: nil, right: nil))
        m.addCleanup(to: old) { runs.withLock { $0.append("old") } }
        return m.root(old)
      }
    }
    heap.collect()
    try onOwnThread {
      try heap.withMutator { m in
        root.set(nil, m)
        m.addCleanup(to: try m.make(Link(key: 2, left: nil, right: nil))) { runs.withLock { $0.append("young") } }
      }
    }
    try expectYoung(heap)
    wait { runs.withLock { !$0.isEmpty } }
    #expect(runs.withLock { $0 } == ["young"])
    heap.collect()
    wait { runs.withLock { $0.count } == 2 }
    #expect(runs.withLock { $0 } == ["young", "old"])
  }

  // MARK: Which cycles are young

  @Test("With always, every fourth cycle on request is full, and collect() is, whenever it comes")
  func everyFourth() throws {
    let heap = try Heap.young()
    let isYoung = { () -> Bool in
      let before = heap.statistics.youngCycles
      heap.collectYoung()
      return heap.statistics.youngCycles == before + 1
    }
    #expect((0..<9).map { _ in isYoung() } == [true, true, true, false, true, true, true, false, true])
    for _ in 0..<6 {
      let before = heap.statistics.youngCycles
      heap.collect()
      #expect(heap.statistics.youngCycles == before)
    }
    #expect((0..<4).map { _ in isYoung() } == [true, true, true, false])
    #expect(heap.statistics.cycles == 1 + 9 + 6 + 4)
  }

  @Test("The first cycle is full, and with off all are")
  func neverYoung() throws {
    for (setting, young) in [(YoungCycles.off, 0), (.always, 3)] {
      var configuration = Heap.Configuration()
      configuration.gcPercent = nil
      configuration.settings.youngCycles = setting
      let heap = try Heap(configuration: configuration)
      let root = try heap.makeChain(10)
      heap.collectYoung()
      #expect(heap.statistics.youngCycles == 0)
      for _ in 0..<3 { heap.collectYoung() }
      #expect(heap.statistics.youngCycles == young)
      #expect(try root.keys(in: heap) == Array(1...10))
    }
  }

  @Test("Events say which cycles were young")
  func events() async throws {
    let heap = try Heap.young()
    let events = heap.events
    for _ in 0..<5 { heap.collectYoung() }
    var kinds: [Bool] = []
    for await event in events {
      kinds.append(event.isYoung)
      if kinds.count == 5 { break }
    }
    #expect(kinds == [true, true, true, false, true])
  }

  @Test("A program with 8 MiB of steady data and much garbage comes to young cycles by itself")
  func steadyProgram() throws {
    let heap = try automatic(gcPercent: 100)
    let count = 200_000
    let wrong = try onOwnThread {
      try heap.withMutator { m in
        let data = m.root(try m.makeArray(of: Link.self, count: count))
        for i in 0..<count { data.get(m)![i] = try m.make(Link(key: i, left: nil, right: nil)) }
        while heap.statistics.youngCycles < 3 && heap.statistics.cycles < 300 {
          for _ in 0..<1000 { _ = try m.makeBytes(count: 1000) }
        }
        return (0..<count).filter { data.get(m)![$0]!.key != $0 }.count
      }
    }
    #expect(heap.statistics.youngCycles > 0)
    #expect(wrong == 0)
  }

  @Test("A program that has replaced all its data by the next cycle never does")
  func replacingProgram() throws {
    let heap = try automatic(gcPercent: 400)
    let count = 8192
    try onOwnThread {
      try heap.withMutator { m in
        let window = m.root(try m.makeArray(of: Bytes.self, count: count))
        for i in 0..<count * 50 { window.get(m)![i % count] = try m.makeBytes(count: 1000) }
      }
    }
    #expect(heap.statistics.cycles > 0)
    #expect(heap.statistics.youngCycles == 0)
  }

  // MARK: Two heaps

  @Test("A thread inside two heaps, one with young cycles and one without, loses nothing in either")
  func twoHeaps() throws {
    let young = try Heap.young()
    let plain = try Heap.quiet()
    let (first, second) = (try young.makeChain(1), try plain.makeChain(1))
    for _ in 0..<5 {
      young.collect()
      plain.collect()
      try onOwnThread {
        try young.withMutator { m in
          try plain.withMutator { n in
            second.get(n)!.left = try youngPair(n)
            try young.withMutator { again in first.get(again)!.left = try youngPair(again) }
          }
          first.get(m)!.right = try youngPair(m)
        }
      }
      try expectYoung(young)
      plain.collectYoung()
      #expect(try first.keys(in: young) == [1, 1, 2])
      #expect(try second.keys(in: plain) == [1, 1, 2])
      let right = try onOwnThread { young.withMutator { m in first.get(m)!.right!.keys } }
      #expect(right == [1, 2])
    }
    #expect(plain.statistics.youngCycles == 0)
    #expect(young.verify().isSound && plain.verify().isSound)
  }

  // MARK: Checks and faults, in processes of their own

  @Test("gcverify and gccheckmark find nothing in young cycles beside threads that store")
  func checks() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      alarm(600)
      var configuration = Heap.Configuration()
      configuration.settings.minimumHeap = 512 << 10
      configuration.settings.youngCycles = .always
      configuration.settings.debug.clobberFree = true
      configuration.settings.debug.gcVerify = true
      configuration.settings.debug.gcCheckMark = true
      let heap = try Heap(configuration: configuration)
      try runThreads(2) { index in
        let web = try Web(heap, knots: 2000, seed: 11 + UInt64(index))
        let row = try OldRow(heap, count: 500)
        for round in 0..<20 {
          try web.change(500)
          try row.renew(round)
          try onOwnThread { try heap.withMutator { m in for _ in 0..<200 { _ = try m.makeBytes(count: 1000) } } }
        }
        for _ in 0..<4 { heap.collectYoung() }
        try web.check()
        try row.check()
      }
      precondition(heap.statistics.youngCycles > 2, "\(heap.statistics.youngCycles) young cycles")
    }
    #expect(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self) == "")
  }

  @Test("Young cycles without memory for grey chunks lose nothing, and count each object once")
  func greyOverflow() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.young()
      let row = try OldRow(heap, count: 1000)
      heap.collect()
      let web = try Web(heap, knots: 300_000, seed: 21)
      try row.renew(0)
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      heap.collectYoung()
      precondition(heap.statistics.youngCycles == 1 && heap.markStackOverflows > 0, "no young cycle that overflowed")
      try web.check()
      try row.check()
      let live = heap.statistics.liveBytes
      try web.change(10_000)
      heap.collectYoung()
      precondition(heap.statistics.youngCycles == 2)
      try web.check()
      try row.check()
      FaultInjection.end()
      heap.collect()
      try web.check()
      // The pairs that were replaced had been old.
      let expected = live - 143 * 64
      precondition(heap.statistics.liveBytes == expected, "\(heap.statistics.liveBytes) bytes live, not \(expected)")
    }
  }

  @Test("A young cycle that has no chunk for the scan of dirty cards loses nothing")
  func cardsWithoutChunk() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.young()
      let count = 100_000
      let (source, target, holder) = try onOwnThread {
        try heap.withMutator { m in
          (
            m.root(try m.makeArray(of: Link.self, count: count)), m.root(try m.makeArray(of: Link.self, count: count)),
            m.root(try m.make(Link(key: 0, left: nil, right: nil)))
          )
        }
      }
      heap.collect()
      try onOwnThread {
        try heap.withMutator { m in
          for i in 0..<count { source.get(m)![i] = try m.make(Link(key: i, left: nil, right: nil)) }
          holder.get(m)!.left = try youngPair(m)
        }
      }
      // Each full barrier buffer takes a chunk, and none is given back while marking has not begun.
      let isHeld = Shared(false)
      let isReleased = Shared(false)
      heap.onCycleStep { step in
        if step != .answered(.roots) { return }
        isHeld.withLock { $0 = true }
        while !isReleased.withLock({ $0 }) { usleep(100) }
      }
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      let collecting = RunningThread { heap.collectYoung() }
      while !isHeld.withLock({ $0 }) { usleep(100) }
      try onOwnThread {
        heap.withMutator { m in
          let (from, to) = (source.get(m)!, target.get(m)!)
          for i in 0..<count {
            to[i] = from[i]
            from[i] = nil
          }
        }
      }
      precondition(heap.markStackOverflows > 0, "the chunks were not used up")
      isReleased.withLock { $0 = true }
      try collecting.join()
      FaultInjection.end()
      heap.onCycleStep(nil)
      precondition(heap.statistics.youngCycles == 1)
      let wrong = try onOwnThread {
        heap.withMutator { m in (0..<count).filter { target.get(m)![$0]?.key != $0 }.count }
      }
      precondition(wrong == 0, "\(wrong) of \(count) are lost")
      let kept = try onOwnThread { heap.withMutator { m in holder.get(m)!.left!.keys } }
      precondition(kept == [1, 2], "\(kept)")
    }
  }

  // MARK: Helpers

  /// Runs a cycle, which must be a young one.
  private func expectYoung(_ heap: Heap) throws {
    let before = heap.statistics.youngCycles
    heap.collectYoung()
    try #require(heap.statistics.youngCycles == before + 1, "the cycle was full")
  }

  /// Makes an old object, has a thread store a young pair in it, and lets two young cycles pass.
  private func expectRemembered<Target: ManagedObject & SendableMetatype>(
    _ make: @escaping @Sendable (Mutator) throws -> Reference<Target>,
    store: @escaping @Sendable (Reference<Target>, Reference<Link>) -> Void,
    load: @escaping @Sendable (Reference<Target>) -> Reference<Link>?
  ) throws {
    let heap = try Heap.young()
    let root = try onOwnThread { try heap.withMutator { m in m.root(try make(m)) } }
    heap.collect()
    try onOwnThread { try heap.withMutator { m in store(root.get(m)!, try youngPair(m)) } }
    for _ in 0..<2 {
      try expectYoung(heap)
      let keys = try onOwnThread { heap.withMutator { m in load(root.get(m)!)?.keys } }
      #expect(keys == [1, 2])
    }
  }

  private func referentKey(of weak: Root<Weak<Link>>, _ heap: Heap) throws -> Int? {
    try onOwnThread { heap.withMutator { m in weak.get(m)!.referent?.key } }
  }

  private func automatic(gcPercent: Int) throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.gcPercent = gcPercent
    return try Heap(configuration: configuration)
  }

  private func wait(until condition: () -> Bool) {
    let end = ContinuousClock.now + .seconds(20)
    while !condition() && ContinuousClock.now < end { usleep(100) }
  }
}

/// A new pair of links, keys 1 and 2.
private func youngPair(_ m: Mutator) throws -> Reference<Link> {
  try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
}

/// What a layout with a trace function describes.
private enum Custom: ManagedObject {}

private let traceLastWord: TraceFunction = { object, bytes, visit, context in
  let word = object.load(fromByteOffset: bytes - 8, as: UInt.self)
  if word != 0 { visit(context, word) }
}

/// The last words of an object seen as a link whose `left` is the last one.
private func lastLink(_ object: Reference<Custom>, _ bytes: Int) -> Reference<Link> {
  Reference(unsafeAddress: object.address + bytes - MemoryLayout<Link>.offset(of: \.left)! - 8)
}

/// An array whose links are replaced now and then, each for a new pair: an old object that refers to young ones.
private final class OldRow: Sendable {
  private let heap: Heap
  private let count: Int
  private let root: Root<ReferenceArray<Link>>

  init(_ heap: Heap, count: Int) throws {
    self.heap = heap
    self.count = count
    root = try onOwnThread { try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: count)) } }
    for part in 0..<7 { try renew(part) }
  }

  /// Replaces every seventh pair.
  func renew(_ part: Int) throws {
    try onOwnThread { [self] in
      try heap.withMutator { m in
        for i in stride(from: part % 7, to: count, by: 7) {
          root.get(m)![i] = try m.make(Link(key: i, left: m.make(Link(key: -i, left: nil, right: nil)), right: nil))
        }
      }
    }
  }

  /// Nothing is lost.
  func check() throws {
    let wrong = try onOwnThread { [self] in
      heap.withMutator { m in
        (0..<count).filter { root.get(m)![$0]?.key != $0 || root.get(m)![$0]?.left?.key != -$0 }.count
      }
    }
    precondition(wrong == 0, "\(wrong) pairs of \(count) are lost")
  }
}
