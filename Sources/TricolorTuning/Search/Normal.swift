// The two distributions that uncertainty is computed with.

import Glibc

/// The standard normal distribution.
enum Normal {
  static func density(_ value: Double) -> Double { exp(-value * value / 2) / (2 * Double.pi).squareRoot() }

  static func cumulative(_ value: Double) -> Double { erfc(-value / 2.0.squareRoot()) / 2 }
}

/// Student's distribution, for the means of few measurements.
enum Student {
  /// What the value stays within, to either side, in 99 of 100 cases.
  ///
  /// By the expansion of Cornish and Fisher from 3 degrees of freedom on, where it is off by less than 4 %; below by the table.
  static func quantile99(degrees: Int) -> Double {
    precondition(degrees > 0)
    if degrees == 1 { return 63.657 }
    if degrees == 2 { return 9.925 }
    let (z, n) = (2.575829, Double(degrees))
    let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z)
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n)
      + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n)
  }
}
