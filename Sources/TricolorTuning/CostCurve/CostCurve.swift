// What collection costs as memory gets short: share = fixed + room cost / (limit - floor).
//
// A cycle marks what is alive, and there is one for each time that the room above it has been allocated: hence the second term. The floor is
// what no collection frees: live objects, tables, the program itself, holes. It is not taken from a report but fitted, since a report's
// live bytes are those of a moment, and at the limit the room is little. For each floor the two other parameters are a least squares problem
// with two unknowns, weighted so that relative errors count; the floor is found by trying. What is uncertain is told by the floors that fit
// nearly as well (a profile of the likelihood). Source of the form: Kirisame et al., "Optimal heap limits for reducing browser memory use"
// (MemBalancer), 2022.

import Glibc

/// Collector CPU against the memory limit, fitted to measurements.
public struct CostCurve: Sendable, Equatable {
  /// A measurement: the memory limit in bytes, and the share of the CPU, 0...1, that collection took.
  public struct Point: Sendable, Equatable {
    public let limitBytes: Double
    public let share: Double

    public init(limitBytes: Double, share: Double) {
      self.limitBytes = limitBytes
      self.share = share
    }
  }

  /// The share that remains with any amount of memory.
  public let fixedShare: Double
  /// Bytes of room at which collection takes all of the CPU, beside the fixed share.
  public let roomCostBytes: Double
  /// Bytes that no collection frees.
  public let floorBytes: Double

  /// The share of the CPU, 0...1 or more, at a limit above the floor; infinite at and below it.
  public func share(limitBytes: Double) -> Double {
    limitBytes > floorBytes ? fixedShare + roomCostBytes / (limitBytes - floorBytes) : .infinity
  }

  /// The limit at which collection takes `share` of the CPU; nil where it takes more with any.
  public func limit(share: Double) -> Double? {
    share > fixedShare ? floorBytes + roomCostBytes / (share - fixedShare) : nil
  }
}

/// A curve, and the curves that explain the measurements nearly as well.
public struct FittedCostCurve: Sendable {
  /// A limit and what it may as well be.
  public struct Estimate: Sendable, Equatable {
    public let bytes: Double
    public let low: Double
    public let high: Double
  }

  public let best: CostCurve
  /// Curves within the uncertainty, of rising floors; `best` is among them.
  let plausible: [CostCurve]

  /// Floors that are tried, from a fraction of the smallest limit to just below it.
  private static let floors = 200
  /// Relative errors below this are not believed, however well a curve fits.
  private static let leastError = 0.03

  /// Fits a curve.
  ///
  /// - Returns: nil for fewer than three different limits, or where collection does not cost more with less memory.
  public init?(_ points: [CostCurve.Point]) {
    let usable = points.filter { $0.limitBytes > 0 && $0.share > 0 }
    guard Set(usable.map(\.limitBytes)).count >= 3, let least = usable.map(\.limitBytes).min() else { return nil }
    let fits = (0..<Self.floors).compactMap { number in
      Self.fit(usable, floor: least * (0.2 + 0.79 * Double(number) / Double(Self.floors - 1)))
    }
    guard let best = fits.min(by: { $0.error < $1.error }) else { return nil }
    let degrees = max(1, usable.count - 3)
    let variance = max(best.error / Double(degrees), Self.leastError * Self.leastError)
    // The 99 % point of F with one degree above, which is Student's squared.
    let tolerance = Student.quantile99(degrees: degrees) * Student.quantile99(degrees: degrees) * variance
    self.best = best.curve
    plausible = fits.filter { $0.error - best.error <= tolerance }.map(\.curve)
  }

  /// The limit at which collection takes `share` of the CPU.
  public func limit(share: Double) -> Estimate? {
    guard let bytes = best.limit(share: share) else { return nil }
    let limits = plausible.compactMap { $0.limit(share: share) }
    return Estimate(bytes: bytes, low: limits.min() ?? bytes, high: limits.max() ?? bytes)
  }

  /// The best curve with this floor, and its sum of squared relative errors; nil where it would fall with less memory.
  private static func fit(_ points: [CostCurve.Point], floor: Double) -> (curve: CostCurve, error: Double)? {
    var (sxx, sxy, syy, sx, sy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    // Both sides divided by the share: relative errors. 1 = fixed / share + cost / (share * room).
    for point in points {
      let (x, y) = (1 / point.share, 1 / (point.share * (point.limitBytes - floor)))
      sxx += x * x
      sxy += x * y
      syy += y * y
      sx += x
      sy += y
    }
    let determinant = sxx * syy - sxy * sxy
    guard determinant > 1e-12 * sxx * syy else { return nil }
    var fixed = (sx * syy - sy * sxy) / determinant
    var cost = (sy * sxx - sx * sxy) / determinant
    if fixed < 0 { (fixed, cost) = (0, sy / syy) }
    guard cost > 0 else { return nil }
    let curve = CostCurve(fixedShare: fixed, roomCostBytes: cost, floorBytes: floor)
    let error = points.reduce(0.0) { sum, point in
      let relative = 1 - curve.share(limitBytes: point.limitBytes) / point.share
      return sum + relative * relative
    }
    return (curve, error)
  }
}
