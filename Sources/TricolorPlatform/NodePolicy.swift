// Which NUMA node's memory a range of addresses gets: mbind, and move_pages to verify it.
//
// Binding prefers a node and does not insist: a strict policy gets the process killed when the node is full, though another node
// has memory to spare. On a machine with one node there is nothing to choose, and these calls need not be made; a container's
// system call filter may forbid them, which is an error with the kernel's reason and not a silent fall-back.

import CNUMA
import CTricolorShims
import Glibc

/// What the kernel offers for placing memory.
enum NodePolicy {
  /// Kernels have at most 1024 nodes.
  static let capacity = 1024

  /// Whether the kernel has memory policies at all.
  static let isAvailable = numa_available() >= 0

  static func apply(
    _ mode: Int32, to start: UnsafeMutableRawPointer, bytes: Int, nodes: [Int]
  ) throws(PlatformError) {
    var mask = [UInt](repeating: 0, count: capacity / UInt.bitWidth)
    for node in nodes {
      guard node >= 0, node < capacity else {
        throw PlatformError(
          call: "placing memory on node \(node)", code: EINVAL, detail: "nodes are numbered 0 to \(capacity - 1)")
      }
      mask[node / UInt.bitWidth] |= 1 << UInt(node % UInt.bitWidth)
    }
    // The kernel takes one off the number of bits.
    guard FaultInjection.allows(.bindMemory), mbind(start, UInt(bytes), mode, &mask, UInt(capacity + 1), 0) == 0
    else {
      throw PlatformError(call: "mbind of \(describe(bytes: bytes)) to nodes \(nodes)", code: errno)
    }
  }
}

extension AddressSpace {
  /// Prefers memory of `node` for pages of the range that are touched from now on; others are used when it is full.
  ///
  /// - Throws: `EINVAL` for a node that does not exist or that the cpuset forbids, `EPERM` under a system call filter, `ENOSYS`
  ///   on a kernel without NUMA.
  public static func bind(_ start: UnsafeMutableRawPointer, bytes: Int, node: Int) throws(PlatformError) {
    try NodePolicy.apply(MPOL_PREFERRED, to: start, bytes: bytes, nodes: [node])
  }

  /// Lets pages of the range that are touched from now on lie where the thread runs that touches them. Errors as for `bind`.
  public static func unbind(_ start: UnsafeMutableRawPointer, bytes: Int) throws(PlatformError) {
    try NodePolicy.apply(MPOL_DEFAULT, to: start, bytes: bytes, nodes: [])
  }

  /// Spreads pages of the range that are touched from now on over `nodes`, page by page. Errors as for `bind`.
  public static func interleave(_ start: UnsafeMutableRawPointer, bytes: Int, nodes: [Int]) throws(PlatformError) {
    try NodePolicy.apply(MPOL_INTERLEAVE, to: start, bytes: bytes, nodes: nodes)
  }

  /// The node that holds each page, nil for a page without memory.
  ///
  /// - Throws: where the kernel does not tell.
  public static func nodes(holding pages: [UnsafeMutableRawPointer]) throws(PlatformError) -> [Int?] {
    var addresses: [UnsafeMutableRawPointer?] = pages
    var places = [Int32](repeating: -1, count: pages.count)
    guard move_pages(0, UInt(pages.count), &addresses, nil, &places, 0) == 0 else {
      throw PlatformError(call: "move_pages query of \(pages.count) pages", code: errno)
    }
    return places.map { $0 >= 0 ? Int($0) : nil }
  }

  /// The node of the processor that the calling thread runs on at this moment. Some 20 ns.
  public static var currentNode: Int { Int(tricolor_current_node()) }
}
