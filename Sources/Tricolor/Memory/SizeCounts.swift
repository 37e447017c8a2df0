// Objects by the size of their cells, counted by whichever thread allocates or sweeps them: what Go's `allocs-by-size` and `frees-by-size` tell.
//
// The classes are those of variable-sized objects (`SizeClass`) also for fixed layouts, and one more for objects with block runs of
// their own. Cost: a relaxed addition a run handed out and a block swept, in place of the ones that a plain total would take.

import Synchronization

/// Counters for every class of sizes, in raw memory.
struct SizeCounts: ~Copyable {
  private static let classes = SizeClass.count + 1
  private let counts: UnsafeMutablePointer<Atomic<Int>>

  init() {
    counts = .allocate(capacity: SizeCounts.classes)
    for i in 0..<SizeCounts.classes { (counts + i).initialize(to: Atomic(0)) }
  }

  deinit { counts.deallocate() }

  func add(_ objects: Int, cellBytes: Int) {
    let index = cellBytes > Geometry.largestCell ? SizeClass.count : SizeClass.index(for: cellBytes)
    counts[index].wrappingAdd(objects, ordering: .relaxed)
  }

  var total: Int { (0..<SizeCounts.classes).reduce(0) { $0 + counts[$1].load(ordering: .relaxed) } }

  /// Objects of each class, the smallest first.
  func byClass() -> [Int] { (0..<SizeCounts.classes).map { counts[$0].load(ordering: .relaxed) } }

  /// The smallest size of each class in bytes, and infinity: one more than there are classes.
  static var bounds: [Double] { [1] + (0..<SizeClass.count).map { Double(SizeClass.bytes($0) + 1) } + [.infinity] }
}
