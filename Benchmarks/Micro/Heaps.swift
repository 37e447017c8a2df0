// The heaps that measurements run on.

import Tricolor

extension Heap {
  /// A heap that collects only when told to, whatever GOGC and GOMEMLIMIT say; the environment's other settings hold.
  static func uncollected() throws(HeapError) -> Heap {
    var configuration = Heap.Configuration.environment
    configuration.gcPercent = nil
    configuration.memoryLimit = .off
    return try Heap(configuration: configuration)
  }
}
