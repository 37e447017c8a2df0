// What many layouts on many threads waste: each of 8 threads makes one object of each of 200 layouts, so that 1600 runs are open.
//
// Waste is what the blocks of these objects hold beyond the objects: resident (asked of the kernel, page by page) and reserved (whole
// blocks). In a fresh heap with small pages most of a block has never been touched; in one whose blocks have been used before, or with
// huge pages, all of it is resident.

import Glibc
import Synchronization
@_spi(Testing) import Tricolor
import TricolorPlatform

enum Layouts {
  private static let layouts = 200
  private static let threads = 8

  static func run(_ session: Session) throws -> [Figure] {
    // 16 to 1024 bytes in steps of 16, two references in each from 16 bytes on.
    let sizes = (0..<layouts).map { 16 + 16 * ($0 % 64) }
    let registered = try sizes.enumerated().map { index, size throws(LayoutError) in
      try Layout.register(.fixed(bytes: size, references: [0, 8]), name: "sample \(index) of \(size) bytes")
    }
    let live = sizes.reduce(0, +) * threads
    let fresh = try waste(registered, sizes, usedBytesBefore: 0, session)
    let used = try waste(registered, sizes, usedBytesBefore: 64 << 20, session)
    func figure(_ name: String, _ bytes: Int, target: Double? = nil, note: String) -> Figure {
      Figure(
        group: "layouts", name: name, unit: .mebibytes, samples: [Double(bytes) / mebibyte], target: target, note: note)
    }
    let objects = "\(layouts * threads) objects of \(live >> 10) KiB together"
    return [
      figure("waste-resident", fresh.resident - live, target: 10, note: objects),
      figure("waste-resident-used-blocks", used.resident - live, note: "after the heap held 64 MiB of garbage"),
      figure("waste-reserved", fresh.reserved - live, note: "\(fresh.reserved / Heap.blockBytes) blocks"),
      figure(
        "process-grew", fresh.process,
        note: "thread records and side tables included; \(fresh.huge >> 20) MiB in huge pages"),
    ]
  }

  private struct Found {
    var resident = 0
    var reserved = 0
    var process = 0
    var huge = 0
  }

  private static func waste(
    _ layouts: [Layout], _ sizes: [Int], usedBytesBefore: Int, _ session: Session
  ) throws -> Found {
    let heap = try Heap.uncollected()
    if usedBytesBefore > 0 { try useBlocks(heap, bytes: usedBytesBefore) }
    let crew = LayoutCrew(layouts, sizes, heap)
    let before = try ProcessMemory.residentBytes()
    var workers: [NativeThread] = []
    for index in 0..<threads { workers.append(try NativeThread.start(name: "micro-\(index)") { crew.work() }) }
    crew.awaitAll(threads)
    var found = Found()
    found.process = try ProcessMemory.residentBytes() - before
    found.huge = try ProcessMemory.hugePageBytes()
    let blocks = Set(crew.addresses.map { $0 & ~UInt(Heap.blockBytes - 1) })
    found.resident = try blocks.reduce(0) { try $0 + ProcessMemory.residentBytes(at: $1, count: Heap.blockBytes) }
    found.reserved = heap.statistics.usedBlockBytes
    session.verify(crew.isIntact && blocks.count * Heap.blockBytes <= found.reserved, "objects of 200 layouts")
    crew.dismiss()
    for worker in workers { worker.join() }
    return found
  }

  /// Makes garbage, so that free blocks hold pages.
  private static func useBlocks(_ heap: Heap, bytes: Int) throws {
    try heap.withMutator { mutator in
      for number in 0..<bytes / MemoryLayout<Sample32>.size { _ = try mutator.make(Sample32(UInt(number))) }
    }
    heap.collect()
  }
}

/// Threads that make one object of each layout and stay attached until they are dismissed.
private final class LayoutCrew: Sendable {
  private struct Progress {
    var addresses: [UInt] = []
    var done = 0
    var isIntact = true
  }
  private let layouts: [Layout]
  private let sizes: [Int]
  private let heap: Heap
  private let progress = Mutex(Progress())
  private let isDismissed = Atomic(false)
  private let changed = FutexEvent()

  init(_ layouts: [Layout], _ sizes: [Int], _ heap: Heap) {
    self.layouts = layouts
    self.sizes = sizes
    self.heap = heap
  }

  var addresses: [UInt] { progress.withLock { $0.addresses } }
  var isIntact: Bool { progress.withLock { $0.isIntact } }

  func work() {
    let (addresses, isIntact) = heap.withMutator { mutator in make(mutator) }
    progress.withLock { progress in
      progress.addresses += addresses
      progress.isIntact = progress.isIntact && isIntact
      progress.done += 1
    }
    changed.signalAll()
    wait { isDismissed.load(ordering: .acquiring) }
  }

  /// The objects' addresses, and whether each was there and read zero.
  private func make(_ mutator: Mutator) -> ([UInt], Bool) {
    var addresses: [UInt] = []
    var isIntact = true
    for (layout, size) in zip(layouts, sizes) {
      guard let object = try? mutator.allocate(layout, bytes: size) else { return (addresses, false) }
      let address = UInt(bitPattern: object)
      isIntact = isIntact && UnsafeRawBufferPointer(start: object, count: size).allSatisfy { $0 == 0 }
      // A reference to itself. Reading alone would map the system's one page of zeros, which counts as nobody's.
      object.storeBytes(of: address, as: UInt.self)
      addresses.append(address)
    }
    return (addresses, isIntact)
  }

  func awaitAll(_ threads: Int) { wait { progress.withLock { $0.done } == threads } }

  func dismiss() {
    isDismissed.store(true, ordering: .releasing)
    changed.signalAll()
  }

  private func wait(until condition: () -> Bool) {
    while true {
      let seen = changed.current()
      if condition() { return }
      changed.wait(past: seen)
    }
  }
}
