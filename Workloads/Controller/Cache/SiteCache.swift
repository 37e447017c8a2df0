// The informer cache of one site: nodes and pods by name, with indexes of nodes by pool, of pods by node and by namespace, and the
// policies. Kubernetes' client keeps the same three maps (store, indices, objects) under one lock.
//
// Changes are made by the site's own thread with the lock held for writing; other threads read with it held for reading.

import Harness
import Tricolor

struct SiteCache: Managed {
  static let slot = TypeSlot()
  var nodeBuckets: Reference<ReferenceArray<CacheEntry>>?
  var podBuckets: Reference<ReferenceArray<CacheEntry>>?
  var pools: Reference<ReferenceArray<EntryList>>?
  var namespaces: Reference<ReferenceArray<EntryList>>?
  /// Texts that labels share.
  var keys: Reference<ReferenceArray<Bytes>>?
  var nodes = 0
  var pods = 0
  /// Nodes whose window is full, and what their samples add up to.
  var fullWindows = 0
  var windowSum = 0

  /// An empty cache for about so many objects.
  static func make(nodes: Int, pods: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<SiteCache> {
    let wire = WireBuffer()
    let keys = try mutator.makeArray(of: Bytes.self, count: Shape.labels)
    for key in 0..<Shape.labels {
      wire.clear()
      wire.append("kubernetes.example/label-", UInt64(key), digits: 2)
      keys[key] = try wire.received(mutator)
    }
    return try mutator.make(
      SiteCache(
        nodeBuckets: try EntryTable.makeBuckets(entries: nodes, mutator),
        podBuckets: try EntryTable.makeBuckets(entries: pods, mutator),
        pools: try makeLists(Shape.pools, mutator), namespaces: try makeLists(Shape.namespaces, mutator), keys: keys))
  }

  private static func makeLists(
    _ count: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ReferenceArray<EntryList>> {
    let lists = try mutator.makeArray(of: EntryList.self, count: count)
    for index in 0..<count { lists[index] = try mutator.make(EntryList()) }
    return lists
  }
}

extension Reference where Target == SiteCache {
  var nodeTable: EntryTable { EntryTable(buckets: self.nodeBuckets!) }
  var podTable: EntryTable { EntryTable(buckets: self.podBuckets!) }

  /// Puts a node that came over the wire in place of the one with its name. Lists bring no sample of the CPU, heartbeats do.
  func put(
    _ node: Reference<NodeObject>, samples: Bool, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<CacheEntry> {
    let name = node.name!
    let hash = name.withBytes { Checksum.hash(UnsafeRawBufferPointer($0)) }
    let found = name.withBytes { nodeTable.find(UnsafeRawBufferPointer($0), hash) }
    let entry: Reference<CacheEntry>
    if let found {
      entry = found
    } else {
      let window = try mutator.makeBytes(count: Shape.window)
      let pods = try mutator.make(EntryList())
      let state = try mutator.make(NodeState(window: window, pods: pods))
      entry = try mutator.make(CacheEntry(nameHash: hash, name: name, state: state))
      nodeTable.insert(entry)
      try self.pools![NodeFacts.pool(Int(node.number))]!.append(entry, .first, mutator)
      self.nodes += 1
    }
    entry.node = node
    if samples {
      let (change, filled) = entry.state!.add(node.cpu)
      self.windowSum += change
      if filled { self.fullWindows += 1 }
    }
    return entry
  }

  /// Puts a pod that came over the wire in place of the one with its name; it may have moved to another node.
  func put(_ pod: Reference<PodStub>, _ mutator: Mutator) throws(OutOfMemory) {
    let name = pod.name!
    let hash = name.withBytes { Checksum.hash(UnsafeRawBufferPointer($0)) }
    if let entry = name.withBytes({ podTable.find(UnsafeRawBufferPointer($0), hash) }) {
      let old = entry.pod!
      entry.pod = pod
      if old.node!.withBytes({ pod.node!.holds(UnsafeRawBufferPointer($0)) }) { return }
      podsOnNode(of: old)?.remove(entry, .first)
      try podsOnNode(of: pod)?.append(entry, .first, mutator)
    } else {
      let entry = try mutator.make(CacheEntry(nameHash: hash, name: name, pod: pod))
      podTable.insert(entry)
      try podsOnNode(of: pod)?.append(entry, .first, mutator)
      try self.namespaces![Int(pod.namespace)]!.append(entry, .second, mutator)
      self.pods += 1
    }
  }

  /// Takes out the pod with this name; false when there is none.
  func removePod(_ name: UnsafeRawBufferPointer) -> Bool {
    guard let entry = podTable.find(name, Checksum.hash(name)) else { return false }
    let pod = entry.pod!
    podsOnNode(of: pod)?.remove(entry, .first)
    self.namespaces![Int(pod.namespace)]!.remove(entry, .second)
    podTable.remove(entry)
    entry.pod = nil
    self.pods -= 1
    return true
  }

  /// The list of pods on a pod's node; nil when the node is not in the cache.
  private func podsOnNode(of pod: Reference<PodStub>) -> Reference<EntryList>? {
    pod.node!.withBytes { name in
      let name = UnsafeRawBufferPointer(name)
      return nodeTable.find(name, Checksum.hash(name))?.state!.pods
    }
  }
}
