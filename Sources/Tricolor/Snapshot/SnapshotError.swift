// Why a snapshot could not be taken, examined or written.

import TricolorPlatform

/// A snapshot of a heap that could not be.
public enum SnapshotError: Error, CustomStringConvertible, Sendable {
  /// The copy and what is computed of it need `neededBytes`, and the memory limit leaves `roomBytes`.
  case noRoom(neededBytes: Int, roomBytes: Int)
  /// The system refused memory.
  case platform(PlatformError)
  /// The heap has too many objects or references, or lies too far up in the managed range: what is there, and what is allowed.
  case tooLarge(String)
  /// The program stored references while all its threads were held, which only threads do that are not supposed to touch the heap.
  case changed
  /// A file could not be written: its path, and the system's reason.
  case file(path: String, reason: String)

  /// What went wrong, with figures.
  public var description: String {
    switch self {
    case .noRoom(let needed, let room):
      "a snapshot needs \(needed) bytes outside the heap, and the memory limit leaves \(room); take it ignoring the limit, or raise it"
    case .platform(let error): "a snapshot: \(error)"
    case .tooLarge(let what): "a snapshot of this heap: \(what)"
    case .changed:
      "references were stored into the heap while all its threads were held: a thread outside of it touches it"
    case .file(let path, let reason): "the snapshot \"\(path)\" cannot be written: \(reason)"
    }
  }
}

extension SnapshotError {
  /// An array, or the error in these terms.
  static func array<Element>(
    of type: Element.Type, _ count: Int
  ) throws(SnapshotError) -> MappedArray<Element> {
    do throws(PlatformError) {
      return try MappedArray(count: count)
    } catch {
      throw .platform(error)
    }
  }
}
