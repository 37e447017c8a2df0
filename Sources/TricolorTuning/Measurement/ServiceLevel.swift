// `--slo p99=2ms,gc-cpu=10%`: what a setting has to keep to, besides staying alive.

import Glibc
import Harness
import TricolorPacing
import TricolorTelemetry

/// Bounds on the figures of a run.
public struct ServiceLevel: Sendable, Equatable {
  /// What can be bounded.
  public enum Figure: String, CaseIterable, Sendable {
    case p50, p99, p999, max
    case gcCPU = "gc-cpu"

    /// Nanoseconds, or a share.
    func value(_ figures: RunFigures) -> Double {
      switch self {
      case .p50: Double(figures.p50)
      case .p99: Double(figures.p99)
      case .p999: Double(figures.p999)
      case .max: Double(figures.longest)
      case .gcCPU: figures.gcCPUFraction
      }
    }
  }

  /// One bound: nanoseconds, or a share 0...1 for `gcCPU`.
  public struct Bound: Sendable, Equatable {
    public let figure: Figure
    public let most: Double

    /// As it was typed.
    public var text: String {
      figure == .gcCPU
        ? "gc-cpu=\(Figures.fixed(most * 100, 1))%" : "\(figure.rawValue)=\(Figures.duration(UInt64(most)))"
    }
  }

  public private(set) var bounds: [Bound] = []

  /// No bounds.
  public init() {}

  /// Reads bounds.
  ///
  /// - Throws: for a figure that is not known or given twice, or a value that is not allowed.
  public init(_ text: String) throws(UsageError) {
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = item.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let figure = Figure(rawValue: String(parts[0])) else {
        throw UsageError(option: "--slo", value: String(item), allowed: Self.allowed)
      }
      guard !bounds.contains(where: { $0.figure == figure }) else {
        throw UsageError("--slo: \(figure.rawValue) is given twice")
      }
      guard let most = Self.most(figure, String(parts[1])) else {
        throw UsageError(option: "--slo", value: String(item), allowed: Self.allowed)
      }
      bounds.append(Bound(figure: figure, most: most))
    }
  }

  private static let allowed =
    "a comma list of p50=, p99=, p999= or max= with a duration (2ms) and gc-cpu= with a percentage above 0 and up to 100 (10%)"

  private static func most(_ figure: Figure, _ text: String) -> Double? {
    guard figure == .gcCPU else {
      do {
        return Double(try DurationSetting.parse(text, name: "--slo"))
      } catch {
        return nil
      }
    }
    guard text.last == "%", let percent = Double(text.dropLast()), percent > 0, percent <= 100 else { return nil }
    return percent / 100
  }

  /// For each bound the logarithm of the figure over what is allowed: up to 0 it is kept. A figure of 0 is one that was not measured and keeps
  /// to everything.
  func margins(_ figures: RunFigures) -> [Double] {
    bounds.map { bound in log(max(bound.figure.value(figures) / bound.most, 1e-3)) }
  }

  /// Whether a run kept all of them.
  public func isKept(_ figures: RunFigures) -> Bool { bounds.allSatisfy { $0.figure.value(figures) <= $0.most } }

  /// As it was typed; empty without bounds.
  public var text: String { bounds.map(\.text).joined(separator: ",") }
}
