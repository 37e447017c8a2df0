// Programs that come near their memory limit in different ways. LimitsTests runs them inside control groups that the kernel enforces, and reads
// what they write to a file: lines of NAME=NUMBER.
//
// Each is a program of its own process, since what is tested counts the whole process, or ends it.

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform

@main
struct LimitProgram {
  static func main() throws {
    guard CommandLine.arguments.count == 3, let scenario = Scenario(rawValue: CommandLine.arguments[1]) else {
      fatalError("usage: tricolor-limit-programs SCENARIO FILE")
    }
    let figures = Figures(path: CommandLine.arguments[2])
    if let division = UnlikeHeaps.Division(rawValue: scenario.rawValue) {
      try UnlikeHeaps.run(division, figures)
      return figures.write()
    }
    let heap = try Heap()
    switch scenario {
    case .foreign: try takeByMalloc(heap, figures, allocatesMeanwhile: true)
    case .foreignAlone: try takeByMalloc(heap, figures, allocatesMeanwhile: false)
    case .shrink: try shrink(heap, figures)
    case .grow: try grow(heap, figures)
    case .refused: try refused(heap, figures)
    case .swings: try Swings(heap, spikeRate: 200 * mebibyte).run(figures)
    case .jumps: try Swings(heap, spikeRate: nil).run(figures)
    case .quota: followQuota(heap, figures)
    case .busy: try stayBusy(heap, figures)
    case .busyUntilTightened: try stayBusy(heap, figures, untilTightened: true)
    case .hold: hold()
    case .unlikeShared, .unlikeEqualParts, .unlikeEqualRoom: break
    }
    figures.write()
  }

  enum Scenario: String {
    /// Takes 200 MiB by malloc, while another thread allocates on the heap, or while none does.
    case foreign, foreignAlone
    /// Lets most of what lives die.
    case shrink
    /// Lives grow for ever, or until the process is ended.
    case grow
    /// Lives grow until allocation fails, twice.
    case refused
    /// Waits for its processor quota to change.
    case quota
    /// The rate of allocation swings, and malloc takes a quarter of the limit: at 200 MiB a second, or at once. In Swings.swift.
    case swings, jumps
    /// Allocates for `BUSY_SECONDS` with `LIVE_MEBIBYTES` alive.
    case busy
    /// The same, but until the kernel's signs have made the goal smaller.
    case busyUntilTightened
    /// Takes `LIVE_MEBIBYTES` by malloc and keeps them until it is ended.
    case hold
    /// Two unlike heaps, in UnlikeHeaps.swift.
    case unlikeShared, unlikeEqualParts, unlikeEqualRoom
  }
}

/// What a scenario has to say.
final class Figures: Sendable {
  private let path: String
  private let lines = Mutex<[String]>([])

  init(path: String) { self.path = path }

  func note(_ name: String, _ value: Int) { lines.withLock { $0.append("\(name)=\(value)\n") } }

  func write() {
    let text = lines.withLock { $0.joined() }
    let file = fopen(path, "w")
    precondition(file != nil, "fopen of \(path) failed: \(errno)")
    fputs(text, file)
    fclose(file)
  }
}

/// An object of a kibibyte.
struct Page: Managed {
  static let slot = TypeSlot()
  var next: Reference<Page>?
  var words: InlineArray<127, Int>
}

extension Mutator {
  func makePage(after next: Reference<Page>?, _ key: Int) throws(OutOfMemory) -> Reference<Page> {
    try make(Page(next: next, words: .init(repeating: key)))
  }

  /// A list of `kibibytes` pages, with keys from `kibibytes` - 1 down to 0.
  func makeList(kibibytes: Int) throws(OutOfMemory) -> Reference<Page>? {
    var last: Reference<Page>? = nil
    for key in 0..<kibibytes { last = try makePage(after: last, key) }
    return last
  }

