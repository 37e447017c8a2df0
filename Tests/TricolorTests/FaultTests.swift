// Every system call the heap makes is refused, one call at a time: an error of the right type or the documented fallback, all data
// whole afterwards, nothing left behind, and an end. Plans of faults are the process's, so each test has a process of its own; an
// alarm ends one that hangs, which fails its test.

import Glibc
import Testing
@_spi(Testing) import Tricolor
import TricolorPacing
@_spi(Testing) import TricolorPlatform

@Suite("Refused system calls")
struct FaultTests {
  // MARK: Making a heap

  @Test(
    "Each call of making a heap is refused in turn: an error or a heap, and never threads, files or addresses left behind"
  )
  func makingHeap() async {
    await #expect(processExitsWith: .success) {
      // A heap first, so that what belongs to the process is there; the range itself is the next test's.
      try useHeap(HeapUse.unlimited())
      for site in FaultSite.allCases {
        FaultInjection.begin()
        try useHeap(HeapUse.unlimited(), threads: 0)
        let calls = FaultInjection.end()[site]!
        var refusals = 0
        for call in HeapUse.sample(calls) {
          alarm(600)
          let before = Leftovers.now()
          FaultInjection.begin(site, calls: call..<call + 1, code: EMFILE)
          do throws(HeapError) {
            _ = try Heap(configuration: HeapUse.unlimited())
          } catch {
            refusals += 1
            guard case .platform(let platform) = error else { fatalError("\(error)") }
            precondition(platform.code == EMFILE || platform.code == 0, "\(error)")
          }
          FaultInjection.end()
          Leftovers.settle(to: before)
        }
        print("\(site): \(calls) calls, \(refusals) errors")
        try useHeap(HeapUse.unlimited())
      }
    }
  }

  @Test("The range of all heaps is reserved wholly or not at all, and reserving it again works")
  func reservingRange() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let before = Leftovers.now().addressBytes
      var refused = 0
      while refused < 100 {
        FaultInjection.begin(.reserve, calls: refused..<refused + 1)
        do throws(HeapError) {
          _ = try Heap(configuration: HeapUse.unlimited())
          FaultInjection.end()
          break
        } catch {
          precondition("\(error)".contains("mmap"), "\(error)")
          // Once all six are there the range stays, for the next heap.
          precondition(
            refused >= 6 || Leftovers.now().addressBytes < before + 1 << 30,
            "addresses were left behind by refusal \(refused)")
          refused += 1
        }
      }
      // The managed range, five side tables, the first slab of grey chunks.
      precondition(refused == 7, "\(refused) refusals")
      try useHeap(HeapUse.unlimited())
    }
  }

  @Test("A key for the ends of threads that the system has not is an error of the heap's")
  func noThreadKey() async {
    await #expect(processExitsWith: .success) {
      FaultInjection.begin(.threadExit, calls: 0..<1, code: EAGAIN)
      do throws(HeapError) {
        _ = try Heap()
        fatalError("a heap was made")
      } catch {
        precondition("\(error)" == "pthread_key_create failed: Resource temporarily unavailable", "\(error)")
      }
      FaultInjection.end()
      try useHeap(HeapUse.unlimited())
    }
  }

  // MARK: Using a heap

  @Test("A heap in use: each call is refused in turn, without a limit and under one", arguments: [false, true])
  func usingHeap(isLimited: Bool) async {
    await #expect(processExitsWith: .success) { [isLimited] in
      let configuration = isLimited ? HeapUse.limited() : HeapUse.unlimited()
      for site in FaultSite.allCases {
        FaultInjection.begin()
        try useHeap(configuration)
        let calls = FaultInjection.end()[site]!
        var refusals = 0
        for call in HeapUse.sample(calls) {
          alarm(600)
          FaultInjection.begin(site, calls: call..<call + 1)
          do {
            try useHeap(configuration)
          } catch is HeapError {
            refusals += 1
          } catch is OutOfMemory {
            refusals += 1
          } catch is PlatformError where site == .startThread {
            // One of the test's own threads.
            refusals += 1
          }
          FaultInjection.end()
        }
        print("\(site): \(calls) calls, \(refusals) errors")
        try useHeap(configuration)
      }
    }
  }

  @Test("Calls that may be refused for good are: the heap works on with what it has")
  func refusedForGood() async {
    await #expect(processExitsWith: .success) {
      for site in [FaultSite.release, .unreserve, .nameMapping, .adviseHugePages, .readFile] {
        alarm(600)
        let heap = try Heap(configuration: HeapUse.limited())
        FaultInjection.begin(site, calls: 0..<Int.max, code: EPERM)
        try useHeap(heap)
        FaultInjection.end()
        try useHeap(heap)
      }
    }
  }

  @Test("Addresses the kernel does not take back are counted, and their memory goes back")
  func abandoned() async {
    await #expect(processExitsWith: .success) {
      let start = try AddressSpace.map(bytes: 1 << 20)
      memset(start, 1, 1 << 20)
      FaultInjection.begin(.unreserve, calls: 0..<1)
      AddressSpace.unreserve(start, bytes: 1 << 20)
      FaultInjection.end()
      precondition(AddressSpace.abandonedBytes == 1 << 20)
      precondition(start.load(as: Int.self) == 0)
    }
  }

  @Test("An arena whose pages the system keeps is not handed out again; the others of its heap are")
  func arenaKept() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var dirty: Heap? = try Heap.quiet()
      try dirty!.withMutator { m in
        for _ in 0..<3 { _ = try m.makeBytes(count: 50 << 20) { memset($0.baseAddress!, 0xa5, $0.count) } }
      }
      FaultInjection.begin(.release, calls: 0..<1, code: EINVAL)
      dirty = nil
      FaultInjection.end()
      for _ in 0..<3 {
        let heap = try Heap.quiet()
        try heap.withMutator { m in
          for _ in 0..<3 {
            let bytes = try m.makeBytes(count: 50 << 20)
            precondition(bytes.withBytes { memory in memory.allSatisfy { $0 == 0 } }, "memory of a heap that is gone")
          }
        }
      }
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("returning a heap's memory: madvise(DONTNEED) of 64 MiB failed: Invalid argument"))
  }

  // MARK: Threads

  @Test("A thread that cannot be attached gets an error from attachThread, and attaches when memory is back")
  func attachThread() async {
    await #expect(processExitsWith: .success) {
      let heap = try Heap.quiet()
      for site in [FaultSite.reserve, .commit, .findStack, .threadExit] {
        try onOwnThread {
          FaultInjection.begin(site, calls: 0..<1)
          do throws(HeapError) {
            try heap.attachThread()
            fatalError("\(site) was not refused")
          } catch {
            precondition("\(error)".contains("Cannot allocate memory"), "\(error)")
          }
          FaultInjection.end()
          try heap.attachThread()
          try heap.withMutator { m in _ = try m.make(Link(key: 1, left: nil, right: nil)) }
        }
        // A pooled record needs no memory: used up for the next site.
        if site != .findStack { try holdRecord(of: heap) }
      }
    }
  }

  @Test("withMutator in a thread that cannot be attached ends the program and names attachThread")
  func enterWithoutMemory() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let heap = try Heap.quiet()
      FaultInjection.begin(.reserve, calls: 0..<1)
      try onOwnThread { heap.withMutator { _ in } }
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      said.contains("a thread cannot enter the heap: mmap of") && said.contains("Heap.attachThread throws this instead")
    )
  }

  @Test("The first thread's stack is found where no file can be opened")
  func stackWithoutFiles() async {
    await #expect(processExitsWith: .success) {
      let bases = try await MainActor.run {
        let before = try NativeThread.currentStackBase()
        // For a moment only: other threads of the process open files too, and some end it when they cannot.
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        precondition(getrlimit(files, &limit) == 0)
        var none = rlimit(rlim_cur: 0, rlim_max: limit.rlim_max)
        precondition(setrlimit(files, &none) == 0)
        defer { precondition(setrlimit(files, &limit) == 0) }
        return (before, try NativeThread.currentStackBase())
      }
      // Without /proc the environment strings above the first frame are left out.
      precondition(bases.1 <= bases.0 && bases.0 - bases.1 < 1 << 20, "\(bases)")
      precondition(getpid() == NativeThread.currentID || bases.0 == bases.1)
    }
  }

  // MARK: Marking without memory

  @Test("Marking goes on when no grey chunk is to be had, and finds everything reachable, once, and nothing else")
  func greyOverflow() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.quiet()
      let web = try Web(heap, knots: 400_000, seed: 1)
      heap.collect()
      let (live, marked) = (heap.statistics.liveBytes, heap.statistics.markedObjects)
      try web.change(10_000)
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      for cycle in 2...3 {
        let overflows = heap.markStackOverflows
        heap.collect()
        try web.check()
        precondition(heap.markStackOverflows > overflows, "the mark stack did not overflow")
        precondition(heap.statistics.liveBytes == live, "\(heap.statistics.liveBytes) bytes live, \(live) before")
        precondition(heap.statistics.markedObjects == cycle * marked, "objects were counted twice, or not at all")
      }
      FaultInjection.end()
      let overflows = heap.markStackOverflows
      heap.collect()
      try web.check()
      precondition(heap.markStackOverflows == overflows)
    }
  }

  @Test("Stores beside cycles without memory for grey chunks lose nothing", arguments: [UInt64(2), 3])
  func greyOverflowBesideMutators(seed: UInt64) async {
    await #expect(processExitsWith: .success) { [seed] in
      alarm(600)
      let heap = try Heap.quiet()
      let web = try Web(heap, knots: 300_000, seed: seed)
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      let done = Shared(false)
      let changing = RunningThread {
        while !done.withLock({ $0 }) { try web.change(1000) }
      }
      for _ in 0..<3 { heap.collect() }
      done.withLock { $0 = true }
      try changing.join()
      precondition(heap.markStackOverflows > 0, "the mark stack did not overflow")
      try web.check()
      FaultInjection.end()
    }
  }

  @Test("The rest of a large array that is forgotten with its edges is found again")
  func greyOverflowInArray() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.quiet()
      // The first elements lead to a web that fills the mark stack while the rest of the array waits at its bottom.
      let web = try Web(heap, knots: 300_000, seed: 5)
      let root = try onOwnThread {
        try heap.withMutator { m in
          let array = m.root(try m.makeArray(of: Link.self, count: 50_000))
          for i in 0..<50_000 {
            let key = try m.make(Link(key: -i, left: nil, right: nil))
            array.get(m)![i] = try m.make(Link(key: i, left: key, right: nil))
          }
          return array
        }
      }
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      for _ in 0..<2 { heap.collect() }
      precondition(heap.markStackOverflows > 0, "the mark stack did not overflow")
      FaultInjection.end()
      try web.check()
      let whole = try onOwnThread {
        heap.withMutator { m in
          let array = root.get(m)!
          return (0..<50_000).allSatisfy { array[$0]!.key == $0 && array[$0]!.left!.key == -$0 }
        }
      }
      precondition(whole)
    }
  }

  @Test(
    "Parts of long arrays that are pooled while there is no memory for grey chunks are marked whole, and all they hold once"
  )
  func greyOverflowBesideSlices() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.quiet()
      let web = try Web(heap, knots: 300_000, seed: 11)
      let arrays = try LongArrays(heap, count: 100_000)
      heap.collect()
      let marked = heap.statistics.markedObjects
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      try withExtraMarkers(of: heap, 3) {
        for cycle in 2...4 {
          heap.collect()
          precondition(heap.statistics.markedObjects == cycle * marked, "objects were counted twice, or not at all")
        }
      }
      precondition(heap.markStackOverflows > 0, "the mark stack did not overflow")
      FaultInjection.end()
      try web.check()
      let wrong = try arrays.wrongIndices()
      precondition(wrong == [], "\(wrong.count) elements are not what was stored, the first is \(wrong[0])")
    }
  }

  @Test(
    "Weak references and ephemerons survive a cycle without memory for grey chunks, and are exact after the next one")
  func greyOverflowOfWeak() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.quiet()
      let web = try Web(heap, knots: 300_000, seed: 7)
      let count = 20_000
      let (strong, weak, ephemerons) = try onOwnThread {
        try heap.withMutator { m in
          let strong = m.root(try m.makeArray(of: Link.self, count: count))
          let weak = m.root(try m.makeArray(of: Weak<Link>.self, count: count))
          let ephemerons = m.root(try m.makeArray(of: Ephemeron<Link, Link>.self, count: count))
          for i in 0..<count {
            let link = try m.make(Link(key: i, left: nil, right: nil))
            weak.get(m)![i] = try m.makeWeak(link)
            ephemerons.get(m)![i] = try m.makeEphemeron(key: link, value: m.make(Link(key: -i, left: nil, right: nil)))
            if i % 2 == 0 { strong.get(m)![i] = link }
          }
          return (strong, weak, ephemerons)
        }
      }
      try onOwnThread { scrubStack() }
      // Whether the odd ones, which nothing else keeps, are gone.
      let check: @Sendable (Bool) throws -> Void = { isExact in
        try onOwnThread {
          heap.withMutator { m in
            for i in 0..<count {
              let (target, value) = (weak.get(m)![i]!.referent?.key, ephemerons.get(m)![i]!.value?.key)
              let mayBeGone = i % 2 == 1
              precondition(target == i || mayBeGone && target == nil, "weak \(i) holds \(String(describing: target))")
              precondition(
                value == -i || mayBeGone && value == nil, "ephemeron \(i) holds \(String(describing: value))")
              precondition(!isExact || !mayBeGone || target == nil && value == nil, "\(i) is not cleared")
            }
          }
        }
      }
      FaultInjection.begin(.reserve, calls: 0..<Int.max)
      heap.collect()
      precondition(heap.markStackOverflows > 0, "the mark stack did not overflow")
      FaultInjection.end()
      try check(false)
      heap.collect()
      heap.collect()
      try check(true)
      try web.check()
      withExtendedLifetime(strong) {}
    }
  }
}

/// Leaves a record attached to a thread that never ends, so that the next thread needs a new one.
private func holdRecord(of heap: Heap) throws {
  let attached = Shared(false)
  var handle = pthread_t()
  let start = Unmanaged.passRetained(
    Holder {
      heap.withMutator { _ in }
      attached.withLock { $0 = true }
    })
  let code = pthread_create(
    &handle, nil,
    { argument in
      Unmanaged<Holder>.fromOpaque(argument!).takeUnretainedValue().body()
      while true { sleep(1000) }
    }, start.toOpaque())
  precondition(code == 0)
  while !attached.withLock({ $0 }) { usleep(1000) }
}

private final class Holder {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}
