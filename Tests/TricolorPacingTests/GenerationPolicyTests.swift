// Which cycle is young: how close the stopping rule comes to the best number of young cycles, and when young cycles come on and go off.

import Testing

@testable import TricolorPacing

private let mebibyte: UInt64 = 1 << 20

/// A program whose cycles always cost the same: what a policy makes of it can be worked out.
private struct SteadyProgram: CustomTestStringConvertible {
  var fullWork: UInt64
  /// What the first young cycle after a full one costs, and by how much each further one costs more.
  var youngWork: UInt64
  var moreWork: UInt64 = 0
  /// Bytes that each young cycle leaves alive until the next full one.
  var promoted: UInt64
  /// Bytes that may be allocated after a full cycle.
  var room: UInt64
  var live: UInt64 = 64 * mebibyte

  var testDescription: String {
    "full \(fullWork), young \(youngWork) + \(moreWork), promoted \(promoted), room \(room)"
  }

  func room(after young: Int) -> UInt64 { room.subtractingSaturated(UInt64(young) * promoted) }
  func work(ofYoung number: Int) -> UInt64 { youngWork + UInt64(number - 1) * moreWork }

  /// Work for each byte allocated when `count` young cycles follow each full one; nil where there is no room for as many.
  func cost(young count: Int) -> Double? {
    guard room(after: count) > 0 else { return nil }
    var (work, allocated) = (fullWork, room)
    for number in 1...count {
      work += self.work(ofYoung: number)
      allocated += room(after: number)
    }
    return Double(work) / Double(allocated)
  }

  /// The least cost that a fixed number of young cycles reaches, of up to a thousand.
  var leastCost: Double { (1...1000).compactMap { cost(young: $0) }.min()! }

  /// How many young cycles the policy has run between one full cycle and the next, and the work for each byte allocated.
  func run(_ policy: inout GenerationPolicy) -> (young: Int, cost: Double) {
    var (work, allocated, young) = (fullWork, room, 0)
    policy.note(.init(isYoung: false, work: fullWork, allocated: room, marked: live))
    while policy.nextIsYoung(marked: live + room - room(after: young), goal: live + room) {
      young += 1
      work += self.work(ofYoung: young)
      policy.note(
        .init(
          isYoung: true, work: self.work(ofYoung: young), allocated: room(after: young - 1),
          marked: live + UInt64(young) * promoted))
      allocated += room(after: young)
    }
    return (young, Double(work) / Double(allocated))
  }
}

/// A policy that has young cycles on.
private func remembering() -> GenerationPolicy {
  var policy = GenerationPolicy(mode: .automatic)
  for _ in 0..<GenerationPolicy.patience { full(&policy) }
  return policy
}

/// A full cycle, of which a share had been there before.
private func full(
  _ policy: inout GenerationPolicy, survivors: Double = 1, marked: UInt64 = 64 * mebibyte, isChosen: Bool = true
) {
  policy.note(.init(isYoung: false, work: 10_000, allocated: marked, marked: marked, isChosen: isChosen))
  policy.noteSurvivors(survivors)
}

/// A young cycle, and the full one that follows because it has left no room.
private func oneYoung(_ policy: inout GenerationPolicy, isChosen: Bool = true) {
  policy.note(.init(isYoung: true, work: 10_000, allocated: 64 * mebibyte, marked: 128 * mebibyte))
  full(&policy, isChosen: isChosen)
}

@Suite("When a full cycle is due")
struct StoppingRuleTests {
  private static let programs = [
    // Cheap young cycles that leave little: many of them.
    SteadyProgram(fullWork: 64 << 20, youngWork: 1 << 20, promoted: 1 << 20, room: 64 << 20),
    SteadyProgram(fullWork: 64 << 20, youngWork: 1 << 20, promoted: 64 << 10, room: 64 << 20),
    // Young cycles that leave nothing: never a reason for a full one, but for what they cost more each time.
    SteadyProgram(fullWork: 64 << 20, youngWork: 4 << 20, moreWork: 1 << 20, promoted: 0, room: 64 << 20),
    // Ones that leave half of the room, or cost half of a full one.
    SteadyProgram(fullWork: 64 << 20, youngWork: 1 << 20, promoted: 32 << 20, room: 65 << 20),
    SteadyProgram(fullWork: 64 << 20, youngWork: 32 << 20, promoted: 4 << 20, room: 64 << 20),
    // Little room, as under a limit.
    SteadyProgram(fullWork: 300 << 20, youngWork: 2 << 20, promoted: 1 << 20, room: 10 << 20),
    SteadyProgram(fullWork: 300 << 20, youngWork: 2 << 20, promoted: 100 << 10, room: 10 << 20),
    // Much room, as with a large GOGC.
    SteadyProgram(fullWork: 64 << 20, youngWork: 2 << 20, moreWork: 256 << 10, promoted: 8 << 20, room: 512 << 20),
  ]

