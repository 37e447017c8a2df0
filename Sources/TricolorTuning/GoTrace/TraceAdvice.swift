// The answer to "what should this program run with?": settings, what they are expected to do, alternatives, and doubts in words.

import TricolorPacing

/// How much an advice can be relied on.
public enum Confidence: Int, Sendable, Comparable {
  case poor
  case fair
  case good

  public static func < (one: Confidence, other: Confidence) -> Bool { one.rawValue < other.rawValue }
}

/// A reason to doubt an advice.
public struct Doubt: Sendable, Equatable {
  /// How much is left of the confidence.
  public let confidence: Confidence
  public let text: String
}

/// What a setting is expected to do in a control group.
public struct TracePrediction: Sendable, Equatable {
  public let setting: GoSetting
  /// The group's limit in bytes, nil for none.
  public let memory: Int?
  public let cycles: Int
  /// The part of all processor time that collections take, and how far off that may be, either way.
  public let cpuFraction: Double
  public let cpuUncertainty: Double
  /// The largest use of memory in bytes, likely and at most.
  public let peakMemory: Double
  public let mostMemory: Double
}

/// What a traced Go program should run with.
public struct TraceAdvice: Sendable {
  public let estimate: TraceEstimate
  /// The group's limit that the advice is for, in bytes: the one asked about, or the smallest comfortable one.
  public let memory: Int
  public let recommended: TracePrediction
  /// The smallest group's limit that the program survives, in bytes.
  public let smallestSafe: Estimate
  /// Whether `memory` is safe even if the trace is read with most care.
  public let isSafe: Bool
  /// Other settings: Go's default, and growth alone.
  public let alternatives: [TracePrediction]
  /// What the model makes of the trace's own setting over what was measured: collections' processor time; nil where the setting cannot be told.
  public let selfCheck: Double?
  public let confidence: Confidence
  public let doubts: [Doubt]
}

extension TraceAdvisor {
  /// Settings for the program.
  ///
  /// - Parameter memory: the group's limit in bytes, positive; nil asks for one.
  public func advice(memory: Int?) -> TraceAdvice {
    let safe = smallestSafe
    let memory = memory ?? comfortable(from: Int(safe.most))
    let check = selfCheck
    let doubts = doubts(safe, check)
    let recommended = recommended(memory)
    return TraceAdvice(
      estimate: estimate, memory: memory, recommended: recommended, smallestSafe: safe,
      isSafe: Double(memory) >= safe.most, alternatives: alternatives(memory, but: recommended.setting),
      selfCheck: check,
      confidence: doubts.map(\.confidence).min() ?? .good, doubts: doubts)
  }

  /// Collections should take no more than this part of the processors, where memory allows.
  public static let aim = 0.05
  /// `GOGC` to choose from, in order: growth beyond 400 saves little and takes long to notice a leak.
  static let percents = [100, 150, 200, 300, 400]

  /// The least growth that costs no more than the aim under the group's limit; if none does, the one that costs least, and of equal ones
  /// the least.
  private func recommended(_ memory: Int) -> TracePrediction {
    let choices = TraceAdvisor.percents.map {
      predict(GoSetting(gcPercent: $0, limit: limit(for: memory, .most)), memory: memory)
    }
    return choices.first { $0.cpuFraction <= TraceAdvisor.aim }
      ?? choices.min { $0.cpuFraction < $1.cpuFraction * TraceAdvisor.noticeable }!
  }

  /// Less than a twentieth of a cost is no reason to choose.
  private static let noticeable = 0.95

  /// The smallest limit from `least` on under which collection costs no more than the aim, or little more than without any limit.
  private func comfortable(from least: Int) -> Int {
    let free = cpuFraction(replay(GoSetting(gcPercent: GCPercent.standard, limit: nil)))
    let aim = max(TraceAdvisor.aim, free * 1.2)
    var memory = rounded(least)
    while memory < Int(estimate.heapPeak) * 4 {
      let setting = GoSetting(gcPercent: GCPercent.standard, limit: limit(for: memory, .most))
      if cpuFraction(replay(setting)) <= aim { break }
      memory = rounded(memory + memory / 16)
    }
    return memory
  }

