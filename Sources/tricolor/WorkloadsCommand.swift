// `tricolor workloads`.

import ArgumentParser
import Harness
import TricolorTelemetry

struct WorkloadsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workloads", abstract: "The list of workloads, a line each.")

  func run() {
    let width = WorkloadTable.all.map { $0.name.count }.max() ?? 0
    for workload in WorkloadTable.all { print(Figures.filled(workload.name, width + 2) + workload.summary) }
  }
}

/// Does nothing. `topology` starts it in a control group to see whether that works.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "probe", shouldDisplay: false)

  func run() {}
}
