// A program whose need for memory swings while a limit holds: every 300 ms its rate of allocation changes tenfold, and every second a
// quarter of the limit is taken by malloc and given back. How far beyond its limit does it come?

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform

/// The scenarios `swings` and `jumps`.
final class Swings: Sendable {
  private static let mebibyte = 1 << 20
  private static let spikes = 8
  /// Bytes a second in a slow phase; a fast one makes ten times as many.
  private static let slowRate = 30 << 20
  private static let phaseNanoseconds: UInt64 = 300_000_000

  private let heap: Heap
  private let limit: Int
  /// Bytes a second at which a spike grows; nil for as fast as memory can be touched.
  private let spikeRate: Int?
  private let stops = Atomic<Bool>(false)
  private let wrongPages = Atomic<Int>(-1)

  init(_ heap: Heap, spikeRate: Int?) {
    guard let limit = heap.statistics.limitBytes else { fatalError("set GOMEMLIMIT") }
    self.heap = heap
    self.limit = limit
    self.spikeRate = spikeRate
  }

  func run(_ figures: Figures) throws {
    let allocator = try NativeThread.start(name: "allocator") {
      do { try self.allocate() } catch { fatalError("\(error)") }
    }
    for _ in 0..<Swings.spikes {
      usleep(600_000)
      let spike = take(limit / 4)
      usleep(200_000)
      for piece in spike { piece.deallocate() }
    }
    stops.store(true, ordering: .relaxed)
    allocator.join()
    figures.note("limit", limit)
    figures.note("peak", CurrentProcess.peakResidentBytes())
    figures.note("cycles", heap.statistics.cycles)
    figures.note("wrong", wrongPages.load(ordering: .relaxed))
  }

  /// Memory of malloc's, touched.
  private func take(_ bytes: Int) -> [UnsafeMutablePointer<UInt8>] {
    (0..<bytes / Swings.mebibyte).map { _ in
      let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: Swings.mebibyte)
      piece.initialize(repeating: 1, count: Swings.mebibyte)
      if let spikeRate { usleep(UInt32(1_000_000 / (spikeRate / Swings.mebibyte))) }
      return piece
    }
  }

  /// Replaces pages of a table that keeps a third of the limit alive, at a rate that swings.
  private func allocate() throws {
    try heap.withMutator { m in
      let count = limit / 3072
      let table = try m.makeArray(of: Page.self, count: count)
      for index in 0..<count { table[index] = try m.makePage(after: nil, index) }
      let began = Clock.monotonic()
      var due = began
      var random = UInt64(limit)
      while !stops.load(ordering: .relaxed) {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let index = Int(random >> 33) % count
        table[index] = try m.makePage(after: nil, index)
        let isFast = (Clock.monotonic() - began) / Swings.phaseNanoseconds % 2 == 1
        due += UInt64(1_000_000_000 / ((isFast ? 10 * Swings.slowRate : Swings.slowRate) / 1024))
        waitUntil(&due, m)
      }
      var wrong = 0
      for index in 0..<count where table[index]?.words[0] != index { wrong += 1 }
      wrongPages.store(wrong, ordering: .relaxed)
    }
  }

  /// Keeps to the rate, in steps of a millisecond; what was missed by more than ten is not made up for.
  private func waitUntil(_ due: inout UInt64, _ m: Mutator) {
    let now = Clock.monotonic()
    if now > due + 10_000_000 { due = now }
    if due > now + 1_000_000 { m.blocking { _ = usleep(1000) } }
  }
}
