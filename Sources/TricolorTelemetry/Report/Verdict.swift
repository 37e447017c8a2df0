// What a run came to, in sentences: how it ended, how near its memory came to its limits, what collection cost and what made it work, how long
// threads had to wait. Words for amounts have bounds that are written where they are used, and every sentence has its figures.

/// The outcome of a run in words.
public struct Verdict: Sendable, Equatable {
  /// The first sentence: how the run ended.
  public let ending: String
  /// Whether the run ended, its data was right, and it stayed below its limit.
  public let isGood: Bool
  /// Memory, collection, latency.
  public let sentences: [String]

  /// The verdict on `run`.
  public init(_ run: RecordedRun) {
    let isOver = run.limitBytes.map { run.peakResidentBytes > $0 } ?? false
    ending = Self.ending(run) + (isOver && run.hasEnded ? " Memory exceeded its limit." : "")
    isGood = run.hasEnded && run.isVerified && !isOver
    let cost = run.hasEnded ? [Self.cost(run), Self.pace(run), Self.latency(run)] : []
    let notice = run.json["result"]?["simulationNotice"]?.string.map { $0 + "." }
    sentences = ([notice, Self.memory(run)] + cost + [Self.utilisation(run)]).compactMap { $0 }
  }

  private static func ending(_ run: RecordedRun) -> String {
    let time = "after \(Figures.fixed(run.seconds, 1)) s"
    let group = run.groupLimitBytes.map { " at the control group's limit of \(Figures.bytes($0))" } ?? ""
    if run.isKilled { return "The kernel killed the run\(group), \(time)." }
    if !run.hasEnded { return "TRICOLOR_LIMIT_POLICY ended the run \(time): its memory limit could not be met." }
    let interrupted = run.json["result"]?["interrupted"] == .bool(true) ? "The run was interrupted \(time). " : ""
    return interrupted
      + (run.isVerified ? "The data at the end is what was stored." : "The data at the end is NOT what was stored.")
  }

  private static func memory(_ run: RecordedRun) -> String {
    let peak = "Resident memory reached \(Figures.bytes(run.peakResidentBytes))"
    guard let limit = run.limitBytes, limit > 0 else {
      return peak
        + (run.groupLimitBytes.map { " in a control group of \(Figures.bytes($0)), without a memory limit." }
          ?? ", without a memory limit.")
    }
    let group = run.groupLimitBytes.map { group in
      let left = group - run.peakResidentBytes
      return left > 0
        ? "; \(Figures.bytes(left)) were left to the control group's" : "; the control group's was used up"
    }
    if run.peakResidentBytes > limit {
      return peak + ", \(Figures.bytes(run.peakResidentBytes - limit)) OVER the memory limit of \(Figures.bytes(limit))"
        + (group ?? "") + "."
    }
    let share = Figures.percent(Double(run.peakResidentBytes) / Double(limit))
    return peak + ", \(share) of the memory limit of \(Figures.bytes(limit))" + (group ?? "") + "."
  }

  /// Little is below 5 % of the CPU, moderate below 15 %, much below 30 %.
  private static func cost(_ run: RecordedRun) -> String {
    let share = run.gcCPUFraction
    let amount = share < 0.05 ? "little" : share < 0.15 ? "moderate" : share < 0.3 ? "much" : "very much"
    var text = "Collection took \(Figures.percent(share)) of the CPU to be had, which is \(amount)"
    if let timeline = run.timeline, let capped = cappedShare(timeline), capped > 0 {
      text += "; in \(Figures.percent(capped)) of the time it was at nine tenths of its cap or above"
    }
    return text + "."
  }

  /// The share of the samples in which collection took nine tenths of its cap or more.
  private static func cappedShare(_ timeline: RecordedTimeline) -> Double? {
    let shares = timeline.collectorShares
    if shares.isEmpty { return nil }
    let caps = timeline.values("cap").dropFirst().map { ($0 ?? 100) / 100 }
    let capped = zip(shares, caps).filter { share, cap in share.map { $0 >= cap * 0.9 } ?? false }.count
    return Double(capped) / Double(shares.count)
  }

  private static func pace(_ run: RecordedRun) -> String? {
    let (growth, limit) = (run.cycles(by: "growth"), run.cycles(by: "limit"))
    if growth + limit == 0 { return "No cycle began by itself." }
    let counts =
      "\(Figures.count(growth)) cycle\(growth == 1 ? "" : "s") began for growth, \(Figures.count(limit)) for the memory limit"
    if limit == 0 { return counts + ": GOGC sets the pace." }
    if limit > 2 * growth { return counts + ": the limit sets the pace, and less memory would mean more cycles." }
    if growth > 2 * limit { return counts + ": GOGC sets the pace most of the time." }
    return counts + ": growth and the limit take turns, and less memory would mean more cycles."
  }

  private static func latency(_ run: RecordedRun) -> String? {
    func time(_ key: String, _ part: String) -> String? {
      run.figure(key, part).map { Figures.duration(UInt64(clamping: Int(clamping: $0))) }
    }
    guard let hold = time("pauseNanoseconds", "max"), let stall = time("mutatorStallNanoseconds", "max") else {
      return nil
    }
    var text = "The longest time that the collector held a thread was \(hold), the longest stall of any kind \(stall)"
    if let operation = time("operationNanoseconds", "p99"), (run.figure("operationNanoseconds", "max") ?? 0) > 0 {
      text += "; 99 of 100 operations took at most \(operation)"
    }
    return text + "."
  }

  private static func utilisation(_ run: RecordedRun) -> String? {
    guard let point = run.timeline?.utilisation.first(where: { $0.window == 10_000_000 }) else { return nil }
    return "In the worst 10 ms of any thread, \(Figures.percent(point.share)) of the time was its own."
  }

  var json: JSONValue {
    ["ending": .string(ending), "isGood": .bool(isGood), "sentences": .array(sentences.map { .string($0) })]
  }
}

extension RecordedTimeline {
  /// What share of the CPU to be had the collector took between each two samples; nil where no time passed.
  var collectorShares: [Double?] {
    let kinds = ["background", "assist", "idle", "sweep", "scavenge"].map { values($0) }
    let available = values("available")
    return (1..<max(1, available.count)).map { place in
      let passed = (available[place] ?? 0) - (available[place - 1] ?? 0)
      let spent = kinds.reduce(0.0) { $0 + ($1[place] ?? 0) - ($1[place - 1] ?? 0) }
      return passed > 0 ? spent / passed : nil
    }
  }
}
