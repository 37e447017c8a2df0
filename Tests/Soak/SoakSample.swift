// What is looked at every few seconds, always under the same settings and after a forced cycle, so that samples can be compared.

import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// The process and its heap at one moment.
struct SoakSample: Sendable {
  /// Nanoseconds since the soak began.
  let time: UInt64
  let operations: Int
  let statistics: HeapStatistics
  let mappings: Int
  let descriptors: Int

  /// Reads everything.
  ///
  /// - Throws: where /proc is not mounted.
  init(time: UInt64, operations: Int, _ heap: Heap) throws(PlatformError) {
    self.time = time
    self.operations = operations
    statistics = heap.statistics
    mappings = try CurrentProcess.mappingCount()
    descriptors = try CurrentProcess.openDescriptorCount()
  }

  var json: JSONValue {
    [
      "seconds": .float(Double(time) / 1e9), "operations": .integer(operations),
      "rssBytes": .integer(statistics.residentBytes), "usedBlockBytes": .integer(statistics.usedBlockBytes),
      "heldFreeBytes": .integer(statistics.heldFreeBytes), "metadataBytes": .integer(statistics.metadataBytes),
      "liveBytes": .integer(statistics.liveBytes), "goalBytes": .integer(statistics.goalBytes),
      "cycles": .integer(statistics.cycles), "threadsAttached": .integer(statistics.attachedMutators),
      "mappings": .integer(mappings), "descriptors": .integer(descriptors),
    ]
  }
}

/// A figure that must stay flat.
struct SoakFigure: Sendable {
  let name: String
  /// How far early and late may be apart beside the tolerance: what threads, the allocator of C and the moment of a sample
  /// make of it.
  let slack: Int
  let isBytes: Bool
  let value: @Sendable (SoakSample) -> Int

  static let all = [
    SoakFigure(name: "rss", slack: 4 << 20, isBytes: true) { $0.statistics.residentBytes },
    SoakFigure(name: "metadata", slack: 256 << 10, isBytes: true) { $0.statistics.metadataBytes },
    SoakFigure(name: "usedBlocks", slack: 2 << 20, isBytes: true) { $0.statistics.usedBlockBytes },
    SoakFigure(name: "mappings", slack: 8, isBytes: false) { $0.mappings },
    SoakFigure(name: "descriptors", slack: 2, isBytes: false) { $0.descriptors },
  ]

  func text(_ value: Int) -> String { isBytes ? Figures.bytes(value) : Figures.count(value) }
}
