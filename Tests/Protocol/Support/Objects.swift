// What tests of the heap are made of: heaps that collect only when told, a node that shows whether its memory was taken from it, and
// ways to hold an object's address where no scan finds it.

import CTricolorShims
import Tricolor

/// A word that no scan of a stack or register recognises as an address.
struct HiddenAddress: Sendable {
  static let key: UInt = 0x5555_0000_0000_5550
  let masked: UInt

  init(_ address: UInt) { masked = address ^ HiddenAddress.key }
  init<Target>(_ reference: Reference<Target>) { self.init(UInt(bitPattern: reference.address)) }

  /// Computed anew at each use; the caller's frame holds it from then on.
  var address: UInt { masked ^ HiddenAddress.key }
  func reference<Target>(to type: Target.Type) -> Reference<Target> {
    Reference(unsafeAddress: UnsafeMutableRawPointer(bitPattern: address)!)
  }
  static func + (hidden: HiddenAddress, offset: Int) -> HiddenAddress {
    HiddenAddress(hidden.address &+ UInt(bitPattern: offset))
  }
}

/// Overwrites the part of the stack that calls have used and left, so that no stale word there keeps an object alive.
@inline(never) func scrubStack(depth: Int = 40) {
  var words = InlineArray<128, UInt>(repeating: 0)
  withUnsafeMutableBytes(of: &words) { tricolor_keep(UInt(bitPattern: $0.baseAddress!)) }
  if depth > 0 { scrubStack(depth: depth - 1) }
  tricolor_keep(words[0])
}

/// A node with a key that tells whether it has been overwritten.
struct Link: Managed {
  static let slot = TypeSlot()
  var key: Int
  var left: Reference<Link>?
  var right: Reference<Link>?
}

extension Reference where Target == Link {
  /// The keys of the chain that begins here, until one that no test chose: what clobbered or reused memory holds.
  var keys: [Int] {
    var keys = [self.key]
    var next = self
    while let link = next.left, (1...100).contains(next.key), keys.count < 1000 {
      keys.append(link.key)
      next = link
    }
    return keys
  }
}

extension Root<Link> {
  /// The keys of the chain held.
  func keys(in heap: Heap) throws -> [Int] { try onOwnThread { heap.withMutator { m in self.get(m)?.keys ?? [] } } }
}

extension Heap {
  /// A heap that collects only when told and overwrites what it frees.
  static func quiet() throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.debug.clobberFree = true
    return try Heap(configuration: configuration)
  }

  /// A quiet heap of which every cycle but the fourth is young where it may be. The first has run: the next may be young.
  static func young() throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.debug.clobberFree = true
    configuration.settings.youngCycles = .always
    let heap = try Heap(configuration: configuration)
    heap.collect()
    return heap
  }

  /// A root of a chain of links with keys 1 … `count`, each the `left` of the one before; made on a thread of its own.
  func makeChain(_ count: Int) throws -> Root<Link> {
    try onOwnThread {
      try self.withMutator { m in
        var next: Reference<Link>? = nil
        for key in stride(from: count, through: 1, by: -1) { next = try m.make(Link(key: key, left: next, right: nil)) }
        return m.root(next)
      }
    }
  }
}
