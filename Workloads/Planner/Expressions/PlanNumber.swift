// The three numeric types that expressions compute with, behind one protocol, so that evaluation and statistics are written once and
// compiled for each.

import Tricolor

/// A numeric type of columns and expressions. Operations are total: they wrap, or answer nil.
protocol PlanNumber: BitwiseCopyable, Comparable, Sendable {
  static var type: ValueType { get }
  static func adding(_ left: Self, _ right: Self) -> Self?
  static func subtracting(_ left: Self, _ right: Self) -> Self?
  static func multiplying(_ left: Self, _ right: Self) -> Self?
  static func negating(_ value: Self) -> Self
  static func magnitude(_ value: Self) -> Self
  init(low: UInt64, high: UInt64)
  var low: UInt64 { get }
  var high: UInt64 { get }
  init(casting value: Int64)
  init(casting value: Double)
  init(casting value: Decimal)
  /// Near enough for averages.
  var approximate: Double { get }
}

extension PlanNumber {
  var high: UInt64 { 0 }

  /// The result of an arithmetic operation.
  @inline(__always)
  static func apply(_ operation: Operation, _ left: Self, _ right: Self) -> Self? {
    switch operation {
    case .add: adding(left, right)
    case .subtract: subtracting(left, right)
    case .multiply: multiplying(left, right)
    default: preconditionFailure("\(operation) is no arithmetic")
    }
  }

  /// The result of a function of one number.
  @inline(__always)
  static func apply(_ operation: Operation, _ value: Self) -> Self {
    switch operation {
    case .negate: negating(value)
    case .magnitude: magnitude(value)
    default: preconditionFailure("\(operation) is no function of a number")
    }
  }

  @inline(__always)
  static func compare(_ operation: Operation, _ left: Self, _ right: Self) -> Bool {
    operation == .less ? left < right : left == right
  }
}

extension Int64: PlanNumber {
  static var type: ValueType { .integer }
  static func adding(_ left: Int64, _ right: Int64) -> Int64? { left &+ right }
  static func subtracting(_ left: Int64, _ right: Int64) -> Int64? { left &- right }
  static func multiplying(_ left: Int64, _ right: Int64) -> Int64? { left &* right }
  static func negating(_ value: Int64) -> Int64 { 0 &- value }
  static func magnitude(_ value: Int64) -> Int64 { value < 0 ? 0 &- value : value }
  init(low: UInt64, high: UInt64) { self.init(bitPattern: low) }
  var low: UInt64 { UInt64(bitPattern: self) }
  init(casting value: Int64) { self = value }
  init(casting value: Double) { self = Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max) }
  init(casting value: Decimal) { self.init(truncatingIfNeeded: value.units / Decimal.scale) }
  var approximate: Double { Double(self) }
}

extension Double: PlanNumber {
  static var type: ValueType { .real }
  static func adding(_ left: Double, _ right: Double) -> Double? { finite(left + right) }
  static func subtracting(_ left: Double, _ right: Double) -> Double? { finite(left - right) }
  static func multiplying(_ left: Double, _ right: Double) -> Double? { finite(left * right) }
  static func negating(_ value: Double) -> Double { -value }
  static func magnitude(_ value: Double) -> Double { Swift.abs(value) }
  init(low: UInt64, high: UInt64) { self.init(bitPattern: low) }
  var low: UInt64 { bitPattern }
  init(casting value: Int64) { self.init(value) }
  init(casting value: Double) { self = value }
  init(casting value: Decimal) { self = value.approximate }
  var approximate: Double { self }

  @inline(__always) private static func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
}

/// A number with four decimals, in 16 bytes.
struct Decimal: PlanNumber {
  static let scale: Int128 = 10_000
  let units: Int128

  static var type: ValueType { .decimal }
  static func adding(_ left: Decimal, _ right: Decimal) -> Decimal? { Decimal(units: left.units &+ right.units) }
  static func subtracting(_ left: Decimal, _ right: Decimal) -> Decimal? { Decimal(units: left.units &- right.units) }
  static func multiplying(_ left: Decimal, _ right: Decimal) -> Decimal? {
    Decimal(units: left.units &* right.units / scale)
  }
  static func negating(_ value: Decimal) -> Decimal { Decimal(units: 0 &- value.units) }
  static func magnitude(_ value: Decimal) -> Decimal { value.units < 0 ? negating(value) : value }
  static func < (left: Decimal, right: Decimal) -> Bool { left.units < right.units }

  init(units: Int128) { self.units = units }
  init(low: UInt64, high: UInt64) {
    units = Int128(truncatingIfNeeded: UInt128(high) << 64 | UInt128(low))
  }
  var low: UInt64 { UInt64(truncatingIfNeeded: units) }
  var high: UInt64 { UInt64(truncatingIfNeeded: units >> 64) }
  init(casting value: Int64) { units = Int128(value) &* Decimal.scale }
  init(casting value: Double) { units = Int128(exactly: (value * 10_000).rounded()) ?? (value < 0 ? .min : .max) }
  init(casting value: Decimal) { self = value }
  var approximate: Double {
    // Converting 128 bits costs some hundred nanoseconds, and most numbers need 64.
    let short = Int64(truncatingIfNeeded: units)
    return (Int128(short) == units ? Double(short) : Double(units)) / 10_000
  }
}
