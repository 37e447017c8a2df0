// linked-list: the shape that marks worst. A list has one path through it, so there is nothing to prefetch and nothing to share
// among markers, and a collector that recursed would run out of stack. Each operation builds a new list while the last one is
// alive, then walks and drops the old one.

import Harness
import Tricolor
import TricolorPlatform

struct ListNode: Managed {
  static let slot = TypeSlot()
  var next: Reference<ListNode>?
  var value: Int
}

/// `tricolor run linked-list`.
public struct LinkedList: Workload {
  public static let name = "linked-list"
  public static let summary = "long singly linked lists: marking without parallelism or prefetch"
  public static let kinds = ["list"]
  public static let options: [any AnyWorkloadOption] = [nodesOption, listsOption]
  private static let nodesOption = WorkloadOption.integer(
    "nodes", 1...1 << 32, default: 1_000_000, help: "nodes in a list, 16 bytes each")
  private static let listsOption = WorkloadOption.integer(
    "lists", 1...1 << 32, default: 20, help: "lists built, by each thread")

  private let nodes: Int
  private let lists: Int

  public init(options: OptionValues) throws(UsageError) {
    nodes = try options.value(of: Self.nodesOption)
    lists = try options.value(of: Self.listsOption)
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("lists")
    let parts = try context.runClients { client, mutator in
      var intact = true
      var last = try build(from: 0, mutator)
      while client.operations < lists && !client.shouldStop {
        let began = Clock.monotonic()
        let number = client.operations + 1
        let next = try build(from: number, mutator)
        intact = intact && sum(last, mutator) == expectedSum(from: number - 1)
        last = next
        client.record(kind: 0, nanoseconds: Clock.monotonic() - began)
      }
      let operations = client.operations
      client.endMeasuring(mutator)
      return intact && sum(last, mutator) == expectedSum(from: operations)
    }
    return WorkloadResult(
      verified: parts.allSatisfy { $0 }, figures: ["nodes": .integer(nodes), "lists": .integer(context.operations)])
  }

  /// A list of the values `first` ..< `first` + nodes, the largest at its head.
  private func build(from first: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<ListNode> {
    var head = try mutator.make(ListNode(next: nil, value: first))
    for value in first + 1..<first + nodes { head = try mutator.make(ListNode(next: head, value: value)) }
    return head
  }

  private func sum(_ list: Reference<ListNode>, _ mutator: Mutator) -> Int {
    var sum = 0
    var rest: Reference<ListNode>? = list
    while let node = rest {
      mutator.poll()
      sum &+= node.value
      rest = node.next
    }
    return sum
  }

  private func expectedSum(from first: Int) -> Int { nodes * first + nodes * (nodes - 1) / 2 }
}
