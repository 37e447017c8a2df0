// Reads "WORKLOAD --option value --option=value ...". Anything wrong is a usage error.

enum CommandLineReader {
  enum Wish {
    case run(any Workload.Type, Run)
    case help(String)
  }

  /// Workloads of the other languages that have no meaning here.
  private static let leftOut = ["graph": "where references are counted nothing marks"]

  static func read(_ arguments: [String], _ workloads: [any Workload.Type]) throws(Ending) -> Wish {
    if arguments.first == "--help" {
      return .help(workloads.map { "  \($0.name): \($0.summary)" }.joined(separator: "\n"))
    }
    let workload = try find(arguments.first, workloads)
    var run = Run(workload)
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
      if argument == "--help" { return .help(help(workload)) }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = try optionName(parts[0], workload)
      guard let text = parts.count == 2 ? parts[1] : rest.popFirst() else {
        throw Ending(exitCode: .usage, "--\(name) needs a value")
      }
      try set(name, text, workload, &run)
    }
    return .run(workload, run)
  }

  private static func find(_ name: String?, _ workloads: [any Workload.Type]) throws(Ending) -> any Workload.Type {
    let names = workloads.map { $0.name }.joined(separator: ", ")
    guard let name else { throw Ending(exitCode: .usage, "name a workload: \(names)") }
    if let reason = leftOut[name] { throw Ending(exitCode: .usage, "\(name) cannot be run here: \(reason)") }
    guard let workload = workloads.first(where: { $0.name == name }) else {
      throw Ending(exitCode: .usage, "there is no workload \"\(name)\"; use \(names)")
    }
    return workload
  }

  private static func threadsOption(_ workload: any Workload.Type) -> Option {
    let group = workload.threadGroup
    return Option("threads", group...workload.mostThreads, step: group, default: group, help: "client threads")
  }

  private static func optionName(_ argument: String, _ workload: any Workload.Type) throws(Ending) -> String {
    let names = workload.options.map(\.name) + ["threads", "seed"]
    guard let name = names.first(where: { "--" + $0 == argument }) else {
      throw Ending(
        exitCode: .usage,
        "\(workload.name) has no option \"\(argument)\"; \(workload.name) --help lists its options")
    }
    return name
  }

  private static func set(
    _ name: String, _ text: String, _ workload: any Workload.Type, _ run: inout Run
  ) throws(Ending) {
    if name == "threads" {
      run.threads = try threadsOption(workload).value(of: text)
    } else if name == "seed" {
      guard let seed = UInt64(text) else {
        throw Ending(exitCode: .usage, "--seed: \"\(text)\" is not allowed; use 0 to \(UInt64.max)")
      }
      run.seed = seed
    } else if let option = workload.options.first(where: { $0.name == name }) {
      run[name] = try option.value(of: text)
    }
  }

  private static func help(_ workload: any Workload.Type) -> String {
    let options = (workload.options + [threadsOption(workload)]).map(\.helpLine)
    let seed = "  --seed  what random numbers begin with (default: \(Run.defaultSeed))"
    return (["\(workload.name): \(workload.summary)"] + options + [seed]).joined(separator: "\n")
  }
}