  @Test("The average cost is within 5 % of that of the best number of young cycles", arguments: programs)
  fileprivate func nearOptimum(program: SteadyProgram) {
    var policy = remembering()
    for _ in 0..<3 {
      let (young, cost) = program.run(&policy)
      #expect(cost <= 1.05 * program.leastCost, "after \(young) young cycles \(cost), at best \(program.leastCost)")
    }
  }

  @Test("So it is for a thousand programs at random")
  func randomPrograms() {
    var random = SeededRandom()
    for _ in 0..<1000 {
      let fullWork = UInt64.random(in: 1 << 20...1 << 30, using: &random)
      let room = UInt64.random(in: 1 << 20...1 << 30, using: &random)
      let program = SteadyProgram(
        fullWork: fullWork, youngWork: .random(in: fullWork / 200...fullWork / 2, using: &random),
        moreWork: .random(in: 0...fullWork / 50, using: &random),
        promoted: .random(in: room / 200...room / 2, using: &random), room: room)
      var policy = remembering()
      let (young, cost) = program.run(&policy)
      #expect(
        cost <= 1.05 * program.leastCost,
        "seed \(random.seed): \(program.testDescription): after \(young) young cycles \(cost)")
    }
  }

  @Test("With no room left, or a goal below what lives, the next cycle is full")
  func noRoom() {
    var policy = remembering()
    full(&policy)
    #expect(policy.nextIsYoung(marked: 64 * mebibyte, goal: 65 * mebibyte))
    #expect(!policy.nextIsYoung(marked: 64 * mebibyte, goal: 64 * mebibyte))
    #expect(!policy.nextIsYoung(marked: 65 * mebibyte, goal: 64 * mebibyte))
  }

  @Test("Under a limit a full cycle comes when young ones have left as much as there is room")
  func limitedRoom() {
    var policy = remembering()
    full(&policy, marked: 40 * mebibyte)
    policy.note(.init(isYoung: true, work: 1, allocated: mebibyte, marked: 45 * mebibyte))
    policy.note(.init(isYoung: true, work: 1, allocated: mebibyte, marked: 45 * mebibyte))
    #expect(policy.nextIsYoung(marked: 45 * mebibyte, goal: 49 * mebibyte, isLimited: false))
    #expect(policy.nextIsYoung(marked: 45 * mebibyte, goal: 51 * mebibyte, isLimited: true))
    #expect(!policy.nextIsYoung(marked: 45 * mebibyte, goal: 49 * mebibyte, isLimited: true))
  }

  @Test("Growth is measured from what the last full cycle left, whatever young ones have added")
  func fullMarked() {
    var policy = remembering()
    full(&policy, marked: 40 * mebibyte)
    policy.note(.init(isYoung: true, work: 1, allocated: mebibyte, marked: 45 * mebibyte))
    policy.note(.init(isYoung: true, work: 1, allocated: mebibyte, marked: 50 * mebibyte))
    #expect(policy.fullMarked == 40 * mebibyte)
    #expect(policy.youngCount == 2)
    full(&policy, marked: 41 * mebibyte)
    #expect(policy.fullMarked == 41 * mebibyte)
    #expect(policy.youngCount == 0)
  }
}

@Suite("Whether stores are remembered")
struct RememberingTests {
  @Test("They are after three full cycles in a row that found half of what they marked there before")
  func comesOn() {
    var policy = GenerationPolicy(mode: .automatic)
    for survivors in [0.5, 0.9, 0.49, 0.5, 1] {
      full(&policy, survivors: survivors)
      #expect(!policy.remembers)
      #expect(!policy.nextIsYoung(marked: 64 * mebibyte, goal: 128 * mebibyte))
    }
    full(&policy, survivors: 0.5)
    #expect(policy.remembers)
    #expect(policy.nextIsYoung(marked: 64 * mebibyte, goal: 128 * mebibyte))
  }

