// `tricolor tune --from`: reads the log, asks the advisor, prints.

import Harness
import TricolorPacing
import TricolorTelemetry
import TricolorTuning

/// The options of `tune --from` as they were typed, and what is done with them.
struct TraceAdvicePrinter {
  let from: String
  let memory: String?
  let resident: String?
  let json: String?

  func run() throws {
    let memory = try size(memory, "--memory")
    let resident = try size(resident, "--rss")
    let output = try json.map { (path) throws(UsageError) in try OutputFile(path, option: "--json") }
    let trace = GoTrace(reading: try InputFile.bytes(from))
    let advice: TraceAdvice
    do throws(GoTraceError) {
      advice = try TraceAdvisor(trace, resident: resident).advice(memory: memory)
    } catch {
      throw UsageError("--from: \"\(from)\": \(error)")
    }
    if let output {
      try output.write(advice.json(trace).text() + "\n")
      if output.isStandardOutput { return }
    }
    print(advice.text(trace), terminator: "")
  }

  private func size(_ text: String?, _ option: String) throws -> Int? {
    try text.map { Int(try ByteSize.parse($0, name: option, minimum: 1 << 20)) }
  }
}
