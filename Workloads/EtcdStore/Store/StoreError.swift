// Everything a request to the store can be refused for.

/// Why the store refused a request. A refused request has changed nothing.
public enum StoreError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The revision was compacted away.
  case compacted(requested: Int, oldest: Int)
  /// The revision does not exist yet.
  case future(requested: Int, current: Int)
  case leaseNotFound(Int)
  case leaseExists(Int)
  /// One transaction writes a key twice.
  case duplicateKey
  case emptyKey
  case tooManyOperations(Int)
  /// The request's bytes are not a transaction.
  case malformedRequest(offset: Int)
  /// The session number is outside those the store was made with.
  case noSuchSession(Int, sessions: Int)
  /// A restored key does not come after the one before it, or the store was not empty.
  case restoreOutOfOrder

  public var description: String {
    switch self {
    case .compacted(let requested, let oldest):
      return "revision \(requested) has been compacted; the oldest is \(oldest)"
    case .future(let requested, let current): return "revision \(requested) is in the future; the current is \(current)"
    case .leaseNotFound(let id): return "there is no lease \(id)"
    case .leaseExists(let id): return "lease \(id) exists already"
    case .duplicateKey: return "a transaction writes the same key twice; allowed: once"
    case .emptyKey: return "a key is empty; allowed: at least one byte"
    case .tooManyOperations(let count):
      return "a transaction has \(count) operations; allowed: 1 to \(Request.mostOperations)"
    case .malformedRequest(let offset): return "the request is malformed at byte \(offset)"
    case .noSuchSession(let session, let sessions):
      return "there is no session \(session); allowed: 0 to \(sessions - 1)"
    case .restoreOutOfOrder: return "keys are restored out of order; allowed: rising keys into an empty store"
    }
  }
}
