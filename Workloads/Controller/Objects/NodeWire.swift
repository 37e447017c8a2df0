// Nodes and pods on the wire: written from the plain facts of an API server, decoded into objects, and written again from objects, so
// that a check can compare the two byte by byte.

import Harness
import Tricolor

/// The facts of a node from which all its content follows.
struct NodeFacts {
  let site: Int
  let number: Int
  let version: UInt32
  let policy: UInt32
  let cpu: UInt8
  /// Ticks of simulated time.
  let heartbeat: Int

  private static let reasons: [StaticString] = [
    "KubeletReady", "KubeletHasSufficientMemory", "KubeletHasNoDiskPressure", "KubeletHasSufficientPID", "RouteCreated",
    "ContainerRuntimeIsUp",
  ]

  /// The node's own number in the whole fleet, for content that differs between sites.
  private var seed: UInt64 { UInt64(site) << 32 | UInt64(number) }

  static func writeName(site: Int, number: Int, to wire: WireBuffer) {
    wire.write("node.cluster.example-", UInt64(site) << 20 | UInt64(number), digits: 7)
  }

  /// Which pool the node belongs to.
  static func pool(_ number: Int) -> Int { number % Shape.pools }

  func write(to wire: WireBuffer) {
    wire.write(UInt32(number))
    wire.write(version)
    wire.write(policy)
    wire.write(cpu)
    wire.write(heartbeat)
    NodeFacts.writeName(site: site, number: number, to: wire)
    for label in 0..<Shape.labels { writeLabel(label, to: wire) }
    for kind in 0..<Shape.conditions {
      wire.write(Int32(kind))
      wire.write(Int32(kind == 0 ? 1 : 0))
      wire.write(heartbeat)
      wire.write(kind &* 1000)
      let reason = NodeFacts.reasons[kind]
      wire.write(text: UnsafeRawBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount))
    }
    for image in 0..<Shape.images {
      wire.write("registry.example/application-", Checksum.mix(seed ^ UInt64(image) << 56), digits: 16)
    }
  }

  private func writeLabel(_ label: Int, to wire: WireBuffer) {
    switch label {
    case 0: wire.write("zone-", UInt64(site), digits: 2)
    case Shape.poolLabel: wire.write("pool-", UInt64(NodeFacts.pool(number)), digits: 1)
    case 2: wire.write("boot-", UInt64(version), digits: 8)
    default: wire.write("", Checksum.mix(seed &+ UInt64(label) << 48), digits: 12)
    }
  }
}

/// The facts of a pod.
struct PodFacts {
  let site: Int
  let number: Int
  let version: UInt32
  let node: Int

  static func writeName(site: Int, number: Int, to wire: WireBuffer) {
    wire.write("application-7d9c5b8f6-", UInt64(site) << 24 | UInt64(number), digits: 8)
  }

  static func namespace(_ number: Int) -> Int { Int(Checksum.mix(UInt64(number)) % UInt64(Shape.namespaces)) }

  func write(to wire: WireBuffer) {
    wire.write(UInt32(number))
    wire.write(version)
    wire.write(UInt32(PodFacts.namespace(number)))
    wire.write(version % 3)
    wire.write(100 + number % 50)
    wire.write((64 + number % 64) << 20)
    PodFacts.writeName(site: site, number: number, to: wire)
    NodeFacts.writeName(site: site, number: node, to: wire)
    wire.write("10.", Checksum.mix(UInt64(number) ^ UInt64(node) << 32), digits: 8)
    wire.write("application-", UInt64(number % 997), digits: 4)
    wire.write("release-", UInt64(version), digits: 8)
  }
}

extension WireReader {
  /// The next node, decoded.
  mutating func node(
    keys: Reference<ReferenceArray<Bytes>>, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<NodeObject> {
    let node = try mutator.make(
      NodeObject(
        number: read(UInt32.self), version: read(UInt32.self), policy: read(UInt32.self), cpu: read(UInt8.self),
        heartbeat: read(Int.self)))
    node.name = try text(mutator)
    node.labels = try labels(Shape.labels, keys, mutator)
    let conditions = try mutator.makeElements(of: Condition.self, count: Shape.conditions)
    for index in 0..<conditions.count {
      let condition = conditions[index]
      condition.kind = read(Int32.self)
      condition.status = read(Int32.self)
      condition.heartbeat = read(Int.self)
      condition.transition = read(Int.self)
      condition.reason = try text(mutator)
    }
    node.conditions = conditions
    let images = try mutator.makeArray(of: Bytes.self, count: Shape.images)
    for index in 0..<images.count { images[index] = try text(mutator) }
    node.images = images
    return node
  }

  /// The next pod, decoded.
  mutating func pod(
    keys: Reference<ReferenceArray<Bytes>>, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<PodStub> {
    let pod = try mutator.make(
      PodStub(
        number: read(UInt32.self), version: read(UInt32.self), namespace: read(UInt32.self), phase: read(UInt32.self),
        requestedCPU: read(Int.self), requestedMemory: read(Int.self)))
    pod.name = try text(mutator)
    pod.node = try text(mutator)
    pod.networkAddress = try text(mutator)
    pod.labels = try labels(Shape.podLabels, keys, mutator)
    return pod
  }

  private mutating func labels(
    _ count: Int, _ keys: Reference<ReferenceArray<Bytes>>, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ElementArray<Label>> {
    let labels = try mutator.makeElements(of: Label.self, count: count)
    for index in 0..<count {
      let label = labels[index]
      label.key = keys[index]
      label.value = try text(mutator)
    }
    return labels
  }
}

extension Reference where Target == NodeObject {
  /// The node as it came.
  func write(to wire: WireBuffer) {
    wire.write(self.number)
    wire.write(self.version)
    wire.write(self.policy)
    wire.write(self.cpu)
    wire.write(self.heartbeat)
    self.name!.write(to: wire)
    self.labels!.write(to: wire)
    let conditions = self.conditions!
    for index in 0..<conditions.count {
      let condition = conditions[index]
      wire.write(condition.kind)
      wire.write(condition.status)
      wire.write(condition.heartbeat)
      wire.write(condition.transition)
      condition.reason!.write(to: wire)
    }
    let images = self.images!
    for index in 0..<images.count { images[index]!.write(to: wire) }
  }
}

extension Reference where Target == PodStub {
  /// The pod as it came.
  func write(to wire: WireBuffer) {
    wire.write(self.number)
    wire.write(self.version)
    wire.write(self.namespace)
    wire.write(self.phase)
    wire.write(self.requestedCPU)
    wire.write(self.requestedMemory)
    self.name!.write(to: wire)
    self.node!.write(to: wire)
    self.networkAddress!.write(to: wire)
    self.labels!.write(to: wire)
  }
}

extension Reference where Target == ElementArray<Label> {
  fileprivate func write(to wire: WireBuffer) {
    for index in 0..<count { self[index].value!.write(to: wire) }
  }
}

extension Reference where Target == Bytes {
  fileprivate func write(to wire: WireBuffer) { withBytes { wire.write(text: UnsafeRawBufferPointer($0)) } }

  /// Whether it holds these bytes.
  func holds(_ other: UnsafeRawBufferPointer) -> Bool {
    withBytes { $0.count == other.count && $0.elementsEqual(other) }
  }
}
