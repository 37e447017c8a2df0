// The samples of a heap: how many allocations of each stack and size, and how many of them are alive.
//
// The collector takes objects off the table whose marks are clear when marking has ended, as it does with weak references. Cost: a look at
// one mark bit for each sample that is alive, in each cycle.

import Synchronization
import TricolorPlatform

struct ProfileTable: ~Copyable {
  /// What samples are counted together.
  private struct Site: Hashable {
    let stack: [UInt]
    let bytes: Int
    let rate: Int
  }
  private struct Live {
    let object: UInt
    let place: Int
  }

  /// Bytes for which one is hit, 0 for none.
  let rate = Atomic<Int>(0)
  private let lock = FutexLock()
  private var places: [Site: Int] = [:]
  private var sites: [Site] = []
  private var allocated: [Int] = []
  private var alive: [Int] = []
  private var live: [Live] = []

  /// Adds a sample. In an allocation, before its thread can come to a safepoint.
  mutating func add(_ object: UInt, bytes: Int, rate: Int, stack: UnsafeBufferPointer<UInt>) {
    let site = Site(stack: Array(stack), bytes: bytes, rate: rate)
    lock.lock()
    defer { lock.unlock() }
    let place = places[site] ?? sites.count
    if place == sites.count {
      places[site] = place
      sites.append(site)
      allocated.append(0)
      alive.append(0)
    }
    allocated[place] += 1
    alive[place] += 1
    live.append(Live(object: object, place: place))
  }

  /// Takes off what is unmarked. Only between the end of marking and the sweep.
  mutating func collectDead() {
    lock.lock()
    defer { lock.unlock() }
    let map = addressMap
    live.removeAll { sample in
      if map.isMarked(sample.object) { return false }
      alive[sample.place] -= 1
      return true
    }
  }

  /// All there is.
  mutating func read() -> [AllocationProfile.Sample] {
    lock.lock()
    defer { lock.unlock() }
    return sites.indices.map {
      AllocationProfile.Sample(
        stack: sites[$0].stack, bytes: sites[$0].bytes, rate: sites[$0].rate, allocated: allocated[$0],
        alive: alive[$0])
    }
  }
}
