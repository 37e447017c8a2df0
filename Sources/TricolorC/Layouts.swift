// Layouts and allocation: the parts that tricolor.h does not have inline.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface

// MARK: Layouts

@c @implementation
public func tricolor_layout_fixed(
  _ layout: UnsafeMutablePointer<tricolor_layout>?, _ bytes: Int, _ offsets: UnsafePointer<Int>?, _ count: Int,
  _ name: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in
    let place = try require(layout, "layout")
    let bytes = try requireSize(bytes, "bytes", from: 1)
    let references = try read(offsets, count, in: bytes)
    try make(place, .fixed(bytes: bytes, references: references), name)
  }
}

@c @implementation
public func tricolor_layout_leaf(
  _ layout: UnsafeMutablePointer<tricolor_layout>?, _ name: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in try make(try require(layout, "layout"), .leaf, name) }
}

@c @implementation
public func tricolor_layout_array(
  _ layout: UnsafeMutablePointer<tricolor_layout>?, _ stride: Int, _ offsets: UnsafePointer<Int>?, _ count: Int,
  _ name: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in
    let place = try require(layout, "layout")
    let stride = try requireSize(stride, "stride", from: 1)
    let references = try read(offsets, count, in: stride)
    try make(place, .elementArray(stride: stride, references: references), name)
  }
}

@c @implementation
public func tricolor_layout_custom(
  _ layout: UnsafeMutablePointer<tricolor_layout>?, _ trace: tricolor_trace?, _ name: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in
    let place = try require(layout, "layout")
    let trace = try require(trace, "trace")
    try make(place, .custom(trace: unsafeBitCast(trace, to: TraceFunction.self)), name)
  }
}

@c @implementation
public func tricolor_layout_conservative(
  _ layout: UnsafeMutablePointer<tricolor_layout>?, _ name: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in
    let place = try require(layout, "layout")
    try fill(place, name) { (name) throws(LayoutError) in try EmbeddedLayout.makeConservative(name: name) }
  }
}

private func make(
  _ place: UnsafeMutablePointer<tricolor_layout>, _ kind: Layout.Kind, _ name: UnsafePointer<CChar>?
) throws(Failure) {
  try fill(place, name) { (name) throws(LayoutError) in try EmbeddedLayout.make(kind, name: name) }
}

private func fill(
  _ place: UnsafeMutablePointer<tricolor_layout>, _ name: UnsafePointer<CChar>?,
  _ make: (String) throws(LayoutError) -> EmbeddedLayout
) throws(Failure) {
  let name = try requireText(name, "name")
  do throws(LayoutError) {
    let made = try make(name)
    place.pointee = tricolor_layout(
      index: made.index, bytes: made.bytes, run: made.run, kind: made.kind, lanes: made.lanes)
  } catch {
    throw .argument("layout \"\(error.name)\"", is: "refused", allowed: error.reason)
  }
}

/// Offsets of references within `bytes` bytes.
private func read(_ offsets: UnsafePointer<Int>?, _ count: Int, in bytes: Int) throws(Failure) -> [Int] {
  guard count >= 0 && count <= bytes / 8 else {
    throw .argument(
      "count", is: "\(UInt(bitPattern: count))", allowed: "\(bytes) bytes have room for \(bytes / 8) references")
  }
  if count == 0 { return [] }
  return Array(UnsafeBufferPointer(start: try require(offsets, "offsets"), count: count))
}

private func requireSize(_ size: Int, _ name: StaticString, from least: Int) throws(Failure) -> Int {
  guard size >= least && size <= EmbeddedMutator.mostBytes else {
    throw .argument(
      "\(name)", is: "\(UInt(bitPattern: size))", allowed: "it must be from \(least) to \(EmbeddedMutator.mostBytes)")
  }
  return size
}

// MARK: Allocation

@c @implementation
public func tricolor_allocate_slowly(
  _ mutator: OpaquePointer?, _ layout: UnsafePointer<tricolor_layout>?
) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let index = try requireLayout(layout, .fixed)
    return try mutator.object(layout: index, bytes: EmbeddedLayout.bytes(of: index))
  }
}

