// Every workload the command knows.

import Classic
import Controller
import EtcdStore
import Harness
import Planner
import RegionScheduler
import Registry
import Tasks

/// The workloads by name.
enum WorkloadTable {
  static let all: [any Workload.Type] =
    [
      EtcdStoreWorkload.self, RegionWorkload.self, ControllerWorkload.self, PlannerWorkload.self, RegistryWorkload.self,
      TasksWorkload.self,
    ] + ClassicWorkloads.all

  /// The workload called `name`.
  ///
  /// - Throws: `UsageError` with the names there are.
  static func find(_ name: String) throws(UsageError) -> any Workload.Type {
    guard let workload = all.first(where: { $0.name == name }) else {
      throw UsageError("there is no workload \"\(name)\"; use \(all.map { $0.name }.joined(separator: ", "))")
    }
    return workload
  }
}
