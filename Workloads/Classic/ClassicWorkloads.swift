// The classic workloads, for the command's table.

import Harness

/// All workloads of this module.
public enum ClassicWorkloads {
  public static let all: [any Workload.Type] = [
    BinaryTrees.self, Graph.self, Latency.self, Churn.self, LinkedList.self, LargeObjects.self, CrossThread.self,
    WriteHeavy.self,
  ]
}