  /// How many pages of a list have the keys they were made with.
  func countRight(_ list: Reference<Page>?, kibibytes: Int) -> Int {
    var page = list
    var right = 0
    while let current = page {
      if current.words[0] == kibibytes - 1 - right && current.words[126] == current.words[0] { right += 1 }
      page = current.next
      poll()
    }
    return right
  }
}

private let mebibyte = 1 << 20

// MARK: Processors

/// Says what the collector plans with, and again once that has changed or ten seconds have passed.
private func followQuota(_ heap: Heap, _ figures: Figures) {
  let first = heap.statistics.processors
  figures.note("percentBefore", Int(first * 100))
  figures.write()
  let began = Clock.monotonic()
  while heap.statistics.processors == first && Clock.monotonic() - began < 10_000_000_000 { usleep(10_000) }
  figures.note("percentAfter", Int(heap.statistics.processors * 100))
}

// MARK: Foreign memory

private func takeByMalloc(_ heap: Heap, _ figures: Figures, allocatesMeanwhile: Bool) throws {
  let live = 60 << 10
  let root = try heap.withMutator { m in m.root(try m.makeList(kibibytes: live)) }
  let allocator = Allocator(heap)
  try fillWithGarbage(heap, mebibytes: 400)
  figures.note("residentBefore", heap.statistics.residentBytes)
  figures.note("goalBefore", heap.statistics.goalBytes)
  if allocatesMeanwhile { try allocator.start() }
  let taken = takeSlowly(mebibytes: 200)
  // The heap goes on under what is left.
  usleep(1_000_000)
  allocator.stop()
  figures.note("taken", taken.reduce(0) { $0 + Int($1[mebibyte - 1]) })
  figures.note("residentAfter", heap.statistics.residentBytes)
  figures.note("foreign", heap.statistics.foreignBytes)
  figures.note("goalAfter", heap.statistics.goalBytes)
  figures.note("limit", heap.statistics.limitBytes ?? 0)
  figures.note("right", heap.withMutator { m in m.countRight(root.get(m), kibibytes: live) })
  figures.note("live", live)
}

/// A thread that makes garbage until it is stopped.
private final class Allocator: Sendable {
  private let heap: Heap
  private let stops = Atomic<Bool>(false)
  private let thread = Mutex<NativeThread?>(nil)

  init(_ heap: Heap) { self.heap = heap }

  func start() throws {
    let started = try NativeThread.start(name: "allocator") { self.run() }
    thread.withLock { $0 = started }
  }

  private func run() {
    do {
      while !stops.load(ordering: .relaxed) { try fillWithGarbage(heap, mebibytes: 1) }
    } catch {
      fatalError("\(error)")
    }
  }

  func stop() {
    stops.store(true, ordering: .relaxed)
    thread.withLock { $0 }?.join()
  }
}

/// Takes memory as a program that reads a large file into malloc's does: 200 MiB a second.
private func takeSlowly(mebibytes: Int) -> [UnsafeMutablePointer<UInt8>] {
  (0..<mebibytes).map { _ in
    let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: mebibyte)
    piece.initialize(repeating: 1, count: mebibyte)
    usleep(5000)
    return piece
  }
}

private func fillWithGarbage(_ heap: Heap, mebibytes: Int) throws {
  try heap.withMutator { m in
    for key in 0..<mebibytes << 10 { _ = try m.makePage(after: nil, key) }
  }
}

private func setting(_ name: String) -> Int {
  guard let value = CurrentProcess.environment(name).flatMap({ Int($0) }) else {
    fatalError("\(name) must be a number")
  }
  return value
}

private func hold() {
  let taken = takeSlowly(mebibytes: setting("LIVE_MEBIBYTES"))
  while true { usleep(100_000 + UInt32(taken[0][0])) }
}

/// What changes while the program is at work: the largest seen.
private struct Extremes {
  var limit = 0
  var tightened = 0
  var resident = 0
}

