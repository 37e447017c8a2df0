// What a workload is: a name, its own options, and a function that does the work, checks its data and says so in the report.

protocol Workload: SendableMetatype {
  static var name: String { get }
  /// One line for the help.
  static var summary: String { get }
  static var options: [Option] { get }
  /// Threads that work together: --threads is a multiple of it, and by default one group.
  static var threadGroup: Int { get }
  static var mostThreads: Int { get }
  /// Calls `Report.endMeasuring` between the work and its check.
  static func perform(_ run: Run, _ report: Report) throws(Ending)
}

extension Workload {
  static var threadGroup: Int { 1 }
  static var mostThreads: Int { 1024 }
}

/// An option with whole numbers in a range, multiples of `step`.
struct Option {
  var name: String
  var allowed: ClosedRange<Int>
  var step = 1
  var fallback: Int
  var help: String

  init(_ name: String, _ allowed: ClosedRange<Int>, step: Int = 1, default fallback: Int, help: String) {
    self.name = name
    self.allowed = allowed
    self.step = step
    self.fallback = fallback
    self.help = help
  }

  func value(of text: String) throws(Ending) -> Int {
    guard let value = Int(text), allowed.contains(value), value.isMultiple(of: step) else {
      throw Ending(exitCode: .usage, "--\(name): \"\(text)\" is not allowed; use \(allowedText)")
    }
    return value
  }

  private var allowedText: String {
    if allowed.count == 1 { return "\(allowed.lowerBound)" }
    return (step > 1 ? "a multiple of \(step), " : "") + "\(allowed.lowerBound) to \(allowed.upperBound)"
  }

  var helpLine: String { "  --\(name)  \(help); \(allowedText) (default: \(fallback))" }
}

/// A workload as asked for on the command line.
struct Run: Sendable {
  static let defaultSeed: UInt64 = 20_261_123

  var threads: Int
  var seed = defaultSeed
  private var values: [String: Int]

  /// With every option at its default.
  init(_ workload: any Workload.Type) {
    threads = workload.threadGroup
    values = Dictionary(uniqueKeysWithValues: workload.options.map { ($0.name, $0.fallback) })
  }

  /// The value of a declared option.
  subscript(_ option: String) -> Int {
    get { values[option]! }
    set { values[option] = newValue }
  }
}
