// New objects: where they lie, what they hold before anything is stored, how large their cells are.

import Testing
@_spi(Testing) import Tricolor

@Suite("Allocation")
struct AllocationTests {
  /// Sizes of whole objects around every boundary of the size classes, and some beyond the largest.
  static let sizes: [Int] = {
    var sizes: Set<Int> = [8, 33 * 1024, 100_000, 300_001]
    var size = 1
    while let cell = Heap.cellBytes(for: size) {
      sizes.formUnion([cell - 1, cell, cell + 1])
      size = cell + 1
    }
    return sizes.filter { $0 >= 8 }.sorted()
  }()

  @Test("New bytes of every size are zero, aligned and overlap nothing, in fresh and in used memory")
  func bytes() throws {
    let heap = try Heap.quiet()
    for round in 0..<3 {
      let found = try onOwnThread {
        try heap.withMutator { m in
          let kept = try m.makeArray(of: Bytes.self, count: AllocationTests.sizes.count * 3)
          var found: [Extent] = []
          for i in 0..<kept.count {
            let size = AllocationTests.sizes[i / 3]
            let bytes = try m.makeBytes(count: size - 8)
            kept[i] = bytes
            let isZero = bytes.withBytes { $0.allSatisfy { $0 == 0 } }
            bytes.withBytes { for k in $0.indices { $0[k] = 0xa5 } }
            found.append(
              Extent(start: UInt(bitPattern: bytes.address), bytes: size, isZero: isZero, count: bytes.count))
          }
          return found
        }
      }
      expectApart(found, round)
      for (i, extent) in found.enumerated() { #expect(extent.count == AllocationTests.sizes[i / 3] - 8) }
      heap.collect()
    }
  }

  @Test("New arrays hold nothing, in fresh and in used memory", arguments: [0, 1, 7, 100, 4000, 5000, 200_000])
  func arrays(count: Int) throws {
    let heap = try Heap.quiet()
    for _ in 0..<3 {
      let (references, elements) = try onOwnThread {
        try heap.withMutator { m in
          let references = try m.makeArray(of: Link.self, count: count)
          let elements = try m.makeElements(of: Link.self, count: count)
          let link = try m.make(Link(key: 1, left: nil, right: nil))
          var held = (0, 0)
          for i in 0..<count {
            if references[i] != nil { held.0 += 1 }
            if elements[i].key != 0 || elements[i].left != nil || elements[i].right != nil { held.1 += 1 }
            references[i] = link
            elements[i].key = -1
            elements[i].right = link
          }
          #expect(references.count == count && elements.count == count)
          return held
        }
      }
      #expect(references == 0)
      #expect(elements == 0)
      heap.collect()
    }
  }

  @Test("Payloads of any size hold what they were made with and overlap nothing")
  func payloads() throws {
    let heap = try Heap.quiet()
    let found = try onOwnThread {
      try heap.withMutator { m in
        var found: [Extent] = []
        for i in 0..<300 {
          let tiny = try m.make(Tiny(value: UInt8(truncatingIfNeeded: i)))
          let wide = try m.make(Wide(lanes: [Double(i), 2]))
          let big = try m.make(Big(words: .init(repeating: i)))
          let huge = i % 50 == 0 ? try m.make(Huge(words: .init(repeating: i))) : nil
          #expect(tiny.value == UInt8(truncatingIfNeeded: i) && wide.lanes == [Double(i), 2] && big.words[99] == i)
          found.append(Extent(start: UInt(bitPattern: tiny.address), bytes: MemoryLayout<Tiny>.size))
          found.append(Extent(start: UInt(bitPattern: wide.address), bytes: MemoryLayout<Wide>.size))
          found.append(Extent(start: UInt(bitPattern: big.address), bytes: MemoryLayout<Big>.size))
          if let huge {
            #expect(huge.words[4999] == i)
            found.append(Extent(start: UInt(bitPattern: huge.address), bytes: MemoryLayout<Huge>.size))
          }
        }
        return found
      }
    }
    expectApart(found, 0)
  }

  @Test("A copy of bytes equals its source, also when the source is managed memory")
  func copies() throws {
    let heap = try CycleWay.stress.makeHeap()
    let sizes = [0, 1, 100, 5000, 100_000]
    let equal = try onOwnThread {
      try heap.withMutator { m in
        try sizes.map { size in
          let first = try m.makeBytes(count: size) { bytes in
            for i in bytes.indices { bytes[i] = UInt8(truncatingIfNeeded: i &* 7) }
          }
          // The buffer is all that refers to the source while the copy is allocated, and that collects.
          let second = try m.makeBytes(copying: UnsafeRawBufferPointer(first.bytes))
          return (0..<size).allSatisfy { second[$0] == UInt8(truncatingIfNeeded: $0 &* 7) } && second.count == size
        }
      }
    }
    #expect(equal == sizes.map { _ in true })
  }

  @Test("Objects a mutator makes in a row lie side by side")
  func bump() throws {
    let heap = try Heap.quiet()
    let distances = try onOwnThread {
      try heap.withMutator { m in
        let links = try (0..<100).map { UInt(bitPattern: try m.make(Link(key: $0, left: nil, right: nil)).address) }
        return Set(zip(links.dropFirst(), links).map { $0 &- $1 })
      }
    }
    #expect(distances == [32])
  }

  // MARK: Size classes

  @Test("Every size gets the smallest cell that holds it, with at most a ninth wasted above 128 bytes")
  func sizeClasses() {
    var last = 0
    for bytes in 1...32 * 1024 {
      let cell = Heap.cellBytes(for: bytes)!
      let isFit = cell >= bytes && cell % 16 == 0 && cell >= last && (cell - bytes < 16 || (cell - bytes) * 9 <= cell)
      // A cell's own size is in its class, and the next byte is not.
      let isTight = Heap.cellBytes(for: cell) == cell && (last == cell || bytes == last + 1)
      if !isFit || !isTight { Issue.record("\(bytes) bytes get a cell of \(cell)") }
      last = cell
    }
    #expect(last == 32 * 1024)
    #expect(Heap.cellBytes(for: 32 * 1024 + 1) == nil)
  }

  @Test("Cells are as far apart as their size class says")
  func cellSizes() throws {
    let heap = try Heap.quiet()
    for size in AllocationTests.sizes {
      guard let cell = Heap.cellBytes(for: size) else { continue }
      let distance = try onOwnThread {
        try heap.withMutator { m in
          // The third of three may begin another run.
          let starts = try (0..<3).map { _ in UInt(bitPattern: try m.makeBytes(count: size - 8).address) }
          return min(starts[1] &- starts[0], starts[2] &- starts[1])
        }
      }
      if cell <= 8 * 1024 { #expect(distance == UInt(cell), "cells for \(size) bytes") }
      #expect(distance >= UInt(cell))
    }
  }
}

/// Where an object lies.
private struct Extent: Sendable {
  let start: UInt
  let bytes: Int
  var isZero = true
  var count = 0
}

private func expectApart(_ extents: [Extent], _ round: Int) {
  for extent in extents where !extent.isZero || extent.start % 16 != 0 {
    Issue.record("round \(round): \(extent) is not zero or not aligned")
  }
  let sorted = extents.sorted { $0.start < $1.start }
  for (left, right) in zip(sorted, sorted.dropFirst()) where left.start + UInt(left.bytes) > right.start {
    Issue.record("round \(round): \(left) and \(right) overlap")
  }
}

private struct Tiny: Managed {
  static let slot = TypeSlot()
  var value: UInt8
}

private struct Wide: Managed {
  static let slot = TypeSlot()
  var lanes: SIMD2<Double>
}

private struct Big: Managed {
  static let slot = TypeSlot()
  var words: InlineArray<100, Int>
}

private struct Huge: Managed {
  static let slot = TypeSlot()
  var words: InlineArray<5000, Int>
}
