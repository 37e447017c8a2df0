// Traces of programs whose every property is known, and the recorded ones.

import Foundation
import Testing

@testable import TricolorTuning

/// A program with constant properties.
struct SyntheticTrace {
  /// MiB alive, MiB allocated in a second, and the seconds and processor milliseconds of a cycle.
  var live = 100
  var rate = 50
  var gcPercent = 100
  var cost = 20.0
  var count = 60

  /// Cycles without anything allocated meanwhile.
  var cycles: [GoCycle] {
    let grown = live + live * gcPercent / 100
    return (1...count).map { number in
      var cycle = GoCycle()
      cycle.number = number
      cycle.start = Double(number) * Double(grown - live) / Double(rate)
      cycle.mark = 10
      cycle.backgroundCPU = cost
      (cycle.heapAtStart, cycle.heapAtEnd, cycle.marked, cycle.goal) = (grown, grown, live, grown)
      (cycle.stacks, cycle.globals, cycle.processors) = (0, 0, 4)
      return cycle
    }
  }

  var trace: GoTrace {
    var trace = GoTrace(reading: [])
    trace.stretches = [cycles]
    return trace
  }

  static func line(number: Int, start: Double) -> String {
    "gc \(number) @\(start)s 1%: 0.1+10+0.1 ms clock, 0.2+1/4/0+0.2 ms cpu, 18->20->10 MB, 21 MB goal, 0 MB stacks, 0 MB globals, 2 P"
  }
}

/// Traces of a real etcd, in Fixtures.
enum Fixture {
  static func text(_ name: String) throws -> String {
    let file = try #require(Bundle.module.url(forResource: name, withExtension: "log", subdirectory: "Fixtures"))
    return try String(contentsOf: file, encoding: .utf8)
  }

  static func trace(_ name: String) throws -> GoTrace { GoTrace(reading: Array(try text(name).utf8)) }
}