@c @implementation
public func tricolor_allocate_bytes_slowly(
  _ mutator: OpaquePointer?, _ layout: UnsafePointer<tricolor_layout>?, _ bytes: Int
) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let index = try requireLayout(layout, .leaf, or: .custom)
    return try mutator.object(layout: index, bytes: try requireSize(bytes, "bytes", from: 0))
  }
}

@c @implementation
public func tricolor_allocate_elements(
  _ mutator: OpaquePointer?, _ layout: UnsafePointer<tricolor_layout>?, _ count: Int
) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let index = try requireLayout(layout, .elements)
    let count = try requireCount(count, stride: EmbeddedLayout.bytes(of: index))
    return try allocating { () throws(AllocationFailure) in try mutator.allocateElements(layout: index, count: count) }
  }
}

@c @implementation
public func tricolor_allocate_references(_ mutator: OpaquePointer?, _ count: Int) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let count = try requireCount(count, stride: 8)
    return try allocating { () throws(AllocationFailure) in try mutator.allocateReferences(count: count) }
  }
}

@c @implementation
public func tricolor_allocate_conservative(_ mutator: OpaquePointer?, _ bytes: Int) -> UnsafeMutableRawPointer? {
  answer { () throws(Failure) in
    let mutator = try requireMutator(mutator)
    let bytes = try requireSize(bytes, "bytes", from: 0)
    switch conservativeLayout {
    case .success(let layout): return try mutator.object(layout: layout, bytes: bytes)
    case .failure(let error): throw .system("\(error)")
    }
  }
}

/// The layout of `tricolor_allocate_conservative`.
private let conservativeLayout = Result { () throws(LayoutError) in
  try EmbeddedLayout.makeConservative(name: "conservative").index
}

private func requireLayout(
  _ layout: UnsafePointer<tricolor_layout>?, _ wanted: EmbeddedLayout.Kind, or other: EmbeddedLayout.Kind? = nil
) throws(Failure) -> UInt32 {
  let layout = try require(layout, "layout").pointee
  guard let kind = EmbeddedLayout.kind(index: layout.index, kind: layout.kind) else {
    throw .argument("layout", is: "not made", allowed: "it must be filled in by one of the tricolor_layout functions")
  }
  guard kind == wanted || kind == other else {
    let kinds = "\(wanted)" + (other.map { " or \($0)" } ?? "")
    throw .argument("layout", is: "of kind \(kind)", allowed: "this function makes objects of kind \(kinds)")
  }
  return layout.index
}

private func requireCount(_ count: Int, stride: Int) throws(Failure) -> Int {
  let most = (EmbeddedMutator.mostBytes - 16) / stride
  guard count >= 0 && count <= most else {
    throw .argument("count", is: "\(UInt(bitPattern: count))", allowed: "it must be at most \(most)")
  }
  return count
}

/// Runs an allocation.
@inline(__always)
func allocating<Result>(_ body: () throws(AllocationFailure) -> Result) throws(Failure) -> Result {
  do throws(AllocationFailure) {
    return try body()
  } catch {
    switch error {
    case .outOfMemory: throw .outOfMemory
    case .layout(let error): throw .system("\(error)")
    }
  }
}

extension EmbeddedMutator {
  @inline(__always)
  fileprivate func object(layout: UInt32, bytes: Int) throws(Failure) -> UnsafeMutableRawPointer {
    try allocating { () throws(AllocationFailure) in try allocate(layout: layout, bytes: bytes) }
  }
}

@c @implementation
public func tricolor_object_bytes(_ object: UnsafeRawPointer?) -> Int {
  EmbeddedObject.bytes(at: UInt(bitPattern: object)) ?? 0
}

@c @implementation
public func tricolor_object_base(_ address: UnsafeRawPointer?) -> UnsafeMutableRawPointer? {
  EmbeddedObject.start(around: UInt(bitPattern: address)).flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
}

@c @implementation
public func tricolor_object_is_leaf(_ object: UnsafeRawPointer?) -> CInt {
  EmbeddedObject.isLeaf(at: UInt(bitPattern: object)) == true ? 1 : 0
}
