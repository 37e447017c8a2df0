// Snapshots of real heaps: what is recorded, by which roots, and that it is whole while threads allocate and store.

import Glibc
import Testing
import TricolorPacing
import TricolorPlatform

@testable @_spi(Testing) import Tricolor

@Suite("Snapshots")
struct SnapshotTests {
  private func objects(_ snapshot: HeapSnapshot, _ name: String) throws -> LayoutSummary? {
    try snapshot.layouts().first { $0.name == name }
  }

  /// A root of what `make` makes, on a thread of its own.
  private func kept<Target>(
    _ heap: Heap, _ make: @escaping @Sendable (Mutator) throws -> Reference<Target>
  ) throws -> Root<Target> {
    try onOwnThread { try heap.withMutator { m in m.root(try make(m)) } }
  }

  /// Every edge leads to an object, every object has a number of its own, and all are reached.
  private func expectWhole(_ snapshot: HeapSnapshot) throws {
    let groups = snapshot.edges(of: HeapSnapshot.root).count
    #expect(snapshot.edges(of: HeapSnapshot.root).allSatisfy { (1...groups).contains(Int(snapshot.targets[$0])) })
    var last: UInt32 = 0
    var isReached = [Bool](repeating: false, count: snapshot.nodeCount)
    var wrong = 0
    for node in 1..<snapshot.nodeCount {
      for edge in snapshot.edges(of: node) {
        let target = Int(snapshot.targets[edge])
        if target <= groups || target >= snapshot.nodeCount { wrong += 1 } else { isReached[target] = true }
      }
      if node <= groups { continue }
      if snapshot.numbers[node] <= last || snapshot.kind(of: node).bytes == 0 { wrong += 1 }
      last = snapshot.numbers[node]
    }
    #expect(wrong == 0)
    #expect(isReached.dropFirst(groups + 1).allSatisfy { $0 })
    #expect(snapshot.objectCount == snapshot.nodeCount - groups - 1)
    #expect(try snapshot.layouts().reduce(0) { $0 + $1.objects } == snapshot.objectCount)
  }

