// registry: a map of users that is read much more than it is written, shared in four ways, each under read shares from 50 to 99.9 %; and
// what the write barrier costs.
//
// The figures are throughput, latencies of reads and writes, and what a way of sharing allocates: snapshots buy reads without a lock
// with a path of new nodes for every write, which the collector takes back.

import Harness
import Tricolor

/// `tricolor run registry`.
public struct RegistryWorkload: Workload {
  public static let name = "registry"
  public static let summary =
    "a read-mostly map of users: a mutex, a read-write lock, shards, snapshots; the barrier's cost"
  public static let kinds = Sharing.allCases.flatMap { ["\($0.rawValue) read", "\($0.rawValue) write"] }
  public static let mostThreads = 64
  public static let options: [any AnyWorkloadOption] = [
    usersOption, operationsOption, barrierOption, roundsOption,
  ]
  private static let usersOption = WorkloadOption.integer(
    "users", 64...1 << 24, default: 100_000, help: "users in the registry")
  private static let operationsOption = WorkloadOption.integer(
    "cell-operations", 1...1 << 40, default: 1_000_000, help: "operations in each cell of the matrix")
  private static let barrierOption = WorkloadOption.integer(
    "barrier-operations", 1...1 << 40, default: 5_000_000,
    help: "reads, and writes, of the barrier under each condition")
  private static let roundsOption = WorkloadOption.integer(
    "rounds", 1...1_000_000, default: 1, help: "rounds of everything")
  /// Reads in a thousand operations.
  static let readShares = [500, 900, 950, 990, 999]

  private let users: Int
  private let cellOperations: Int
  private let barrierOperations: Int
  private let rounds: Int

  public init(options: OptionValues) throws(UsageError) {
    users = try options.value(of: Self.usersOption)
    cellOperations = try options.value(of: Self.operationsOption)
    barrierOperations = try options.value(of: Self.barrierOption)
    rounds = try options.value(of: Self.roundsOption)
  }

  /// What a run has found so far.
  private struct Findings {
    var cells: [Sharing: [CellFigures]] = [:]
    var wrong = 0
    var checksum: UInt64 = 0
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    var findings = Findings()
    for sharing in Sharing.allCases {
      findings.cells[sharing] = .init(repeating: CellFigures(), count: Self.readShares.count)
    }
    context.phase("prepare")
    guard var barrier = try BarrierCost(context, users: users, operations: barrierOperations) else {
      return WorkloadResult(verified: true, figures: .object([]))
    }
    context.restartDuration()
    var round = 0
    while !context.shouldStop && (round < rounds || context.extent != .natural) {
      for sharing in Sharing.allCases where !context.shouldStop {
        try measure(sharing, seed: UInt64(round), context, &findings)
      }
      for condition in BarrierCondition.allCases where !context.shouldStop {
        try barrier.measure(condition, seed: Checksum.mix(context.seed &+ UInt64(round)))
      }
      round += 1
    }
    context.endMeasuring()
    let misplaced = barrier.misplaced()
    let wrong = findings.wrong + barrier.wrong + misplaced
    return WorkloadResult(
      verified: wrong == 0,
      figures: .object([
        .init("users", .integer(users)), .init("rounds", .integer(round)), .init("sharing", sharingFigures(findings)),
        .init("overMutex", comparison(findings)), .init("barrier", barrier.json),
        .init("checksum", .string(String(findings.checksum, radix: 16))), .init("wrong", .integer(wrong)),
      ]))
  }

  /// One way of sharing under every share of reads, on a registry of its own.
  private func measure(_ sharing: Sharing, seed: UInt64, _ context: RunContext, _ findings: inout Findings) throws {
    context.phase(sharing.rawValue)
    let organisations = try context.heap.withMutator { mutator in mutator.root(try User.makeOrganisations(mutator)) }
    let registry = try fill(sharing, organisations, context)
    guard let registry else { return }
    var plain = (0..<context.threads).map { PlainUsers(users: users, client: $0, clients: context.threads) }
    for (index, share) in Self.readShares.enumerated() where !context.shouldStop {
      let before = plain
      let parts = try findings.cells[sharing]![index].heap.measure(context.heap) {
        try context.runClients { client, mutator in
          // Every cell of a round and every round draws other numbers; every way of sharing the same.
          client.random = SplitMix64(
            seed: Checksum.mix(context.seed ^ UInt64(share) << 48 ^ seed << 24 ^ UInt64(client.index)))
          var own = before[client.index]
          let cell = CellClient(
            registry: registry, sharing: sharing, readsPerMille: share, users: users,
            organisations: organisations.get(mutator)!)
          let count = cellOperations / context.threads
          return (part: try cell.run(count, &own, client, mutator), plain: own)
        }
      }
      plain = parts.map(\.plain)
      for part in parts {
        findings.cells[sharing]![index].add(part.part)
        findings.wrong += part.part.wrong
      }
    }
    findings.wrong += check(registry, plain, context, &findings.checksum)
  }

  /// A registry with all users at version 1; nil when the user interrupts.
  private func fill(
    _ sharing: Sharing, _ organisations: Root<ReferenceArray<Organisation>>, _ context: RunContext
  ) throws -> (any UserRegistry)? {
    try context.heap.withMutator { mutator in
      let registry = try sharing.makeRegistry(users: users, mutator)
      for id in 0..<users {
        if context.isInterrupted { return nil }
        try registry.put(try User.make(id: id, version: 1, organisations.get(mutator)!, mutator), mutator)
      }
      return registry
    }
  }

  /// Users that are not what their clients know, after all threads have ended.
  private func check(
    _ registry: any UserRegistry, _ plain: [PlainUsers], _ context: RunContext, _ checksum: inout UInt64
  ) -> Int {
    let (wrong, sum) = context.heap.withMutator { mutator in
      var wrong = 0
      var sum: UInt64 = 0
      for id in 0..<users {
        mutator.poll()
        let version = plain[id % plain.count].version(id)
        sum = Checksum.combine(sum, UInt64(version))
        let isRight = registry.read(id, mutator) { user in
          user.map { $0.version == version && $0.isWhole(id: id) } ?? (version == 0)
        }
        if !isRight { wrong += 1 }
      }
      return (wrong, sum)
    }
    checksum = Checksum.combine(checksum, sum)
    return wrong
  }

  // MARK: Figures

  private func name(_ share: Int) -> String { share % 10 == 0 ? "\(share / 10)" : "\(share / 10).\(share % 10)" }

  private func sharingFigures(_ findings: Findings) -> JSONValue {
    .object(
      Sharing.allCases.map { sharing in
        .init(
          sharing.rawValue,
          .object(zip(Self.readShares, findings.cells[sharing]!).map { .init(name($0), $1.json) }))
      })
  }

  /// Throughput over the mutex's, by share of reads in percent.
  private func comparison(_ findings: Findings) -> JSONValue {
    .object(
      Sharing.allCases.filter { $0 != .mutex }.map { sharing in
        let ratios = Self.readShares.indices.map { index in
          JSONValue.Member(
            name(Self.readShares[index]),
            .ratio(
              findings.cells[sharing]![index].operationsPerSecond,
              findings.cells[.mutex]![index].operationsPerSecond))
        }
        return .init(sharing.rawValue, .object(ratios))
      })
  }
}
