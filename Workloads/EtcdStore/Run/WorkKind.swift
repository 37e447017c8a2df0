// The kinds of operations whose latencies are told apart.

/// A kind of operation; the raw value is its index in every table.
enum WorkKind: Int, CaseIterable, Sendable {
  case put, transaction, get, listPage, leaseRenewal, delete, compaction, watchDelivery

  var name: String {
    switch self {
    case .put: return "put"
    case .transaction: return "txn"
    case .get: return "get"
    case .listPage: return "list page"
    case .leaseRenewal: return "lease renew"
    case .delete: return "delete"
    case .compaction: return "compaction"
    case .watchDelivery: return "watch delivery"
    }
  }
}