  @Test("What is reachable is counted by layout, with sizes and what it retains; garbage is not")
  func layouts() throws {
    let heap = try Heap.quiet()
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: 10)
      for i in 0..<10 {
        all[i] = try m.make(Link(key: i, left: nil, right: nil))
        _ = try m.make(Link(key: i, left: nil, right: nil))
      }
      var last = all[9]!
      for i in 0..<100 {
        last.left = try m.make(Link(key: i, left: nil, right: nil))
        last = last.left!
      }
      last.right = all[0]
      return all
    }
    let snapshot = try heap.snapshot()
    try expectWhole(snapshot)
    #expect(
      try snapshot.layouts() == [
        LayoutSummary(name: "reference array", objects: 1, bytes: 96, retainedBytes: 96 + 110 * 32),
        LayoutSummary(name: "Link", objects: 110, bytes: 110 * 32, retainedBytes: 110 * 32),
      ])
    #expect(snapshot.bytes == 96 + 110 * 32 && snapshot.referenceCount == 111)
    // The chain hangs on the last element; the first is referred to from its end too.
    #expect(try snapshot.largestObjects(2).map(\.retainedBytes) == [96 + 110 * 32, 101 * 32])
    #expect(snapshot.heldNanoseconds > 0)
    withExtendedLifetime(root) {}
  }

  @Test("A path names the root, the elements and the fields that lead to an object")
  func path() throws {
    let heap = try Heap.quiet()
    let found = Shared<UInt32>(0)
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: 10)
      let link = try m.make(Link(key: 1, left: nil, right: m.make(Link(key: 2, left: nil, right: nil))))
      all[7] = link
      found.withLock { $0 = HeapSnapshot.number(ofObjectAt: link.right!.address)! }
      return all
    }
    let snapshot = try heap.snapshot()
    let path = try #require(try snapshot.path(toObject: found.withLock { $0 }))
    #expect(path.steps.map(\.object.name) == ["root handles", "reference array", "Link", "Link"])
    #expect(path.steps.map(\.place) == ["[0]", "[0]", "[7]", "(+16)"])
    #expect(path.steps.map(\.object.retainedBytes) == [160, 160, 64, 32])
    #expect(path.description.hasPrefix("root handles [0] -> reference array@"))
    #expect(try snapshot.path(toLayout: "Link")?.steps.count == 3)
    #expect(try snapshot.path(toLayout: "no such") == nil)
    #expect(try snapshot.path(toObject: 1) == nil || snapshot.node(numbered: 1) != nil)
    withExtendedLifetime(root) {}
  }

  @Test("An object that only a stack refers to has that thread's stack as its root, inside and in a blocking region")
  func stacks() throws {
    let heap = try Heap.quiet()
    try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 5, left: nil, right: nil))
        let thread = NativeThread.currentID
        let path = try #require(try heap.snapshot().path(toLayout: "Link"))
        #expect(path.steps.first?.object.name.hasPrefix("stack of thread \(thread)") == true, "\(path)")
        let blocked = try m.blocking { try heap.snapshot().path(toLayout: "Link") }
        #expect(blocked?.steps.first?.object.name.hasPrefix("stack of thread \(thread)") == true)
        #expect(link.key == 5)
      }
    }
    #expect(try heap.snapshot().objectCount == 0)
  }

  @Test("Slots of the program's memory are roots of their own sort")
  func globals() throws {
    let heap = try Heap.quiet()
    let words = UnsafeMutablePointer<UInt>.allocate(capacity: 2)
    words.initialize(repeating: 0, count: 2)
    defer { words.deallocate() }
    heap.addGlobals(words, count: 2)
    let address = HiddenAddress(UInt(bitPattern: words + 1))
    try onOwnThread {
      try heap.withMutator { m in
        GlobalSlot<Link>(UnsafeMutablePointer(bitPattern: address.address)!).store(
          try m.make(Link(key: 1, left: nil, right: nil)), m)
      }
    }
    #expect(try heap.snapshot().path(toLayout: "Link")?.steps.first?.object.name == "global slots")
  }

  @Test("Every kind of object: elements, large ones, inline arrays, bytes, and what a function traces")
  func kinds() throws {
    let heap = try Heap.quiet()
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: 3)
      let elements = try m.makeElements(of: Link.self, count: 4)
      all[0] = try m.make(Link(key: 1, left: nil, right: nil))
      elements[1].right = all[0]
      let vast = try m.make(Vast(first: all[0], gap: .init(repeating: 0), last: nil))
      let tagged = try m.make(Tagged(content: .link(m.make(Link(key: 2, left: nil, right: nil))), after: all[0]))
      return try m.make(
        Holder(
          links: all, elements: elements, vast: vast, tagged: tagged, small: m.makeBytes(count: 100),
          large: m.makeBytes(count: 5 << 20)))
    }
    let snapshot = try heap.snapshot()
    try expectWhole(snapshot)
    let layouts = try snapshot.layouts()
    #expect(layouts.first?.name == "Holder")
    #expect(Set(layouts.map(\.name)) == ["Holder", "reference array", "[Link]", "Link", "Vast", "Tagged", "bytes"])
    let bytes = try #require(try objects(snapshot, "bytes"))
    #expect(bytes.objects == 2 && bytes.bytes > 5 << 20 && bytes.retainedBytes == bytes.bytes)
    #expect(try objects(snapshot, "Vast")?.bytes == (MemoryLayout<Vast>.size + 15) & ~15)
    #expect(try objects(snapshot, "Link")?.objects == 2)
    #expect(try objects(snapshot, "Tagged")?.retainedBytes == 32 + 32)
    // Named by what leads to it: elements by their index, what a function reports as such.
    let node = try #require((0..<snapshot.nodeCount).first { snapshot.kind(of: $0).name == "[Link]" })
    #expect(snapshot.edges(of: node).map { snapshot.labels[$0] } == [HeapSnapshot.Label.element(1)])
    #expect(try snapshot.path(toLayout: "Tagged")?.steps.last?.place == "(+24)")
    withExtendedLifetime(root) {}
  }

  @Test("Weak references are no edges: what only they refer to is not there, and what lives is not retained by them")
  func weak() throws {
    let heap = try Heap.quiet()
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Weak<Link>.self, count: 2)
      let link = try m.make(Link(key: 1, left: nil, right: nil))
      all[0] = try m.makeWeak(link)
      all[1] = try m.makeWeak(link)
      return all
    }
    let snapshot = try heap.snapshot()
    #expect(try objects(snapshot, "weak reference")?.objects == 2)
    #expect(try objects(snapshot, "Link") == nil)
    withExtendedLifetime(root) {}
  }

  @Test("A value of an ephemeron is there once its key is, through a chain of keys, and never for a dead key")
  func ephemerons() throws {
    let heap = try Heap.quiet()
    let keys = Shared<[Root<Link>]>([])
    let count = 200
    let table = try kept(heap) { m in
      // Each value is the key of the next, in an order that a walk by addresses does not meet them in.
      let table = try m.makeArray(of: Ephemeron<Link, Link>.self, count: count + 1)
      var key = try m.make(Link(key: 0, left: nil, right: nil))
      keys.withLock { $0 = [m.root(key)] }
      for index in 0..<count {
        let value = try m.make(Link(key: index, left: nil, right: nil))
        table[index * 73 % count] = try m.makeEphemeron(key: key, value: value)
        key = value
      }
      let dead = try m.make(Link(key: 0, left: nil, right: nil))
      table[count] = try m.makeEphemeron(key: dead, value: m.make(Link(key: -1, left: nil, right: nil)))
      return table
    }
    let alive = try heap.snapshot()
    try expectWhole(alive)
    #expect(try objects(alive, "ephemeron")?.objects == count + 1)
    #expect(try objects(alive, "Link")?.objects == count + 1)
    keys.withLock { $0 = [] }
    #expect(try objects(heap.snapshot(), "Link") == nil)
    withExtendedLifetime(table) {}
  }

  @Test("More objects at once than the stack holds are all found")
  func overflow() throws {
    let heap = try Heap.quiet()
    let count = 150_000
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: count)
      for i in 0..<count {
        all[i] = try m.make(Link(key: i, left: m.make(Link(key: i, left: nil, right: nil)), right: nil))
      }
      return all
    }
    let snapshot = try heap.snapshot()
    #expect(snapshot.objectCount == 2 * count + 1 && snapshot.referenceCount == 2 * count)
    #expect(snapshot.objectCount == heap.verify().reachedObjects)
    withExtendedLifetime(root) {}
  }

  @Test("A difference says what has come and gone by layout; an object has the same number in both")
  func difference() throws {
    let heap = try Heap.quiet()
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: 10)
      for i in 0..<10 { all[i] = try m.make(Link(key: i, left: nil, right: nil)) }
      return all
    }
    let before = try heap.snapshot()
    #expect(try heap.snapshot().difference(since: before).isEmpty)
    let more = try kept(heap) { m in
      let all = root.get(m)!
      for i in 0..<4 { all[i] = nil }
      return try m.makeBytes(count: 1000)
    }
    let after = try heap.snapshot()
    let changes = try after.difference(since: before)
    #expect(changes.map(\.name) == ["bytes", "reference array", "Link"])
    #expect(changes.map(\.objects) == [1, 0, -4])
    #expect(changes.map(\.bytes) == [Heap.cellBytes(for: 1008)!, 0, -128])
    #expect(changes.map(\.retainedBytes) == [Heap.cellBytes(for: 1008)!, -128, -128])
    #expect(try before.difference(since: after).map(\.objects) == [4, 0, -1])
    #expect(
      try before.path(toLayout: "reference array")?.steps.last?.object.number
        == after.path(toLayout: "reference array")?.steps.last?.object.number)
    withExtendedLifetime((root, more)) {}
  }

  @Test(
    "Snapshots while threads allocate, store, block, come and go are whole, on one node and on several",
    arguments: [1, 3])
  func busy(nodes: Int) throws {
    var settings = Settings()
    settings.minimumHeap = 256 << 10
    settings.debug.clobberFree = true
    let heap = try Heap(configuration: .init(settings: settings), simulatedNodes: nodes)
    let done = Shared(false)
    let snapping = RunningThread {
      var count = 0
      while !done.withLock({ $0 }) {
        try self.expectWhole(try heap.snapshot())
        count += 1
      }
      return count
    }
    try runThreads(3) { index in
      for life in 0..<4 {
        try onOwnThread {
          try heap.withMutator { m in
            let window = try m.makeArray(of: Link.self, count: 64)
            for round in 0..<2000 {
              let slot = (round &* 31 &+ life &+ index) & 63
              let link = try m.make(Link(key: round, left: window[slot], right: window[(slot + 7) & 63]))
              window[slot] = round % 5 == 0 ? nil : link
              if let left = link.left { left.left = nil }
              if round % 50 == 0 { _ = try m.makeArray(of: Link.self, count: 10_000) }
              if round % 97 == 0 { m.blocking { _ = sched_yield() } }
              m.poll()
            }
          }
        }
      }
    }
    done.withLock { $0 = true }
    #expect(try snapping.join() > 0)
    #expect(heap.verify().isSound)
  }

  @Test("Of two heaps each has its own objects, also while a thread is inside both")
  func twoHeaps() throws {
    let (first, second) = (try Heap.quiet(), try Heap.quiet())
    let roots = (try first.makeChain(10), try second.makeChain(20))
    let counts = try onOwnThread {
      try first.withMutator { _ in
        try second.withMutator { _ in [try first.snapshot().objectCount, try second.snapshot().objectCount] }
      }
    }
    #expect(counts == [10, 20])
    withExtendedLifetime(roots) {}
  }

  @Test("An empty heap has a snapshot without objects")
  func empty() throws {
    let snapshot = try Heap.quiet().snapshot()
    #expect(snapshot.objectCount == 0 && snapshot.bytes == 0)
    #expect(try snapshot.layouts().isEmpty && snapshot.largestObjects(3).isEmpty)
  }

  @Test("A copy that does not fit what a limit leaves is refused with both figures, and taken when told to")
  func noRoom() throws {
    var settings = Settings()
    settings.gcPercent = nil
    settings.limitScope = .heap
    settings.memoryLimit = try MemoryLimit.parse("28MiB", name: "the limit")
    let heap = try Heap(configuration: .init(settings: settings))
    let root = try kept(heap) { m in
      let all = try m.makeArray(of: Link.self, count: 300_000)
      for i in 0..<300_000 { all[i] = try m.make(Link(key: i, left: nil, right: nil)) }
      return all
    }
    do throws(SnapshotError) {
      _ = try heap.snapshot()
      Issue.record("a snapshot was taken")
    } catch {
      guard case .noRoom(let needed, let room) = error else { throw error }
      #expect(needed >= 300_000 * 76 && needed < 300_000 * 80 && room < 28 << 20 && room > 0)
      #expect("\(error)".contains("\(needed)") && "\(error)".contains("\(room)"))
    }
    #expect(try heap.snapshot(ignoringLimit: true).objectCount == 300_001)
    withExtendedLifetime(root) {}
  }

  @Test("A file that cannot be written is named with the reason")
  func wrongFile() throws {
    let snapshot = try Heap.quiet().snapshot()
    do throws(SnapshotError) {
      try snapshot.write(to: "/no/such/folder/a.heapsnapshot")
      Issue.record("it was written")
    } catch {
      #expect("\(error)".contains("/no/such/folder/a.heapsnapshot") && "\(error)".contains("No such file"))
    }
    do throws(SnapshotError) {
      try snapshot.write(to: "/dev/full")
      Issue.record("it was written")
    } catch {
      #expect("\(error)".contains("/dev/full") && "\(error)".contains("No space"))
    }
  }
}

private struct Holder: Managed {
  static let slot = TypeSlot()
  var links: Reference<ReferenceArray<Link>>?
  var elements: Reference<ElementArray<Link>>?
  var vast: Reference<Vast>?
  var tagged: Reference<Tagged>?
  var small: Reference<Bytes>?
  var large: Reference<Bytes>?
}
