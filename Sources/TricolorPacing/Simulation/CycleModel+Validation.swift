// Which parameters of a simulation make sense: those with which every step scans something, so that every cycle ends.

extension CycleModel {
  func validate() throws(SettingsError) {
    try check(
      "gcPercent", gcPercent, (0...Int(Int32.max)).contains(gcPercent ?? 0), "an integer from 0 to \(Int32.max) or null"
    )
    try check("memoryLimitBytes", memoryLimitBytes, memoryLimitBytes ?? 0 >= 0, "an integer of at least 0 or null")
    try check("globalsBytes", globalsBytes, globalsBytes < CycleModel.largestHeap, CycleModel.sizeAllowed)
    try check(
      "processors", processors, (1...CycleModel.mostProcessors).contains(processors), CycleModel.processorsAllowed)
    for (index, draw) in cycles.enumerated() { try validate(draw, "cycles[\(index)].") }
  }

  private func validate(_ draw: CycleDraw, _ prefix: String) throws(SettingsError) {
    let rate = 0...CycleModel.highestRate
    let leastScanRate = ModelledProgram.leastScanRate(processors: processors)
    try check(
      prefix + "allocationRate", draw.allocationRate, rate.contains(draw.allocationRate),
      "a number from 0 to \(CycleModel.highestRate) (KiB per CPU millisecond)")
    try check(
      prefix + "scanRate", draw.scanRate, draw.scanRate >= leastScanRate && rate.contains(draw.scanRate),
      "a number from \(leastScanRate) to \(CycleModel.highestRate) (KiB per CPU millisecond)")
    try check(
      prefix + "growthRate", draw.growthRate, rate.contains(draw.growthRate),
      "a number from 0 to \(CycleModel.highestRate)")
    try check(
      prefix + "scannableFraction", draw.scannableFraction, (0...1).contains(draw.scannableFraction),
      "a number from 0 to 1")
    try check(prefix + "stackBytes", draw.stackBytes, draw.stackBytes < CycleModel.largestHeap, CycleModel.sizeAllowed)
  }

  private func check(_ name: String, _ value: Any?, _ isAllowed: Bool, _ allowed: String) throws(SettingsError) {
    if isAllowed { return }
    throw CycleModel.outOfRange(name, value.map { "\($0)" } ?? "null", allowed)
  }

  static func outOfRange(_ name: String, _ value: String, _ allowed: String) -> SettingsError {
    SettingsError(name: name, value: value, allowed: allowed)
  }

  private static let mostProcessors = 65_536
  private static let highestRate = 1e9
  private static let sizeAllowed = "an integer of bytes below \(largestHeap)"
  private static let processorsAllowed = "an integer from 1 to \(mostProcessors)"
}
