// The kinds of operations whose latencies are told apart.

/// A kind of operation; the raw value is its index in every table.
enum WorkKind: Int, CaseIterable, Sendable {
  case put, transaction, get, listPage, leaseRenewal, delete, compaction, list, snapshot, watchDelivery

  /// Whether it counts as an operation of a client, and not as work that the store does beside them.
  var isOperation: Bool { ![.compaction, .snapshot, .watchDelivery].contains(self) }

  var name: String {
    switch self {
    case .put: return "put"
    case .transaction: return "txn"
    case .get: return "get"
    case .listPage: return "list page"
    case .leaseRenewal: return "lease renew"
    case .delete: return "delete"
    case .compaction: return "compaction"
    case .list: return "list"
    case .snapshot: return "snapshot"
    case .watchDelivery: return "watch delivery"
    }
  }
}
