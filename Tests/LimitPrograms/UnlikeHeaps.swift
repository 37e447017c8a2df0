// Two unlike heaps at the same work under the same memory: one with much alive that allocates slowly, one with little that allocates fast. What their
// collectors take when they share one limit, against limits of their own that add up to it.
//
// A measurement, not a test. The limit is `GOMEMLIMIT` in bytes of the process; growth is off, so that nothing else sets the goals.

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform

enum UnlikeHeaps {
  enum Division: String {
    /// One limit for both.
    case unlikeShared
    /// Each heap half of the limit; each what lives on it, and half of the rest.
    case unlikeEqualParts, unlikeEqualRoom
  }

  /// What a heap has to do: mebibytes alive, and allocated each second.
  private struct Work {
    let live: Int
    let rate: Int
  }

  private static let works = [Work(live: 160, rate: 20), Work(live: 4, rate: 150)]
  /// How long is measured. Before that half as long for the shares to settle.
  private static let seconds = 20
  private static let mebibyte = 1 << 20

  static func run(_ division: Division, _ figures: Figures) throws {
    let empty = try Heap().statistics
    guard let limit = empty.limitBytes else { fatalError("GOMEMLIMIT must be set to a size") }
    let outside = empty.residentBytes
    let heaps = try works.map { try heap($0, division, limit: limit, room: limit - outside) }
    let roots = try zip(heaps, works).map { heap, work in
      try heap.withMutator { m in m.root(try m.makeList(kibibytes: work.live << 10)) }
    }
    for heap in heaps { heap.collect() }
    try allocate(heaps, seconds: seconds / 2)
    let before = heaps.map { $0.statistics }
    let resident = try allocate(heaps, seconds: seconds)
    for (i, (heap, old)) in zip(heaps, before).enumerated() {
      let new = heap.statistics
      figures.note("heap\(i).collectorMicroseconds", Int((new.cpu.total - old.cpu.total) / 1000))
      figures.note("heap\(i).cycles", new.cycles - old.cycles)
      figures.note("heap\(i).allocatedMiB", (new.allocatedBytes - old.allocatedBytes) / mebibyte)
      figures.note("heap\(i).shareMiB", (new.limitShareBytes ?? 0) / mebibyte)
    }
    figures.note("meanResidentMiB", resident.mean / mebibyte)
    figures.note("peakResidentMiB", resident.peak / mebibyte)
    withExtendedLifetime(roots) {}
  }

  private static func heap(_ work: Work, _ division: Division, limit: Int, room: Int) throws -> Heap {
    var configuration = Heap.Configuration.environment
    configuration.gcPercent = nil
    let live = works.reduce(0) { $0 + $1.live } * mebibyte
    switch division {
    case .unlikeShared: configuration.memoryLimit = .bytes(Int64(limit))
    case .unlikeEqualParts: configuration.memoryLimit = .bytes(Int64(room / 2))
    case .unlikeEqualRoom: configuration.memoryLimit = .bytes(Int64(work.live * mebibyte + (room - live) / 2))
    }
    configuration.limitScope = division == .unlikeShared ? .process : .heap
    return try Heap(configuration: configuration)
  }

  /// Allocates on all heaps at once, each at its rate; mean and peak of the resident set meanwhile.
  @discardableResult
  private static func allocate(_ heaps: [Heap], seconds: Int) throws -> (mean: Int, peak: Int) {
    let ended = Clock.monotonic() + UInt64(seconds) * 1_000_000_000
    let threads = try zip(heaps, works).map { heap, work in
      try NativeThread.start(name: "allocator") { allocate(heap, rate: work.rate, until: ended) }
    }
    var sum = 0
    var samples = 0
    var peak = 0
    while Clock.monotonic() < ended {
      let resident = heaps[0].statistics.residentBytes
      sum += resident
      peak = max(peak, resident)
      samples += 1
      usleep(10_000)
    }
    for thread in threads { thread.join() }
    return (sum / max(1, samples), peak)
  }

  /// A hundred times a second as much garbage as the rate demands by then.
  private static func allocate(_ heap: Heap, rate: Int, until end: UInt64) {
    let began = Clock.monotonic()
    var made = 0
    while Clock.monotonic() < end {
      let due = Int(Double(Clock.monotonic() - began) / 1e9 * Double(rate << 10))
      do {
        try heap.withMutator { m in
          for key in made..<max(made, due) { _ = try m.makePage(after: nil, key) }
        }
      } catch {
        fatalError("\(error)")
      }
      made = max(made, due)
      usleep(10_000)
    }
  }
}