  /// Up to 16 MiB, from 1 GiB on to 64 MiB.
  private func rounded(_ bytes: Int) -> Int {
    let step = (bytes < 1 << 30 ? 16 : 64) << 20
    return (bytes + step - 1) / step * step
  }

  private func alternatives(_ memory: Int, but chosen: GoSetting) -> [TracePrediction] {
    let under = limit(for: memory, .most)
    return [
      GoSetting(gcPercent: GCPercent.standard, limit: nil), GoSetting(gcPercent: 50, limit: nil),
      GoSetting(gcPercent: 200, limit: nil), GoSetting(gcPercent: GCPercent.standard, limit: under),
      GoSetting(gcPercent: 200, limit: under), GoSetting(gcPercent: nil, limit: under),
    ].filter { $0 != chosen }.map { predict($0, memory: memory) }
  }

  /// What a setting is expected to do in a group whose limit is `memory`.
  public func predict(_ setting: GoSetting, memory: Int?) -> TracePrediction {
    let likely = replay(setting)
    let most = replay(setting, .most)
    let fraction = cpuFraction(likely)
    let scatter = 1 / Double(max(1, min(likely.cycles, estimate.cycles)))
    let error = (TraceAdvisor.modelError * TraceAdvisor.modelError + scatter).squareRoot()
    return TracePrediction(
      setting: setting, memory: memory, cycles: likely.cycles, cpuFraction: fraction, cpuUncertainty: fraction * error,
      peakMemory: likely.peakMemory, mostMemory: max(likely.peakMemory, most.peakMemory))
  }

  /// How far predictions were off for a real etcd, as a part of what was measured.
  private static let modelError = 0.2

  private var selfCheck: Double? {
    guard let percent = estimate.gcPercent, estimate.cpuNanoseconds > 0 else { return nil }
    return replay(GoSetting(gcPercent: percent, limit: nil)).cpuNanoseconds / estimate.cpuNanoseconds
  }
}

extension TraceAdvisor {
  /// What speaks against relying on the advice, each with what could be done about it.
  private func doubts(_ safe: Estimate, _ check: Double?) -> [Doubt] {
    let seconds = estimate.nanoseconds / 1e9
    var doubts: [Doubt] = []
    func add(_ holds: Bool, _ confidence: Confidence, _ text: String) {
      if holds { doubts.append(Doubt(confidence: confidence, text: text)) }
    }
    let cycles = estimate.cycles
    add(cycles < 15, .poor, "only \(cycles) collections; 30 or more would tell what varies")
    add((15..<30).contains(cycles), .fair, "only \(cycles) collections; 30 or more would tell what varies")
    add(
      seconds < 60, .fair,
      "the trace covers \(Int(seconds)) s of the program; what happens more rarely (snapshots, compaction, list storms) is not in it"
    )
    add(
      estimate.growth > 1.2, .poor,
      "what lives grew by \(Int((estimate.growth * 100).rounded()) - 100) % from the second quarter of the trace to the last; a limit "
        + "for this trace will not last if that goes on")
    let spread = safe.most / safe.least
    add(
      spread > 1.6, spread > 2.5 ? .poor : .fair,
      "the smallest safe limit is known only within a factor of \((spread * 10).rounded() / 10): too few collections near the peak; "
        + "a trace with GOGC=25 looks four times as often")
    add(
      resident == nil, .fair,
      "memory that is not heap is an allowance; --rss with the most anonymous memory seen (container_memory_rss) would replace it"
    )
    add(
      trace.stretches.count > 1, .fair,
      "the trace has \(trace.stretches.count) pieces: lines are missing, or the program was started again")
    add(
      !trace.damaged.isEmpty, trace.damaged.count * 10 > cycles ? .poor : .fair,
      "\(trace.damaged.count) lines of collections could not be read; the first: \(trace.damaged.first?.description ?? "")"
    )
    add(
      check.map { abs($0 - 1) > 0.2 } ?? false, .poor,
      "the model does not give the trace's own cost back: \(Int((100 * (check ?? 1)).rounded())) % of what was measured"
    )
    return doubts
  }
}
