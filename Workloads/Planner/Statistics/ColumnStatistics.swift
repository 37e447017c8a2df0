// What a planner knows of a column: nils, least and largest value, mean, how many different values, and an equi-depth histogram; an
// object on the managed heap, since plans and the catalogue share it and let it go when a newer one is there.
//
// Distinct values are counted by linear counting (Whang, Vander-Zanden and Taylor, TODS 1990): every value sets one bit of a map, and
// the share of bits that stay zero says how many there were. Bounds of the histogram are quantiles of an evenly spaced sample.

import Glibc
import Harness
import Tricolor

struct ColumnStatistics: Managed {
  static let slot = TypeSlot()
  var rows: Int
  var nulls: Int
  var least: Double
  var largest: Double
  var mean: Double
  var distinct: Double
  /// Upper bounds of buckets that hold equally many values of the sample, as Double.
  var bounds: Reference<Bytes>?
}

/// The constants of the method.
enum StatisticsMethod {
  static let buckets = 64
  static let sampleSize = 1024
  static let mapBits = 1 << 16

  /// The bit of the map that a value sets.
  @inline(__always) static func bit(_ hash: UInt64) -> Int { Int(Checksum.mix(hash) & UInt64(mapBits - 1)) }

  /// How many different values leave `zeros` bits at zero.
  static func distinct(zeros: Int) -> Double {
    Double(mapBits) * log(Double(mapBits) / Double(max(1, zeros)))
  }

  /// Where in a sorted sample of `count` values the bound of `bucket` is.
  static func place(of bucket: Int, count: Int) -> Int { (bucket + 1) * count / buckets - 1 }

  static func isSampled(_ row: Int, rows: Int) -> Bool { row % max(1, rows / sampleSize) == 0 }
}

extension Reference where Target == ColumnStatistics {
  /// All of it in a word.
  var checksum: UInt64 {
    var state = Checksum.combine(UInt64(self.rows), UInt64(self.nulls))
    for value in [self.least, self.largest, self.mean, self.distinct] {
      state = Checksum.combine(state, value.bitPattern)
    }
    return Checksum.combine(state, self.bounds!.withBytes { Checksum.hash(UnsafeRawBufferPointer($0)) })
  }
}
