// churn: a steady live set under constant replacement. Every client keeps a table of records; each operation makes a record of
// random size and puts it in a random place, where it takes over the link of the one that dies.
//
// This is the load at which a pacer's arithmetic shows: live bytes do not change, allocation never pauses. The shadow is a
// table of stamps outside the managed heap: at the end each record must carry its place's last stamp in every byte.

import Harness
import Tricolor

struct ChurnRecord: Managed {
  static let slot = TypeSlot()
  var stamp: UInt32
  var previous: Reference<ChurnRecord>?
  var bytes: Reference<Bytes>?
}

/// `tricolor run churn`.
public struct Churn: Workload {
  public static let name = "churn"
  public static let summary = "records of random size replaced at random: a steady live set, constant allocation"
  public static let kinds = ["replace"]
  public static let defaultExtent = Extent.operations(5_000_000)
  public static let options: [any AnyWorkloadOption] = [recordsOption, bytesOption]
  private static let recordsOption = WorkloadOption.integer(
    "records", 1...1 << 30, default: 100_000, help: "records that live, over all threads")
  private static let bytesOption = WorkloadOption.integer(
    "bytes", 1...1 << 20, default: 512, help: "the largest payload; sizes are uniform from 1")

  private let records: Int
  private let bytes: Int

  public init(options: OptionValues) throws(UsageError) {
    records = try options.value(of: Self.recordsOption)
    bytes = try options.value(of: Self.bytesOption)
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let share = max(1, records / context.threads)
    context.phase("replace")
    let parts = try context.runClients { client, mutator in
      let table = try mutator.makeArray(of: ChurnRecord.self, count: share)
      var stamps = [UInt32](repeating: 0, count: share)
      while !client.shouldStop {
        let operation = UInt32(truncatingIfNeeded: client.operations)
        let place = client.random.below(share)
        let size = 1 + client.random.below(bytes)
        table[place] = try makeRecord(stamp: operation, bytes: size, after: table[place], mutator)
        stamps[place] = operation
        client.add()
      }
      client.endMeasuring(mutator)
      return countIntact(table, stamps, mutator)
    }
    return WorkloadResult(
      verified: parts.reduce(0, +) == share * context.threads,
      figures: ["records": .integer(share * context.threads), "largestBytes": .integer(bytes)])
  }

  /// A record that remembers the one it replaces, but not that one's own predecessor.
  private func makeRecord(
    stamp: UInt32, bytes: Int, after previous: Reference<ChurnRecord>?, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ChurnRecord> {
    previous?.previous = nil
    let payload = try mutator.makeBytes(count: bytes) { $0.initializeBytes(with: UInt8(truncatingIfNeeded: stamp)) }
    return try mutator.make(ChurnRecord(stamp: stamp, previous: previous, bytes: payload))
  }

  /// Places that hold what was last put there, or nothing where nothing was.
  private func countIntact(
    _ table: Reference<ReferenceArray<ChurnRecord>>, _ stamps: [UInt32], _ mutator: Mutator
  ) -> Int {
    var intact = 0
    for place in stamps.indices {
      mutator.poll()
      guard let record = table[place] else {
        if stamps[place] == 0 { intact += 1 }
        continue
      }
      let byte = UInt8(truncatingIfNeeded: stamps[place])
      if record.stamp == stamps[place], record.bytes!.withBytes({ $0.allSatisfy { $0 == byte } }) { intact += 1 }
    }
    return intact
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Fills all of it.
  func initializeBytes(with byte: UInt8) { _ = initializeMemory(as: UInt8.self, repeating: byte) }
}
