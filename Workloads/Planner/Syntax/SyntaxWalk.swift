// Three ways to visit every node of a tree without a function for each kind: ask the language's reflection for the fields of each
// node; apply key paths that were looked up once; load at byte offsets that were looked up once.

import Harness
import Tricolor

/// Walks that answer the checksum of all headers in order, children from first to last.
enum SyntaxWalk {
  @inline(__always)
  static func step(_ state: UInt64, _ header: SyntaxHeader) -> UInt64 {
    Checksum.combine(state, UInt64(header.kind.rawValue) << 32 | UInt64(header.position))
  }

  // MARK: Reflection

  /// Finds children with `Mirror`: no table, every field of every node looked at.
  static func byReflection(_ node: Syntax, _ state: UInt64, _ mutator: Mutator) -> UInt64 {
    mutator.poll()
    var state = step(state, node.header)
    for (_, value) in mirror(node).children {
      if let child = value as? Syntax { state = byReflection(child, state, mutator) }
    }
    return state
  }

  private static func mirror(_ node: Syntax) -> Mirror {
    switch node.header.kind {
    case .column: Mirror(reflecting: node.payload(as: ColumnSyntax.self))
    case .constant: Mirror(reflecting: node.payload(as: ConstantSyntax.self))
    case .unary: Mirror(reflecting: node.payload(as: UnarySyntax.self))
    case .binary: Mirror(reflecting: node.payload(as: BinarySyntax.self))
    case .function: Mirror(reflecting: node.payload(as: FunctionSyntax.self))
    case .choice: Mirror(reflecting: node.payload(as: ChoiceSyntax.self))
    case .cast: Mirror(reflecting: node.payload(as: CastSyntax.self))
    case .list: Mirror(reflecting: node.payload(as: ListSyntax.self))
    }
  }

  // MARK: Key paths

  /// Finds children with key paths from `paths`.
  static func byKeyPath(_ node: Syntax, _ paths: SyntaxPaths, _ state: UInt64, _ mutator: Mutator) -> UInt64 {
    mutator.poll()
    let state = step(state, node.header)
    switch node.header.kind {
    case .column, .constant: return state
    case .unary: return visit(node.payload(), paths.unary, paths, state, mutator)
    case .binary: return visit(node.payload(), paths.binary, paths, state, mutator)
    case .function: return visit(node.payload(), paths.function, paths, state, mutator)
    case .choice: return visit(node.payload(), paths.choice, paths, state, mutator)
    case .cast: return visit(node.payload(), paths.cast, paths, state, mutator)
    case .list: return visit(node.payload(), paths.list, paths, state, mutator)
    }
  }

  @inline(never)
  private static func visit<Node>(
    _ payload: Node, _ fields: [KeyPath<Node, Syntax?>], _ paths: SyntaxPaths, _ state: UInt64, _ mutator: Mutator
  ) -> UInt64 {
    var state = state
    for field in fields {
      if let child = payload[keyPath: field] { state = byKeyPath(child, paths, state, mutator) }
    }
    return state
  }

  // MARK: Offsets

  /// Finds children at offsets from `offsets`.
  static func byOffset(_ node: Syntax, _ offsets: borrowing SyntaxOffsets, _ state: UInt64, _ mutator: Mutator)
    -> UInt64
  {
    mutator.poll()
    var state = step(state, node.header)
    let range = offsets.range(of: node.header.kind)
    for index in range {
      if let child = node.loadReference(at: offsets.offset(index)) { state = byOffset(child, offsets, state, mutator) }
    }
    return state
  }
}

extension Reference where Target == SyntaxNode {
  /// The whole payload, copied out of the heap.
  @inline(__always) func payload<Node: Managed>(as: Node.Type = Node.self) -> Node {
    address.assumingMemoryBound(to: Node.self).pointee
  }

  /// The reference at a byte offset of the payload.
  @inline(__always) func loadReference(at offset: Int) -> Syntax? {
    UnsafeMutableRawPointer(bitPattern: (address + offset).load(as: UInt.self)).map { Syntax(unsafeAddress: $0) }
  }
}

/// The children of each kind as key paths.
struct SyntaxPaths {
  let unary: [KeyPath<UnarySyntax, Syntax?>] = [\.operand]
  let binary: [KeyPath<BinarySyntax, Syntax?>] = [\.left, \.right]
  let function: [KeyPath<FunctionSyntax, Syntax?>] = [\.argument]
  let choice: [KeyPath<ChoiceSyntax, Syntax?>] = [\.condition, \.then, \.otherwise]
  let cast: [KeyPath<CastSyntax, Syntax?>] = [\.operand]
  let list: [KeyPath<ListSyntax, Syntax?>] = [\.first, \.second, \.third]
}

/// The children of each kind as byte offsets, found from the key paths once.
struct SyntaxOffsets: ~Copyable {
  private static let most = 3
  private let offsets: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>

  init(_ paths: SyntaxPaths = SyntaxPaths()) {
    offsets = .allocate(capacity: SyntaxKind.allCases.count * SyntaxOffsets.most)
    counts = .allocate(capacity: SyntaxKind.allCases.count)
    counts.initialize(repeating: 0, count: SyntaxKind.allCases.count)
    add(.unary, paths.unary)
    add(.binary, paths.binary)
    add(.function, paths.function)
    add(.choice, paths.choice)
    add(.cast, paths.cast)
    add(.list, paths.list)
  }

  deinit {
    offsets.deallocate()
    counts.deallocate()
  }

  private func add<Node>(_ kind: SyntaxKind, _ fields: [KeyPath<Node, Syntax?>]) {
    for (index, field) in fields.enumerated() {
      (offsets + Int(kind.rawValue) * SyntaxOffsets.most + index).initialize(to: MemoryLayout<Node>.offset(of: field)!)
    }
    counts[Int(kind.rawValue)] = fields.count
  }

  /// Where the offsets of a kind are.
  @inline(__always) func range(of kind: SyntaxKind) -> Range<Int> {
    let first = Int(kind.rawValue) * SyntaxOffsets.most
    return first..<first + counts[Int(kind.rawValue)]
  }

  @inline(__always) func offset(_ index: Int) -> Int { offsets[index] }
}