private func stayBusy(_ heap: Heap, _ figures: Figures, untilTightened: Bool = false) throws {
  let live = setting("LIVE_MEBIBYTES") << 10
  var largest = Extremes()
  let root = try heap.withMutator { m in m.root(try m.makeList(kibibytes: live)) }
  let end = Clock.monotonic() + UInt64(setting("BUSY_SECONDS")) * 1_000_000_000
  while Clock.monotonic() < end, !untilTightened || largest.tightened == 0 {
    try fillWithGarbage(heap, mebibytes: 1)
    let now = heap.statistics
    largest.limit = max(largest.limit, now.limitBytes ?? 0)
    largest.tightened = max(largest.tightened, now.tightenedPercent)
    largest.resident = max(largest.resident, now.residentBytes)
  }
  figures.note("largestLimit", largest.limit)
  figures.note("tightened", largest.tightened)
  figures.note("largestResident", largest.resident)
  figures.note("limit", heap.statistics.limitBytes ?? 0)
  figures.note("resident", heap.statistics.residentBytes)
  figures.note("cyclesByLimit", heap.statistics.cyclesByCause[.limit] ?? 0)
  figures.note("right", heap.withMutator { m in m.countRight(root.get(m), kibibytes: live) })
  figures.note("live", live)
}

// MARK: Returning memory

private func shrink(_ heap: Heap, _ figures: Figures) throws {
  let small = try heap.withMutator { m in m.root(try m.makeList(kibibytes: 20 << 10)) }
  try heap.withMutator { m in
    var large = try m.makeList(kibibytes: 300 << 10)
    figures.note("residentLarge", heap.statistics.residentBytes)
    large = nil
    _ = large
  }
  heap.collect()
  let began = Clock.monotonic()
  let cpu = heap.statistics.cpu.scavenge
  // Within a tenth of the goal, beside what is not the heap's.
  while heap.statistics.residentBytes - heap.statistics.foreignBytes > heap.statistics.goalBytes / 10 * 11,
    Clock.monotonic() - began < 60_000_000_000
  {
    usleep(10_000)
  }
  figures.note("milliseconds", Int((Clock.monotonic() - began) / 1_000_000))
  figures.note("scavengeMicroseconds", Int((heap.statistics.cpu.scavenge - cpu) / 1000))
  figures.note("residentSmall", heap.statistics.residentBytes)
  figures.note("goal", heap.statistics.goalBytes)
  figures.note("foreign", heap.statistics.foreignBytes)
  withExtendedLifetime(small) {}
}

// MARK: Beyond the limit

/// A mebibyte of live memory every 10 ms: a leak that takes seconds to reach the limit.
private func grow(_ heap: Heap, _ figures: Figures) throws {
  try heap.withMutator { m in
    var list: Reference<Page>? = nil
    for key in 0... {
      list = try m.makePage(after: list, key)
      if key % 1024 == 0 { m.blocking { _ = usleep(10_000) } }
    }
  }
}

private func refused(_ heap: Heap, _ figures: Figures) throws {
  let live = 4 << 10
  let root = try heap.withMutator { m in m.root(try m.makeList(kibibytes: live)) }
  var refusals = 0
  for _ in 0..<2 {
    let made = heap.withMutator { m in
      var list: Reference<Page>? = nil
      for key in 0... {
        do throws(OutOfMemory) {
          list = try m.makePage(after: list, key)
        } catch {
          return key
        }
      }
      return 0
    }
    if made > 0 { refusals += 1 }
    figures.note("made", made)
  }
  figures.note("refusals", refusals)
  figures.note("sound", heap.verify().isSound ? 1 : 0)
  figures.note("right", heap.withMutator { m in m.countRight(root.get(m), kibibytes: live) })
  figures.note("live", live)
  heap.collect()
  figures.note("again", try heap.withMutator { m in m.countRight(try m.makeList(kibibytes: live), kibibytes: live) })
  figures.note("peak", CurrentProcess.peakResidentBytes())
  figures.note("hardLimit", heap.statistics.hardLimitBytes ?? 0)
}
