// The API server of one site: what is true of its nodes and pods, in plain arrays outside the managed heap. It is where events come from,
// and the shadow that the cache is compared with at the end.

import Harness

/// The facts of a site. Used by one thread at a time.
struct SiteModel: Sendable {
  let site: Int
  let nodes: Int
  /// Pods that are there from the start, and numbers for those that a burst adds.
  let pods: Int
  let sparePods: Int
  private(set) var nodeVersion: [UInt32]
  private(set) var nodePolicy: [UInt32]
  private var nodeCPU: [UInt8]
  private var nodeHeartbeat: [Int]
  private(set) var podVersion: [UInt32]
  /// The node each pod is on, -1 for none.
  private(set) var podNode: [Int32]
  /// Nodes that have applied the newest policy.
  private(set) var synchronised = 0
  private(set) var newestPolicy: UInt32 = 0
  private(set) var runningSpares = 0

  init(site: Int, nodes: Int, pods: Int, sparePods: Int) {
    self.site = site
    self.nodes = nodes
    self.pods = pods
    self.sparePods = sparePods
    nodeVersion = [UInt32](repeating: 1, count: nodes)
    nodePolicy = [UInt32](repeating: 0, count: nodes)
    nodeCPU = [UInt8](repeating: 50, count: nodes)
    nodeHeartbeat = [Int](repeating: 0, count: nodes)
    podVersion = [UInt32](repeating: 1, count: pods + sparePods)
    podNode = (0..<pods + sparePods).map { $0 < pods ? Int32(Checksum.mix(UInt64($0)) % UInt64(nodes)) : -1 }
  }

  func node(_ number: Int) -> NodeFacts {
    NodeFacts(
      site: site, number: number, version: nodeVersion[number], policy: nodePolicy[number], cpu: nodeCPU[number],
      heartbeat: nodeHeartbeat[number])
  }

  func pod(_ number: Int) -> PodFacts {
    PodFacts(site: site, number: number, version: podVersion[number], node: Int(podNode[number]))
  }

  /// A node reports.
  mutating func heartbeat(_ number: Int, at now: Int) {
    nodeVersion[number] += 1
    nodeHeartbeat[number] = now
    nodeCPU[number] = SiteModel.cpu(site: site, number: number, at: now)
  }

  /// A burst of eight minutes every fifteen, at another time at each site.
  private static func cpu(site: Int, number: Int, at now: Int) -> UInt8 {
    let phase = (now + site * 750) % 9000
    let noise = Checksum.mix(UInt64(now) << 32 | UInt64(site) << 24 | UInt64(number))
    return (3000..<7800).contains(phase) ? 93 + UInt8(noise % 7) : 40 + UInt8(noise % 20)
  }

  mutating func announce(_ policy: UInt32) {
    newestPolicy = policy
    synchronised = 0
  }

  /// A node has been sent a policy; whether that changed it.
  mutating func apply(_ policy: UInt32, to number: Int) -> Bool {
    if nodePolicy[number] >= policy { return false }
    nodePolicy[number] = policy
    nodeVersion[number] += 1
    if policy == newestPolicy { synchronised += 1 }
    return true
  }

  /// A pod changed, or was put on `node`.
  mutating func change(pod number: Int, node: Int) {
    if number >= pods && podNode[number] < 0 { runningSpares += 1 }
    podVersion[number] += 1
    podNode[number] = Int32(node)
  }

  /// A pod is gone; false when it was.
  mutating func remove(pod number: Int) -> Bool {
    if podNode[number] < 0 { return false }
    if number >= pods { runningSpares -= 1 }
    podVersion[number] += 1
    podNode[number] = -1
    return true
  }

  /// All of it in a word.
  var checksum: UInt64 {
    var state: UInt64 = 0
    for number in 0..<nodes {
      state = Checksum.combine(state, UInt64(nodeVersion[number]) << 32 | UInt64(nodePolicy[number]))
    }
    for number in podNode.indices {
      state = Checksum.combine(
        state, UInt64(podVersion[number]) << 32 | UInt64(UInt32(bitPattern: podNode[number])))
    }
    return state
  }
}
