// What the checks of a heap answer: faults that name the first thing wrong, in words that can be acted on.

/// Something in a heap that cannot be, as `Heap.verify()` and the checks of `GODEBUG` find it.
public struct HeapFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// What sort of thing is wrong.
  public enum Kind: Sendable {
    /// A reference to something that is no object of the heap.
    case reference
    /// An object whose contents contradict its layout.
    case object
    /// An object that is reachable and was not marked (`GODEBUG=gccheckmark=1`).
    case lostObject
    /// A block's description contradicts its lane, its neighbours or the table of free blocks.
    case block
    /// A mark or allocation bit where none may be.
    case bitmap
    /// A block that is on no list and in no thread's hands, or on two, or a list that is cut or knotted.
    case list
    /// A thread's open run or barrier state.
    case run
    /// A counter that disagrees with what it counts.
    case count
  }

  /// The sort of fault.
  public let kind: Kind
  /// What is wrong, with addresses; for a reference or a lost object, the path from a root or stack that leads there.
  public let description: String
}

/// The objects of one layout that an examination reached.
public struct LayoutCensus: Sendable, Hashable, CustomStringConvertible {
  /// The payload's type, `bytes`, `reference array`, or the name that a layout was registered under.
  public let name: String
  /// How many objects there are.
  public let objects: Int
  /// The bytes of their cells.
  public let bytes: Int
  /// A shortest path from a root or stack to the object that was reached last, with byte offsets or indices of the references.
  public let path: String

  /// One line.
  public var description: String { "\(bytes) bytes in \(objects) objects of \(name), as \(path)" }
}

/// The outcome of an examination of a whole heap.
public struct HeapVerification: Sendable, CustomStringConvertible {
  /// The first faults found, at most 16; empty when the heap is sound.
  public let faults: [HeapFault]
  /// All faults, also those not kept.
  public let faultCount: Int
  /// Objects reached from roots and stacks.
  public let reachedObjects: Int
  /// The same objects by their layouts, the most bytes first: what fills the heap, and what holds it.
  public let census: [LayoutCensus]

  /// Whether nothing was found.
  public var isSound: Bool { faultCount == 0 }

  /// One line a fault.
  public var description: String {
    if isSound { return "sound, \(reachedObjects) objects reached" }
    let more = faultCount > faults.count ? ["and \(faultCount - faults.count) more"] : []
    return (["\(faultCount) faults"] + faults.map(\.description) + more).joined(separator: "\n  ")
  }
}

/// The faults found so far. Texts are made only for those that are kept.
struct FaultList {
  private static let most = 16
  private(set) var kept: [HeapFault] = []
  private(set) var count = 0

  mutating func add(_ kind: HeapFault.Kind, _ text: @autoclosure () -> String) {
    count += 1
    if kept.count < FaultList.most { kept.append(HeapFault(kind: kind, description: text())) }
  }
}

/// What marking did, beside what it had to do.
struct MarkComparison: CustomStringConvertible {
  /// Objects reachable by a second, precise walk.
  var reached = 0
  /// Objects marked and no longer reachable: garbage that the next cycle finds.
  var floating = 0
  /// Unmarked objects that a stack word points to and nothing else: left-over words of earlier calls, as far as anyone can tell.
  var onStackAlone = 0

  var description: String {
    "re-marked \(reached) objects, \(floating) floating, \(onStackAlone) on a stack alone"
  }
}
