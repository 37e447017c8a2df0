// Arrays so long that their rests are cut up among markers, and markers beside the heap's own to cut them up for.

import Glibc
@_spi(Testing) import Tricolor

/// Two rooted arrays, one of references and one of elements. Each element leads to an object of its own that knows its index.
struct LongArrays: Sendable {
  private let heap: Heap
  private let count: Int
  private let links: Root<ReferenceArray<Link>>
  private let elements: Root<ElementArray<Link>>

  /// Objects of arrays of `count` elements, the arrays among them.
  static func objects(_ count: Int) -> Int { 2 * count + 2 }

  init(_ heap: Heap, count: Int) throws {
    self.heap = heap
    self.count = count
    (links, elements) = try onOwnThread {
      try heap.withMutator { m in
        let links = m.root(try m.makeArray(of: Link.self, count: count))
        let elements = m.root(try m.makeElements(of: Link.self, count: count))
        for i in 0..<count {
          links.get(m)![i] = try m.make(Link(key: i, left: nil, right: nil))
          elements.get(m)![i].right = try m.make(Link(key: -i, left: nil, right: nil))
        }
        return (links, elements)
      }
    }
  }

  /// Indices of elements that do not lead to what was stored.
  func wrongIndices() throws -> [Int] {
    try onOwnThread { [self] in
      heap.withMutator { m in
        let (links, elements) = (links.get(m)!, elements.get(m)!)
        return (0..<count).filter { links[$0]?.key != $0 || elements[$0].right?.key != -$0 }
      }
    }
  }
}

/// Runs `body` beside `count` threads that mark whenever there is something grey.
func withExtraMarkers(of heap: Heap, _ count: Int, _ body: () throws -> Void) throws {
  let isOver = Shared(false)
  let markers = (0..<count).map { _ in
    RunningThread { while !isOver.withLock({ $0 }) { if heap.markAsWorker() == 0 { usleep(20) } } }
  }
  defer { for marker in markers { marker.wait() } }
  defer { isOver.withLock { $0 = true } }
  try body()
}
