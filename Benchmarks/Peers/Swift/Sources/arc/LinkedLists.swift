// linked-list: each operation builds a new list while the last one is alive, then walks and drops the old one. A node takes 32 bytes
// with its header.
//
// Left alone, the first node would free the second from inside its own end, and so on until the stack is full. So the list is freed
// node by node by its owner, each node taking its successor out before it dies: that is one decrement for each node.

final class ListNode {
  fileprivate(set) var next: ListNode?
  let value: Int

  init(_ next: consuming ListNode?, _ value: Int) {
    self.next = next
    self.value = value
  }
}

final class NumberList {
  private var head: ListNode?

  /// The values `first` ..< `first` + `count`, the largest at the head.
  init(from first: Int, count: Int) {
    for value in first..<first + count { head = ListNode(head.take(), value) }
  }

  deinit {
    while isKnownUniquelyReferenced(&head) { head = head!.next.take() }
  }

  var sum: Int {
    var sum = 0
    var rest = head
    while let node = rest {
      sum &+= node.value
      rest = node.next
    }
    return sum
  }
}

enum LinkedLists: Workload {
  static let name = "linked-list"
  static let summary = "long singly linked lists: marking without parallelism or prefetch"
  static let options = [
    Option("nodes", 1...1 << 32, default: 1_000_000, help: "nodes in a list"),
    Option("lists", 1...1 << 32, default: 20, help: "lists built, by each thread"),
  ]

  private struct Part {
    var last: NumberList
    var isIntact = true
    var durations = Histogram()
  }

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let count = run["nodes"]
    let lists = run["lists"]
    let parts = try Clients.run(run.threads) { _ in buildLists(lists, count) }
    report.endMeasuring()
    report.operations = lists * run.threads
    report.durations = parts.reduce(into: Histogram()) { $0.add($1.durations) }
    report.verified = parts.allSatisfy { $0.isIntact && $0.last.sum == expectedSum(from: lists, count) }
    report.result = [("nodes", .integer(count)), ("lists", .integer(report.operations))]
  }

  private static func buildLists(_ lists: Int, _ count: Int) -> Part {
    var part = Part(last: NumberList(from: 0, count: count))
    for number in 1...lists {
      let began = Clock.monotonic()
      let next = NumberList(from: number, count: count)
      part.isIntact = part.isIntact && part.last.sum == expectedSum(from: number - 1, count)
      part.last = next
      part.durations.record(Clock.monotonic() - began)
    }
    return part
  }

  /// Modulo 2^64, like the sum.
  private static func expectedSum(from first: Int, _ count: Int) -> Int {
    let numbers = UInt(count)
    return Int(bitPattern: numbers &* UInt(first) &+ numbers &* (numbers - 1) / 2)
  }
}
