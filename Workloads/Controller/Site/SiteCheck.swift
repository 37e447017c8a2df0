// Compares a site's cache with its API server: every node and pod is written to the wire from both, and the bytes must be the same; and
// the indexes hold each entry once, where it belongs.

import Harness
import Tricolor

extension SiteController {
  /// How much is wrong. After `drain`, on the site's own thread.
  func countFaults(_ mutator: Mutator) -> Int {
    let cache = self.cache.get(mutator)!
    var faults = counts.wrongMatches + counts.wrongMessages + wrongPolicies(mutator)
    let runningPods = model.podNode.count { $0 >= 0 }
    if cache.nodes != model.nodes || cache.pods != runningPods { faults += 1 }
    if model.synchronised != model.nodes && model.newestPolicy > 0 { faults += 1 }
    faults += wrongNodes(cache, mutator) + wrongPods(cache, mutator) + wrongLists(cache, mutator)
    return faults
  }

  private func wrongNodes(_ cache: Reference<SiteCache>, _ mutator: Mutator) -> Int {
    let (expected, found) = (WireBuffer(), WireBuffer())
    var wrong = 0
    var (windows, sum) = (0, 0)
    for number in 0..<model.nodes {
      mutator.poll()
      expected.clear()
      found.clear()
      model.node(number).write(to: expected)
      guard let entry = entry(cache.nodeTable, number, NodeFacts.writeName), let node = entry.node else {
        wrong += 1
        continue
      }
      node.write(to: found)
      if !found.bytes.elementsEqual(expected.bytes) { wrong += 1 }
      let state = entry.state!
      if state.sum != state.window!.withBytes({ $0.reduce(0) { $0 + Int($1) } }) { wrong += 1 }
      if state.isFull {
        windows += 1
        sum += state.sum
      }
    }
    if windows != cache.fullWindows || sum != cache.windowSum { wrong += 1 }
    return wrong
  }

  private func wrongPods(_ cache: Reference<SiteCache>, _ mutator: Mutator) -> Int {
    let (expected, found) = (WireBuffer(), WireBuffer())
    var wrong = 0
    for number in model.podNode.indices where model.podNode[number] >= 0 {
      mutator.poll()
      expected.clear()
      found.clear()
      model.pod(number).write(to: expected)
      entry(cache.podTable, number, PodFacts.writeName)?.pod?.write(to: found)
      if !found.bytes.elementsEqual(expected.bytes) { wrong += 1 }
    }
    return wrong
  }

  /// The entry of a name that begins with its length, as on the wire.
  private func entry(
    _ table: EntryTable, _ number: Int, _ writeName: (Int, Int, WireBuffer) -> Void
  ) -> Reference<CacheEntry>? {
    let wire = WireBuffer(capacity: 64)
    writeName(model.site, number, wire)
    let name = UnsafeRawBufferPointer(rebasing: wire.bytes.dropFirst())
    return table.find(name, Checksum.hash(name))
  }

  private func wrongLists(_ cache: Reference<SiteCache>, _ mutator: Mutator) -> Int {
    var wrong = 0
    var (inPools, onNodes, inNamespaces) = (0, 0, 0)
    for pool in 0..<Shape.pools {
      let list = cache.pools![pool]!
      inPools += list.count
      if !list.isSound(.first, { NodeFacts.pool(Int($0.node!.number)) == pool }) { wrong += 1 }
      for place in 0..<list.count {
        mutator.poll()
        let entry = list.entries![place]!
        let pods = entry.state!.pods!
        onNodes += pods.count
        let isOnNode = { (pod: Reference<CacheEntry>) in
          pod.pod!.node!.holds(UnsafeRawBufferPointer(entry.name!.bytes))
        }
        if !pods.isSound(.first, isOnNode) { wrong += 1 }
      }
    }
    for namespace in 0..<Shape.namespaces {
      mutator.poll()
      let list = cache.namespaces![namespace]!
      inNamespaces += list.count
      if !list.isSound(.second, { Int($0.pod!.namespace) == namespace }) { wrong += 1 }
    }
    if inPools != cache.nodes || onNodes != cache.pods || inNamespaces != cache.pods { wrong += 1 }
    return wrong
  }
}
