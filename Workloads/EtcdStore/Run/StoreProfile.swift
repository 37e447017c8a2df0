// What a store holds: how many keys, of which kinds, and how large. Each profile is a store that somebody has had trouble with.
//
// Sizes are those of Kubernetes as etcd's issues and the scale tests of Kubernetes report them: pods around 10 KiB, nodes with
// their lists of images around 15 KiB, a node's lease half a KiB, config maps with a long tail.

import Harness

/// `--profile`.
public enum StoreProfile: String, CaseIterable, Sendable {
  /// All kinds of resources of a cluster, scaled to values of 1000 bytes: the default.
  case mixed
  /// One kind, all values of 2 KiB: the store of the list storm measured against etcd.
  case uniform2k = "uniform-2k"
  /// 1000 nodes and 30 000 pods.
  case k8sSmall = "k8s-small"
  /// 5000 nodes and 150 000 pods: the largest cluster that Kubernetes promises to work with.
  case k8s5k = "k8s-5k"
  /// Few values of 650 KB: it is the log of requests that fills the memory.
  case bigval
  /// A million keys with hardly any value: it is the index that fills the memory.
  case tiny1m = "tiny-1m"

  var keys: Int {
    switch self {
    case .mixed: return 36_000
    case .uniform2k: return 60_000
    case .k8sSmall: return 47_000
    case .k8s5k: return 235_000
    case .bigval: return 2_000
    case .tiny1m: return 1_000_000
    }
  }

  /// What the sizes of the kinds are relative to, in bytes.
  var meanValueBytes: Int {
    switch self {
    case .mixed: return 1_000
    case .uniform2k: return 2_048
    case .k8sSmall, .k8s5k: return 10_240
    case .bigval: return 665_600
    case .tiny1m: return 256
    }
  }

  var mostValueBytes: Int {
    switch self {
    case .mixed, .uniform2k, .tiny1m: return 65_536
    case .k8sSmall, .k8s5k, .bigval: return 1 << 20
    }
  }

  /// The size of an event's value where the mean size of a value is `mean`.
  func eventBytes(mean: Int) -> Int { self == .mixed ? max(16, mean * 3 / 4) : 768 }

  /// Keys put in one transaction while loading. etcd takes 1.5 MiB in one request.
  var keysPerLoad: Int { self == .bigval ? 1 : 10 }

  var kinds: [ResourceKind] {
    switch self {
    case .mixed: return ResourceKind.mixed
    case .uniform2k: return ResourceKind.uniform
    case .k8sSmall, .k8s5k: return ResourceKind.cluster
    case .bigval: return ResourceKind.large
    case .tiny1m: return ResourceKind.tiny
    }
  }
}

/// A kind of resource: its share of the keys and how large its values are.
struct ResourceKind {
  let directory: StaticString
  let prefix: StaticString
  /// Of as many keys as the shares of all kinds come to, how many are of this kind.
  let share: Int
  /// Mean value size relative to the profile's, and the spread of its logarithm.
  let size: Double
  let spread: Double
  /// How clients write it.
  let role: ResourceRole
}

/// How clients use a key.
enum ResourceRole {
  /// Renewed all the time, as a node's lease is.
  case heartbeat
  /// Updated by comparison with what was read; deleted and made again.
  case status
  /// Hardly ever written.
  case settled
}

extension ResourceKind {
  fileprivate static let mixed = [
    ResourceKind(
      directory: "/registry/pods/ns-", prefix: "/pod-", share: 20, size: 1.35, spread: 0.6, role: .status),
    ResourceKind(
      directory: "/registry/leases/kube-node-lease-", prefix: "/node-", share: 10, size: 0.4, spread: 0,
      role: .heartbeat),
    ResourceKind(
      directory: "/registry/minions/zone-", prefix: "/node-", share: 1, size: 3, spread: 0.3, role: .status),
    ResourceKind(
      directory: "/registry/endpointslices/ns-", prefix: "/service-", share: 4, size: 1.6, spread: 0.5, role: .status),
    ResourceKind(
      directory: "/registry/configmaps/ns-", prefix: "/config-", share: 5, size: 1.5, spread: 1.1, role: .settled),
    ResourceKind(
      directory: "/registry/secrets/ns-", prefix: "/secret-", share: 5, size: 0.6, spread: 0.7, role: .settled),
    ResourceKind(
      directory: "/registry/services/specs/ns-", prefix: "/service-", share: 5, size: 0.5, spread: 0.2, role: .settled),
  ]

  fileprivate static let uniform = [
    ResourceKind(directory: "/registry/pods/ns-", prefix: "/pod-", share: 1, size: 1, spread: 0, role: .status)
  ]

  /// 47 keys: 30 pods, and what comes with them.
  fileprivate static let cluster = [
    ResourceKind(directory: "/registry/pods/ns-", prefix: "/pod-", share: 30, size: 1, spread: 0.5, role: .status),
    ResourceKind(
      directory: "/registry/leases/kube-node-lease-", prefix: "/node-", share: 1, size: 0.05, spread: 0,
      role: .heartbeat),
    ResourceKind(
      directory: "/registry/minions/zone-", prefix: "/node-", share: 1, size: 1.5, spread: 0.2, role: .status),
    ResourceKind(
      directory: "/registry/endpointslices/ns-", prefix: "/service-", share: 5, size: 0.8, spread: 0.5, role: .status),
    ResourceKind(
      directory: "/registry/configmaps/ns-", prefix: "/config-", share: 5, size: 0.4, spread: 1.5, role: .settled),
    ResourceKind(
      directory: "/registry/secrets/ns-", prefix: "/secret-", share: 5, size: 0.2, spread: 1, role: .settled),
  ]

  fileprivate static let large = [
    ResourceKind(
      directory: "/registry/configmaps/ns-", prefix: "/config-", share: 1, size: 1, spread: 0, role: .status)
  ]

  /// Keys of 64 bytes.
  fileprivate static let tiny = [
    ResourceKind(
      directory: "/registry/crd.example.com/widgets/namespace-", prefix: "/resource-", share: 1, size: 1, spread: 0,
      role: .status)
  ]
}
