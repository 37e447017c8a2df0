// The measuring of a run, and its report: one line of JSON with the keys of `tricolor run --json`, so that a script reads all programs
// alike. Bytes and nanoseconds. Keys about a collector are left out: there is none.

import Glibc

enum Clock {
  static func monotonic() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

  /// User and system time of the whole process.
  static func processCPU() -> UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

  private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
  }
}

final class Report {
  private let workload: String
  private let run: Run
  private let began = Clock.monotonic()
  private let beganCPU = Clock.processCPU()
  private var nanoseconds: UInt64 = 0
  private var cpu: UInt64 = 0

  // For the workload to fill in.
  var operations = 0
  /// Of the timed operations; nil where none are timed.
  var durations: Histogram?
  var verified = false
  var result: [(String, JSON)] = []

  /// Begins to count seconds and CPU.
  init(_ workload: String, _ run: Run) {
    self.workload = workload
    self.run = run
  }

  /// The work is done; what follows is its check.
  func endMeasuring() {
    nanoseconds = Clock.monotonic() - began
    cpu = Clock.processCPU() - beganCPU
  }

  func json() throws(Ending) -> JSON {
    let seconds = Double(nanoseconds) / 1e9
    var members: [(String, JSON)] = [
      ("workload", .string(workload)), ("seed", .unsigned(run.seed)), ("threads", .integer(run.threads)),
      ("seconds", .number(seconds)), ("operations", .integer(operations)),
      ("operationsPerSecond", .number(Double(operations) / seconds)),
    ]
    if let durations { members.append(("operationNanoseconds", Self.quantiles(durations))) }
    members += [("processCPUNanoseconds", .unsigned(cpu)), ("peakRSSBytes", .integer(try Self.peakRSS()))]
    let processors = sysconf(CInt(_SC_NPROCESSORS_ONLN))
    result += [("processors", .integer(processors)), ("runtime", .string("Swift with reference counting"))]
    members += [("verified", .bool(verified)), ("result", .object(result))]
    return .object(members)
  }

  private static func quantiles(_ durations: Histogram) -> JSON {
    .object([
      ("p50", .unsigned(durations.at(0.5))), ("p99", .unsigned(durations.at(0.99))),
      ("p999", .unsigned(durations.at(0.999))), ("p9999", .unsigned(durations.at(0.9999))),
      ("max", .unsigned(durations.max)),
    ])
  }

  /// VmHWM, because unlike ru_maxrss it does not remember the process that started this one.
  private static func peakRSS() throws(Ending) -> Int {
    guard let status = fopen("/proc/self/status", "r") else {
      throw Ending(exitCode: .internalError, "/proc/self/status cannot be read")
    }
    defer { fclose(status) }
    var room = [CChar](repeating: 0, count: 256)
    while let line = fgets(&room, CInt(room.count), status) {
      let fields = String(cString: line).split(whereSeparator: \.isWhitespace)
      if fields.first == "VmHWM:", let kibibytes = Int(fields[1]) { return kibibytes * 1024 }
    }
    throw Ending(exitCode: .internalError, "/proc/self/status has no VmHWM")
  }
}
