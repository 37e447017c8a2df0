// The tasks workload: nothing is lost or doubled, deadlines and cancellation reach every child, and the check finds damage.

import Harness
import Testing
import Tricolor

@testable import Tasks

private func testHeap() throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration)
}

@Suite("Runs of tasks", .serialized)
struct TasksRunTests {
  private static let small = {
    var options = TasksOptions()
    options.tasks = 300
    options.capacity = 8
    options.messages = 5_000
    options.roundTrips = 200
    options.leaves = 100
    return options
  }()

  private func context(_ extent: Extent = .natural, rate: Int? = nil) throws -> RunContext {
    RunContext(
      heap: try testHeap(), threads: 1, seed: 7, extent: extent, kinds: TasksWorkload.kinds, rate: rate)
  }

  @Test("every message comes once, states agree with the shadow, all leaves of all trees end", arguments: [1, 8, 1000])
  func isWhole(capacity: Int) throws {
    var options = Self.small
    options.capacity = capacity
    let context = try context()
    let result = try TasksWorkload(options).run(context)
    let figures = result.figures
    #expect(result.verified, "\(figures.text())")
    #expect(context.operations == 5_000)
    #expect(figures["messages"]?["received"] == .integer(5_000))
    #expect(figures["trees"]?["trees"] == .integer(2) && figures["trees"]?["deadlines"] == .integer(1))
    #expect(figures["trees"]?["ended"] == .integer(200))
    #expect(figures["switch"]?["hops"] == .integer(400))
    guard case .integer(let bytes)? = figures["memory"]?["heapBytes"] else {
      Issue.record("no heapBytes in \(figures.text())")
      return
    }
    // 80 bytes for each task's array of 8 references, less what the hops had left that words on stacks still kept.
    #expect(bytes >= 300 * 16)
  }

  @Test("a number of operations is that number of messages")
  func operationsAreMessages() throws {
    let context = try context(.operations(777))
    let result = try TasksWorkload(Self.small).run(context)
    #expect(result.verified && context.operations == 777)
  }

  @Test("a rate holds the messages back")
  func rateHolds() throws {
    let began = ContinuousClock.now
    let result = try TasksWorkload(Self.small).run(context(.operations(300), rate: 1_000))
    #expect(result.verified && began.duration(to: .now) >= .milliseconds(250))
  }

  @Test(
    "where there is no memory the run ends with that error, and nobody waits for ever", .timeLimit(.minutes(2)))
  func failureEndsTheRun() throws {
    var settings = Heap.Configuration()
    settings.settings.hardLimit = .bytes(1 << 20)
    var options = Self.small
    options.tasks = 2_000
    let context = RunContext(
      heap: try Heap(configuration: settings), threads: 1, seed: 1, extent: .natural, kinds: TasksWorkload.kinds)
    #expect(throws: OutOfMemory.self) { try TasksWorkload(options).run(context) }
  }

  @Test("options out of bounds are refused with the option's name")
  func refuses() {
    for name in ["tasks", "capacity", "messages", "round-trips", "leaves"] {
      let error = #expect(throws: UsageError.self) {
        try TasksOptions(OptionValues(["--\(name)=0"], of: "tasks", table: TasksOptions.table))
      }
      #expect(error?.description.hasPrefix("--\(name)") == true)
    }
  }
}

@Suite("The shadow of messages")
struct MessageShadowTests {
  private func shadow(received numbers: [Int], word: ((Int) -> UInt64)? = nil) -> MessageShadow.Counts {
    let shadow = MessageShadow(seed: 3)
    shadow.begin(4, from: 10)
    for number in numbers { shadow.received(number, word?(number) ?? Parcel.word(number, seed: 3)) }
    shadow.endSending(3)
    shadow.end()
    return shadow.counts
  }

  @Test("what came once and as it was sent is right, in any order")
  func right() { #expect(shadow(received: [12, 10, 11]).faults == 0) }

  @Test("what did not come is lost, what came twice doubled, what was not sent or is changed wrong")
  func faults() {
    #expect(shadow(received: [10, 12]).lost == 1)
    #expect(shadow(received: [10, 11, 12, 11]).doubled == 1)
    #expect(shadow(received: [10, 11, 12, 13]).wrong == 1)
    #expect(shadow(received: [10, 11, 12, 20]).wrong == 1)
    #expect(shadow(received: [10, 11, 12], word: { _ in 5 }).wrong == 3)
  }
}

@Suite("Deadlines")
struct DeadlineTests {
  @Test("work that is done in time is not disturbed", .timeLimit(.minutes(5)))
  func inTime() async throws {
    try await withDeadline(.now + .seconds(60)) {}
  }

  @Test("work that is not done in time is cancelled with all its children", .timeLimit(.minutes(5)))
  func tooLate() async throws {
    await #expect(throws: DeadlineExceeded.self) {
      try await withDeadline(.now + .milliseconds(20)) {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<50 { group.addTask { try await Task.sleep(for: .seconds(600)) } }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test("an outer deadline that comes first ends the inner one", .timeLimit(.minutes(5)))
  func nested() async throws {
    await #expect(throws: DeadlineExceeded.self) {
      try await withDeadline(.now + .milliseconds(20)) {
        try await withDeadline(.now + .seconds(600)) { try await Task.sleep(for: .seconds(600)) }
      }
    }
  }

  @Test("a tree counts a leaf that ends before it is told to, one that does not end, and messages that are lost")
  func treesHaveFaults() {
    var counts = TaskTree.Counts()
    counts.leaves = 3
    counts.ended = 3
    counts.sent = 5
    counts.received = 4
    counts.left = 1
    #expect(counts.faults == 0)
    for damage: (inout TaskTree.Counts) -> Void in [
      { $0.ended = 2 }, { $0.early = 1 }, { $0.left = 0 }, { $0.unequal = 1 },
    ] {
      var damaged = counts
      damage(&damaged)
      #expect(damaged.faults == 1)
    }
  }
}
