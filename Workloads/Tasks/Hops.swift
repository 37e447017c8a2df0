// What a switch from task to task costs: two tasks throw one message to and fro through two channels with room for one. Every receive waits, so a
// hop is a send, a switch and a receive. Beside it, what the pool takes to switch to another task for nothing: `Task.yield`.

import Harness
import Histogram
import Tricolor
import TricolorPlatform

/// The cost of hops. Nanoseconds.
struct Hops: Sendable {
  private(set) var hops = 0
  private(set) var nanoseconds: UInt64 = 0
  private(set) var cpuNanoseconds: UInt64 = 0
  private(set) var yields = 0
  private(set) var yieldNanoseconds: UInt64 = 0
  /// Whether the message came back as it was thrown, every time.
  private(set) var isRight = true

  /// Throws a message to and fro `roundTrips` times, fewer when the user interrupts.
  static func measure(_ context: RunContext, roundTrips: Int) async throws -> Hops {
    let heap = context.heap
    let (there, back) = try heap.withMutator { mutator in
      (
        try ManagedChannel<Reference<Parcel>>(capacity: 1, mutator),
        try ManagedChannel<Reference<Parcel>>(capacity: 1, mutator)
      )
    }
    async let returning: Void = {
      for await root in there { try await back.send(root) }
    }()
    var hops = Hops()
    try await hops.play(context, there, back, roundTrips)
    there.close()
    try await returning
    await hops.yield(context, roundTrips)
    return hops
  }

  private mutating func play(
    _ context: RunContext, _ there: ManagedChannel<Reference<Parcel>>, _ back: ManagedChannel<Reference<Parcel>>,
    _ roundTrips: Int
  ) async throws {
    var latencies = TasksWorkload.kinds.map { _ in Latencies.empty() }
    let (began, beganCPU) = (Clock.monotonic(), Clock.processCPU())
    var last = began
    for number in 0..<roundTrips where !context.isInterrupted {
      try await there.send { mutator in try mutator.make(Parcel(number: number, word: 0, sentAt: 0)) }
      isRight = try await back.receive({ _, parcel in parcel.number }) == number && isRight
      hops += 2
      let now = Clock.monotonic()
      latencies[TasksKind.hop.rawValue].record((now - last) / 2)
      last = now
    }
    nanoseconds = last - began
    cpuNanoseconds = Clock.processCPU() - beganCPU
    context.add(latencies)
  }

  /// Two tasks that give way to each other.
  private mutating func yield(_ context: RunContext, _ count: Int) async {
    let began = Clock.monotonic()
    async let other = Hops.giveWay(context, count)
    yields = await Hops.giveWay(context, count) + other
    yieldNanoseconds = Clock.monotonic() - began
  }

  private static func giveWay(_ context: RunContext, _ count: Int) async -> Int {
    for done in 0..<count {
      if context.isInterrupted { return done }
      await Task.yield()
    }
    return count
  }

  var json: JSONValue {
    [
      "hops": .integer(hops), "nanosecondsPerHop": .ratio(Double(nanoseconds), Double(hops)),
      "cpuNanosecondsPerHop": .ratio(Double(cpuNanoseconds), Double(hops)),
      "nanosecondsPerYield": .ratio(Double(yieldNanoseconds), Double(yields)),
    ]
  }
}