  @Test("They never are in a small heap, and a small one in between begins the count anew")
  func smallHeap() {
    var policy = GenerationPolicy(mode: .automatic)
    for _ in 0..<10 { full(&policy, marked: GenerationPolicy.leastMarked - 1) }
    #expect(!policy.remembers)
    for marked in [5 * mebibyte, 5 * mebibyte, 3 * mebibyte, 5 * mebibyte, 4 * mebibyte] {
      full(&policy, marked: marked)
      #expect(!policy.remembers)
    }
    full(&policy, marked: GenerationPolicy.leastMarked)
    #expect(policy.remembers)
  }

  @Test("They end when three times in a row a full cycle was chosen after a single young one")
  func goesOff() {
    var policy = remembering()
    for _ in 0..<2 { oneYoung(&policy) }
    #expect(policy.remembers)
    // Two young cycles: they pay.
    policy.note(.init(isYoung: true, work: 1, allocated: mebibyte, marked: 64 * mebibyte))
    oneYoung(&policy)
    for _ in 0..<2 { oneYoung(&policy) }
    #expect(policy.remembers)
    oneYoung(&policy)
    #expect(!policy.remembers)
    #expect(!policy.nextIsYoung(marked: 64 * mebibyte, goal: 128 * mebibyte))
  }

  @Test("They go on when it was somebody else who wanted the full cycles, or all cycles had to be full")
  func staysOn() {
    var policy = remembering()
    for _ in 0..<10 { oneYoung(&policy, isChosen: false) }
    #expect(policy.remembers)
    for _ in 0..<10 { full(&policy) }
    #expect(policy.remembers)
  }

  @Test("Each time they end it takes twice as many full cycles until they are tried again, up to 64")
  func growingPause() {
    var policy = remembering()
    for pause in [8, 16, 32, 64, 64, 64] {
      for _ in 0..<GenerationPolicy.patience { oneYoung(&policy) }
      #expect(!policy.remembers)
      // The full cycle that ended them counts among those of the pause.
      var cycles = 1
      while !policy.remembers && cycles < 1000 {
        full(&policy)
        cycles += 1
      }
      #expect(cycles == pause + GenerationPolicy.patience)
    }
  }
}

@Suite("Young cycles by setting")
struct YoungSettingTests {
  @Test("always: three of four, from the first full one on, whatever is found and however little room there is")
  func always() {
    var policy = GenerationPolicy(mode: .always)
    #expect(policy.remembers)
    var kinds: [Bool] = []
    for _ in 0..<12 {
      let isYoung = !kinds.isEmpty && policy.nextIsYoung(marked: mebibyte, goal: 0)
      kinds.append(isYoung)
      policy.note(.init(isYoung: isYoung, work: 100, allocated: 1, marked: mebibyte))
      if !isYoung { policy.noteSurvivors(0) }
    }
    #expect(policy.remembers)
    #expect(kinds == [false, true, true, true, false, true, true, true, false, true, true, true])
  }

  @Test("off: none, and no store is remembered, whatever is found")
  func off() {
    var policy = GenerationPolicy(mode: .off)
    for _ in 0..<20 {
      #expect(!policy.remembers)
      #expect(!policy.nextIsYoung(marked: 64 * mebibyte, goal: 256 * mebibyte))
      full(&policy)
    }
  }

  @Test(
    "is auto, off or always",
    arguments: [("auto", .automatic), ("off", .off), ("always", .always)] as [(String, YoungCycles)])
  func read(_ text: String, _ setting: YoungCycles) throws {
    #expect(try YoungCycles.parse(text) == setting)
  }

  @Test(
    "is nothing else, and the message says what is allowed",
    arguments: ["", "on", "Auto", "automatic", "1", "off ", "ALWAYS"])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try YoungCycles.parse(text) }
    #expect(error?.description == "TRICOLOR_YOUNG: \"\(text)\" is not allowed; use auto, off, always")
  }
}
