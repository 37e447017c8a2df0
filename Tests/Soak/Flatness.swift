// Whether a figure stayed where it was: the median of the second sixth of a run against that of the last.
//
// The first sixth is left out: caches, tables and pools fill in it. Medians, because a sample now and then falls into a
// peak. A leak of a fixed amount an hour shows as a difference of two thirds of it.

/// One figure, early and late in a run.
struct Flatness: Sendable, Equatable {
  /// How far the medians may be apart, relative to the early one.
  static let tolerance = 0.05
  /// With fewer values a sixth has less than two.
  static let fewestValues = 12

  let early: Int
  let late: Int
  /// How far they may be apart.
  let allowed: Int

  var isFlat: Bool { abs(late - early) <= allowed }

  /// Judges `values`, in the order they were taken; nil for fewer than `fewestValues`.
  ///
  /// - Parameter slack: by how much the medians may differ beside the tolerance, for figures that are small.
  init?(_ values: [Int], slack: Int) {
    guard values.count >= Flatness.fewestValues else { return nil }
    let sixth = values.count / 6
    early = Flatness.median(values[sixth..<2 * sixth])
    late = Flatness.median(values[(values.count - sixth)...])
    allowed = Int(Double(early) * Flatness.tolerance) + slack
  }

  /// The middle value, the lower of two.
  static func median(_ values: some Collection<Int>) -> Int {
    values.sorted()[(values.count - 1) / 2]
  }
}
