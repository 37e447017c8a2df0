// What the controller keeps of its clusters, as objects on the managed heap: nodes with labels, conditions and images, stubs of pods,
// policies. Each is immutable: an event brings a whole new object, as informers decode them, and the old one is garbage.

import Tricolor

struct Label: Managed {
  static let slot = TypeSlot()
  /// Shared by all objects of a site.
  var key: Reference<Bytes>?
  var value: Reference<Bytes>?
}

struct Condition: Managed {
  static let slot = TypeSlot()
  var kind: Int32
  var status: Int32
  var heartbeat: Int
  var transition: Int
  var reason: Reference<Bytes>?
}

struct NodeObject: Managed {
  static let slot = TypeSlot()
  var number: UInt32
  var version: UInt32
  /// The newest policy the node has applied.
  var policy: UInt32
  /// Percent.
  var cpu: UInt8
  var heartbeat: Int
  var name: Reference<Bytes>?
  var labels: Reference<ElementArray<Label>>?
  var conditions: Reference<ElementArray<Condition>>?
  var images: Reference<ReferenceArray<Bytes>>?
}

struct PodStub: Managed {
  static let slot = TypeSlot()
  var number: UInt32
  var version: UInt32
  var namespace: UInt32
  var phase: UInt32
  var requestedCPU: Int
  var requestedMemory: Int
  var name: Reference<Bytes>?
  var node: Reference<Bytes>?
  var networkAddress: Reference<Bytes>?
  var labels: Reference<ElementArray<Label>>?
}

struct Policy: Managed {
  static let slot = TypeSlot()
  var number: UInt32
  var rules: Reference<Bytes>?
}

/// How many of everything an object has.
enum Shape {
  static let labels = 20
  static let podLabels = 2
  static let conditions = 6
  static let images = 10
  static let pools = 8
  static let poolLabel = 1
  static let namespaces = 100
  static let policies = 500
  static let policyBytes = 4096
  static let patchBytes = 512
  /// Samples of a node's CPU that are averaged: five minutes of one every ten seconds.
  static let window = 30
}
