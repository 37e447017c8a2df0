// tricolor-fuzz: random programs against the shadow for as many operations as asked, and a smaller program when one fails.
//
// Each program runs in a child process, so that a crash is a result like any other and a hang ends with its time limit. When a child
// fails, its program is made smaller: fewer threads, fewer operations, whole kinds of operation left out, as long as one of a few
// tries still fails (the interleaving of threads is not decided by the seed). What is printed at the end runs the smallest one again.

import ArgumentParser
import Glibc
import ShadowPrograms

@main
struct Fuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tricolor-fuzz", abstract: "Random programs on the managed heap, compared with a shadow outside it.")

  @Option(help: "Operations of all programs together.") var operations = 10_000_000
  @Option(help: "Seed of the first program; the others count on from it.") var seed = UInt64.random(in: 1...99_999_999)
  @Option(help: "Only this mode: \(Mode.all.map(\.name).joined(separator: ", ")).") var mode: String?
  @Option(help: "Threads of each program, for all modes.") var threads: Int?
  @Option(
    help: "Kinds of operation to leave out, with commas: \(Operation.allCases.map(\.rawValue).joined(separator: ", "))."
  )
  var without = ""
  @Option(help: "Seconds after which a program counts as hung.") var timeout = 900
  @Flag(help: "One program in this process; what a failing run prints to be tried again.") var once = false

  func validate() throws {
    if operations < 1 { throw ValidationError("--operations: \(operations) is not allowed; use 1 or more") }
    if let threads, !(1...64).contains(threads) {
      throw ValidationError("--threads: \(threads) is not allowed; use 1 to 64")
    }
    if let mode, !Mode.all.contains(where: { $0.name == mode }) {
      throw ValidationError(
        "--mode: \(mode) is not allowed; use one of \(Mode.all.map(\.name).joined(separator: ", "))")
    }
    _ = try leftOut()
  }

  private func leftOut() throws -> Set<Operation> {
    try Set(
      without.split(separator: ",").map { name in
        guard let operation = Operation(rawValue: String(name)) else {
          throw ValidationError("--without: there is no operation \(name)")
        }
        return operation
      })
  }

  func run() throws {
    let modes = Mode.all.filter { mode == nil || $0.name == mode }
    if once { return try runOnce(modes[0]) }
    try runAll(modes)
  }

  private func runOnce(_ mode: Mode) throws {
    let threads = self.threads ?? mode.plan.threads
    let plan = mode.plan(threads: threads, operations: max(1, operations / threads), without: try leftOut())
    do {
      let statistics = try plan.run(seed: seed)
      say("\(statistics.cycles) cycles")
    } catch {
      say("FAILED: \(error)")
      throw ExitCode(1)
    }
  }

  private func runAll(_ modes: [Mode]) throws {
    var totals = [Int](repeating: 0, count: modes.count)
    var done = 0
    var next = seed
    let share = modes.reduce(0) { $0 + $1.share }
    let started = ContinuousClock.now
    while done < operations {
      // The mode that is furthest behind its share.
      let k = modes.indices.min { Double(totals[$0]) / modes[$0].share < Double(totals[$1]) / modes[$1].share }!
      let quota = Double(operations) * modes[k].share / share
      let count = min(modes[k].most, max(1000, Int(quota)), max(1000, operations - done))
      let program = Program(
        mode: modes[k].name, seed: next, threads: threads ?? modes[k].plan.threads, operations: count,
        without: try leftOut())
      let outcome = program.run(timeout: timeout)
      if outcome.failed {
        say("FAILED after \(done) operations: \(program.commandLine)\n\(outcome.text)")
        say("smallest program found: \(program.shrunk(timeout: timeout).commandLine)")
        throw ExitCode(1)
      }
      totals[k] += count
      done += count
      next += 1
      progress(done, started, program)
    }
    for (mode, total) in zip(modes, totals) { say("\(mode.name): \(total) operations") }
    say(
      "\(done) operations in \(Int((ContinuousClock.now - started).components.seconds)) s, seeds \(seed) to \(next - 1): no failure"
    )
  }

  private func progress(_ done: Int, _ started: ContinuousClock.Instant, _ program: Program) {
    let seconds = Double((ContinuousClock.now - started).components.seconds) + 0.001
    say("\(done) operations, \(Int(Double(done) / seconds))/s; last: \(program.mode), seed \(program.seed)", to: 2)
  }
}

/// A way of running programs, and its share of all operations.
struct Mode {
  let plan: ShadowPlan
  let share: Double
  /// Most operations of one program.
  let most: Int
  var name: String { plan.name }

  func plan(threads: Int, operations: Int, without: Set<Operation>) -> ShadowPlan {
    var plan = self.plan
    plan.threads = threads
    plan.operations = operations
    plan.without = without
    return plan
  }

  private static func mode(_ share: Double, _ most: Int, _ plan: ShadowPlan) -> Mode {
    Mode(plan: plan, share: share, most: most)
  }

  static let all = [
    mode(
      0.4, 6_000_000,
      ShadowPlan(name: "natural", threads: 3, operations: 0, minimumHeap: 1 << 20, changesSettings: true)),
    mode(
      0.15, 3_000_000,
      ShadowPlan(name: "clobberfree", threads: 4, operations: 0, clobbers: true, growth: 20, minimumHeap: 1 << 20)),
    mode(
      0.1, 2_000_000,
      ShadowPlan(name: "threads", threads: 3, operations: 0, lives: 500, clobbers: true, minimumHeap: 512 << 10)),
    mode(
      0.15, 3_000_000,
      ShadowPlan(
        name: "markers", threads: 3, operations: 0, clobbers: true, minimumHeap: 512 << 10, extraMarkers: 4,
        changesSettings: true)),
    mode(
      0.1, 2_000_000,
      ShadowPlan(
        name: "one-processor", threads: 2, operations: 0, clobbers: true, minimumHeap: 512 << 10, processors: 1)),
    mode(
      0.08, 1_000_000,
      ShadowPlan(
        name: "delays", threads: 3, operations: 0, lives: 20, clobbers: true, minimumHeap: 1 << 20, extraMarkers: 2,
        delays: true, changesSettings: true)),
    mode(
      0.15, 2_000_000,
      ShadowPlan(
        name: "nodes", threads: 3, operations: 0, lives: 20, clobbers: true, minimumHeap: 512 << 10, extraMarkers: 3,
        changesSettings: true, nodes: 4)),
    mode(
      0.009, 300_000,
      ShadowPlan(
        name: "nodes-gcverify", threads: 3, operations: 0, lives: 5, clobbers: true, verifies: true, checksMarks: true,
        minimumHeap: 1 << 20, extraMarkers: 2, delays: true, nodes: 3)),
    mode(
      0.009, 300_000,
      ShadowPlan(
        name: "gcverify", threads: 3, operations: 0, lives: 5, clobbers: true, verifies: true, minimumHeap: 1 << 20,
        delays: true)),
    mode(
      0.009, 300_000,
      ShadowPlan(
        name: "gccheckmark", threads: 3, operations: 0, lives: 5, clobbers: true, checksMarks: true,
        minimumHeap: 1 << 20, extraMarkers: 2, delays: true)),
    mode(
      0.002, 30_000, ShadowPlan(name: "gcstress", threads: 3, operations: 0, lives: 5, stress: true, clobbers: true)),
  ]
}
