// What to expect of a fresh run, and within what: the middle of some runs, and the interval that holds 99 of 100.
//
// Runs of one setting differ by a factor, whatever its size, so spread is taken of logarithms and shared by all settings that were repeated:
// a few runs of each tell more together. It is the spread within one sitting on one machine. Of repeated settings the run that
// made them stand out is left aside where there are others: it was picked for being good.

import Glibc

/// A figure of runs to come.
public struct Expectation: Sendable, Equatable {
  public let middle: Double
  /// The ends of the interval; nil where no setting was repeated.
  public let interval: ClosedRange<Double>?

  /// The same of a figure that cannot exceed `most`.
  func clamped(most: Double) -> Expectation {
    Expectation(
      middle: min(middle, most), interval: interval.map { min($0.lowerBound, most)...min($0.upperBound, most) })
  }
}

/// The spread of figures between runs of one setting.
struct RunSpread {
  /// Relative differences below this are not believed.
  private static let leastDeviation = 0.005

  private let groups: [[RunFigures]]

  /// - Parameter groups: the runs of each setting.
  init(_ groups: [[RunFigures]]) { self.groups = groups }

  /// The figure in runs like `figures`; nil where one is 0, which is a figure that was not measured.
  func expectation(_ figures: [RunFigures], _ value: (RunFigures) -> Double) -> Expectation? {
    let logs = figures.map(value).filter { $0 > 0 }.map { log($0) }
    guard let middle = median(logs), logs.count == figures.count else { return nil }
    guard let (deviation, degrees) = pooled(value) else { return Expectation(middle: exp(middle), interval: nil) }
    let reach = Student.quantile99(degrees: degrees) * deviation * (1 + 1 / Double(logs.count)).squareRoot()
    return Expectation(middle: exp(middle), interval: exp(middle - reach)...exp(middle + reach))
  }

  /// The standard deviation of the logarithms within groups, and its degrees of freedom.
  private func pooled(_ value: (RunFigures) -> Double) -> (Double, Int)? {
    var (sum, degrees) = (0.0, 0)
    for group in groups {
      let logs = group.map(value).filter { $0 > 0 }.map { log($0) }
      guard logs.count > 1 else { continue }
      let mean = logs.reduce(0, +) / Double(logs.count)
      sum += logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      degrees += logs.count - 1
    }
    guard degrees > 0 else { return nil }
    return (max(Self.leastDeviation, (sum / Double(degrees)).squareRoot()), degrees)
  }
}
