// Statistics of columns, and walks over syntax trees.

import Harness
import Testing
import Tricolor

@testable import Planner

@Suite("Statistics and syntax trees")
struct StatisticsTests {
  @Test("a column's figures are those of its values")
  func figuresAreRight() throws {
    try testHeap().withMutator { mutator in
      let values: [Int64?] = [5, nil, 3, 9, 3, nil, 7, 3]
      let column = try makeColumn(values, mutator)
      for found in [
        try TypedDerivation.derive(column, rows: values.count, mutator),
        try BoxedDerivation.derive(column, rows: values.count, mutator),
      ] {
        #expect(found.rows == 8 && found.nulls == 2 && found.least == 3 && found.largest == 9 && found.mean == 5)
        #expect((3.5...4.5).contains(found.distinct), "\(found.distinct)")
        let bounds = found.bounds!.withBytes { Array($0.bindMemory(to: Double.self)) }
        #expect(bounds.count == StatisticsMethod.buckets && bounds.last == 9)
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 <= $1 })
      }
    }
  }

  @Test("boxes, generics and the shadow derive the same, of every numeric type", arguments: [1, 40, 5000])
  func derivationsAgree(_ rows: Int) throws {
    try testHeap().withMutator { mutator in
      var random = SplitMix64(seed: UInt64(rows))
      for plain in PlainStatistics.makeAll(rows: rows, &random) {
        let column = try plain.makeColumn(mutator)
        #expect(try TypedDerivation.derive(column, rows: rows, mutator).checksum == plain.checksum)
        #expect(try BoxedDerivation.derive(column, rows: rows, mutator).checksum == plain.checksum)
      }
    }
  }

  @Test("a tree has the size asked for, and all walks find every node in order", arguments: [1, 2, 3, 4, 57, 3000])
  func walksAgree(_ size: Int) throws {
    try testHeap().withMutator { mutator in
      var maker = SyntaxMaker(random: SplitMix64(seed: UInt64(size)))
      let tree = try maker.make(size: size, mutator)
      #expect(maker.nodes == size)
      let paths = SyntaxPaths()
      let offsets = SyntaxOffsets(paths)
      #expect(SyntaxWalk.byReflection(tree, 0, mutator) == maker.checksum)
      #expect(SyntaxWalk.byKeyPath(tree, paths, 0, mutator) == maker.checksum)
      #expect(SyntaxWalk.byOffset(tree, offsets, 0, mutator) == maker.checksum)
      tree.header = SyntaxHeader(kind: tree.header.kind, position: 77_777)
      #expect(SyntaxWalk.byOffset(tree, offsets, 0, mutator) != maker.checksum)
    }
  }
}
