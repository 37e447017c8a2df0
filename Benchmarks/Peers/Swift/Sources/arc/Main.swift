// The programs of the comparison: arc WORKLOAD --option value ...

import Glibc

@main
enum Main {
  static let workloads: [any Workload.Type] = [
    BinaryTrees.self, Latency.self, Churn.self, LinkedLists.self, LargeObjects.self, CrossThread.self, WriteHeavy.self,
  ]

  static func main() {
    do {
      switch try CommandLineReader.read(Array(CommandLine.arguments.dropFirst()), workloads) {
      case .help(let text): print(text)
      case .run(let workload, let run): try perform(workload, run)
      }
    } catch {
      let sentence = "arc: \(error.sentence)\n"
      write(STDERR_FILENO, sentence, sentence.utf8.count)
      exit(error.exitCode)
    }
  }

  private static func perform(_ workload: any Workload.Type, _ run: Run) throws(Ending) {
    let report = Report(workload.name, run)
    try workload.perform(run, report)
    print(try report.json().text)
    guard report.verified else {
      throw Ending(exitCode: .checkFailed, "\(workload.name): the data at the end is not what was stored")
    }
  }
}
