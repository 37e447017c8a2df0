// What would store a reference where no barrier sees it, or a value where the collector cannot find it.

import Tricolor

struct Node: Managed {
  struct Pair {
    var number: Int
    var link: Reference<Node>?
  }
  static let slot = TypeSlot()
  let identity: Int
  var key: Int
  var left: Reference<Node>?
  var required: Reference<Node>
  var pair: Pair
  var two: (Reference<Node>?, Int)
  var row: InlineArray<4, Reference<Node>?>
  var pairs: InlineArray<2, Pair>
  var text: String
  var numbers: ManagedArray<Int>?
}

func store<Value: BitwiseCopyable>(_ value: Value, _ path: WritableKeyPath<Node, Value>, in node: Reference<Node>) {
  node[dynamicMember: path] = value
}

func storeAny<Value>(_ value: Value, _ path: WritableKeyPath<Node, Value>, in node: Reference<Node>) {
  node[dynamicMember: path] = value  // error: only plain values and references
}

func refused(_ m: Mutator, _ node: Reference<Node>, _ other: Reference<Node>) throws {
  // Whole structs that hold references, and parts of them.
  node.pair = Node.Pair(number: 1, link: other)  // error: only plain values and references
  node.pair.link = other  // error: only plain values and references
  node.two = (other, 1)  // error: only plain values and references
  node.two.0 = other  // error: only plain values and references
  node.row = .init(repeating: other)  // error: only plain values and references
  node.pairs[0].link = other  // error: only plain values and references
  // Key paths do not launder what they lead to.
  store(other, \.required, in: node)  // error: BitwiseCopyable
  store(other, \.left, in: node)  // error: BitwiseCopyable
  store(Node.Pair(number: 1, link: other), \.pair, in: node)  // error: BitwiseCopyable
  node[dynamicMember: \.pair] = Node.Pair(number: 1, link: other)  // error: only plain values and references
  // Counted values.
  node.text = "text"  // error: only plain values and references
  print(node.text)  // error: only plain values and references
  // Constants.
  node.identity = 5  // error: 'let' constant
  // References to other types.
  node.left = try m.makeBytes(count: 1)  // error: cannot assign value
  node.numbers = try ManagedArray<Double>(m)  // error: cannot assign value
  // Elements that the collector could not describe.
  _ = try ManagedArray<String>(m)  // error: ManagedElement
  _ = try ManagedArray<Node.Pair>(m)  // error: ManagedElement
  _ = try ManagedArray<[Int]>(m)  // error: ManagedElement
  _ = try ManagedDictionary<String, Int>(m)  // error: ManagedElement
}

// A struct with a reference is no plain value, whatever is claimed.
struct Claim {
  var number: Int
  var link: Reference<Node>?  // error: non-bitwise-copyable type
}
extension Claim: BitwiseCopyable {}

struct Link {
  var link: Reference<Node>?
}
extension Link: ManagedElement {}  // error: does not conform

// A handle without its reference.
struct NoHandle: ManagedHandle {  // error: does not conform
  var number: Int
}

// A payload without its slot.
struct NoSlot: Managed {  // error: does not conform
  var number: Int
}

// Entries are added by a function that can throw.
func addEntry(_ dictionary: ManagedDictionary<Int, Int>) {
  dictionary[1] = 2  // error: get-only
  dictionary.updateValue(2, forKey: 1)  // error: call can throw
}
