// tricolor-micro: what single operations of the heap cost, each beside the figure it should not exceed.
//
// A module of its own that sees of the library what any client sees, so that the fast paths are measured as they are inlined there.
//
// Exit codes: 0 measured and verified, 1 a check of the measured data failed, 64 wrong input, 70 anything that should not happen.
// A missed target is a result and no error.

import ArgumentParser
import Harness
import TricolorTelemetry

@main
struct MicroCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tricolor-micro",
    abstract: "What single operations of the heap cost.",
    discussion: "Groups: \(Group.all.map(\.name).joined(separator: ", ")).")

  @Option(help: ArgumentHelp("Only this group (may be given several times).", valueName: "NAME"))
  var only: [String] = []

  @Option(help: ArgumentHelp("Batches of each operation, in turns.", valueName: "N"))
  var repetitions = 25

  @Option(help: ArgumentHelp("Also write every figure to a file as JSON (- is standard output).", valueName: "FILE"))
  var json: String?

  @Flag(help: "List the operations that instructions can be counted of.")
  var operations = false

  @Option(
    help: ArgumentHelp(
      "Run one operation many times inside \"counted\", for instructions.sh under valgrind.", valueName: "OPERATION"))
  var instructions: String?

  @Option(help: ArgumentHelp("How many times, with --instructions.", valueName: "N"))
  var times = 10_000

  @Option(help: .hidden)
  var child: ChildKind?

  func validate() throws {
    for name in only where !Group.all.contains(where: { $0.name == name }) {
      throw ValidationError(
        "--only: \"\(name)\" is not allowed; use one of \(Group.all.map(\.name).joined(separator: ", "))")
    }
    if !(1...10_000).contains(repetitions) {
      throw ValidationError("--repetitions: \"\(repetitions)\" is not allowed; use 1 to 10000")
    }
    if !(1...10_000_000).contains(times) {
      throw ValidationError("--times: \"\(times)\" is not allowed; use 1 to 10000000")
    }
  }

  func run() throws {
    if let child { return try child.run() }
    if operations { return try listOperations() }
    if let instructions { return try countInstructions(of: instructions) }
    let file = try openFile()
    let session = Session(.times(repetitions: repetitions))
    var figures: [Figure] = []
    for group in Group.all where only.isEmpty || only.contains(group.name) {
      OutputFile.writeToStandardError("\(group.name)…\n")
      let found = try group.run(session)
      if file?.isStandardOutput != true { print(Figure.table(group.title, found)) }
      figures += found
    }
    try file?.write(Figure.json(figures, verified: session.isVerified).text() + "\n")
    if !session.isVerified { throw ExitCode(1) }
  }

  private func openFile() throws -> OutputFile? {
    do {
      return try json.map { path throws(UsageError) in try OutputFile(path, option: "--json") }
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// A line for each: name, name of the loop without it, most instructions or "-".
  private func listOperations() throws {
    let session = Session(.names)
    for group in Group.all where group.hasOperations { _ = try group.run(session) }
    for operation in session.listed {
      print(operation.name, operation.loop, operation.mostInstructions.map { "\($0)" } ?? "-", separator: "\t")
    }
  }

  private func countInstructions(of name: String) throws {
    let names = Session(.names)
    guard
      let group = try Group.all.first(where: { group in
        guard group.hasOperations else { return false }
        _ = try group.run(names)
        return names.listed.contains { $0.name == name || $0.loop == name }
      })
    else {
      throw ValidationError("--instructions: \"\(name)\" is not allowed; --operations lists what is")
    }
    let session = Session(.instructions(name: name, times: times))
    _ = try group.run(session)
    if !session.isVerified { throw ExitCode(1) }
  }
}

/// A set of figures that are measured together, in turns.
struct Group: Sendable {
  let name: String
  /// Above its table.
  let title: String
  /// Whether it measures operations whose instructions can be counted.
  var hasOperations = false
  let run: @Sendable (Session) throws -> [Figure]

  static let all = [
    Group(
      name: "allocation", title: "allocation, collector off, beyond the loop (ns)", hasOperations: true,
      run: Allocation.run),
    Group(name: "cycles", title: "allocation under natural cycles, beyond the loop (ns)", run: AllocationInCycles.run),
    Group(name: "store", title: "store of a reference, beyond a plain store (ns)", hasOperations: true, run: Store.run),
    Group(
      name: "inside", title: "inside withMutator, beyond the loop (ns)", hasOperations: true, run: InsideMutator.run),
    Group(name: "entering", title: "withMutator, beyond the loop (ns)", hasOperations: true, run: Entering.run),
    Group(
      name: "collections", title: "managed collections and native ones, beyond the loop (ns)", hasOperations: true,
      run: Collections.run),
    Group(name: "mark", title: "forced cycles over live graphs", run: Marking.run),
    Group(name: "sweep", title: "sweep of blocks whose objects all died", run: Sweeping.run),
    Group(name: "heap", title: "a heap's start and end", run: HeapLifetime.run),
    Group(name: "empty", title: "an empty heap in a process of its own", run: EmptyHeap.run),
    Group(name: "layouts", title: "200 layouts on 8 threads, one object each", run: Layouts.run),
    Group(name: "metadata", title: "side tables of a heap with 1 GiB live", run: Metadata.run),
  ]
}
