// What an empty heap adds to a process: this program starts itself without a heap, with one, and with one that a thread is attached
// to, in turns, and each child says what it has resident.

import ArgumentParser
import Tricolor
import TricolorPlatform

enum EmptyHeap {
  static func run(_ session: Session) throws -> [Figure] {
    var resident: [ChildKind: [Double]] = [:]
    var starts: [Double] = []
    for _ in 0..<session.repetitions {
      for kind in ChildKind.allCases {
        let report = try Child.run(kind)
        resident[kind, default: []].append(Double(report.residentBytes) / mebibyte)
        if kind == .heap { starts.append(Double(report.startNanoseconds) / 1000) }
      }
    }
    let without = Distribution(resident[.none]!)
    func added(_ name: String, _ kind: ChildKind, target: Double?) -> Figure {
      let found = Distribution(resident[kind]!)
      return Figure(
        group: "empty", name: name, unit: .mebibytes, minimum: found.minimum - without.minimum,
        median: found.median - without.median, spread: found.spread, target: target,
        repetitions: session.repetitions)
    }
    return [
      Figure(group: "empty", name: "rss-without-heap", unit: .mebibytes, samples: resident[.none]!),
      added("rss-heap-adds", .heap, target: 6), added("rss-heap-and-thread-add", .attached, target: 6),
      Figure(
        group: "empty", name: "first-heap-start", unit: .microseconds, samples: starts, target: 1000,
        note: "with the reservation of the address range"),
    ]
  }
}

let mebibyte = Double(1 << 20)

/// What a child process holds when it looks at itself.
enum ChildKind: String, CaseIterable, ExpressibleByArgument {
  case none, heap, attached

  /// The child's part: prints resident bytes and how long the heap took to start.
  func run() throws {
    let began = Clock.monotonic()
    let heap = self == .none ? nil : try Heap()
    let took = Clock.monotonic() - began
    if self == .attached { heap!.withMutator { $0.poll() } }
    print(try ProcessMemory.residentBytes(), took)
    withExtendedLifetime(heap) {}
  }
}
