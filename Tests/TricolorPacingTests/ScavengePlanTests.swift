// What is returned to the system in the background, and with how much processor time.

import Testing

@testable import TricolorPacing

private let mebibyte: UInt64 = 1 << 20

@Suite("The scavenger's plan")
struct ScavengePlanTests {
  @Test("keeps what the last cycle used, scaled with the goal, and a tenth")
  func beyondGoal() {
    func excess(goal: UInt64) -> UInt64 {
      ScavengePlan.beyondGoal(
        heapBytes: 300 * mebibyte, lastInUse: 200 * mebibyte, lastGoal: 200 * mebibyte, goal: goal * mebibyte)
    }
    #expect(excess(goal: 100) >= 190 * mebibyte - 1 && excess(goal: 100) <= 190 * mebibyte)
    #expect(excess(goal: 300) == 0)
  }

  @Test("returns nothing for growth before the first cycle, or without a goal")
  func noGoal() {
    #expect(ScavengePlan.beyondGoal(heapBytes: 300, lastInUse: 0, lastGoal: 4, goal: 4) == 0)
    #expect(ScavengePlan.beyondGoal(heapBytes: 300, lastInUse: 10, lastGoal: .max, goal: 4) == 0)
    #expect(ScavengePlan.beyondGoal(heapBytes: 300, lastInUse: 10, lastGoal: 4, goal: .max) == 0)
    #expect(ScavengePlan.beyondGoal(heapBytes: 300, lastInUse: 10, lastGoal: 0, goal: 4) == 0)
  }

  @Test("returns what exceeds 95 % of the limit")
  func beyondLimit() {
    #expect(ScavengePlan.beyondLimit(residentBytes: 1000, limit: 1000) == 50)
    #expect(ScavengePlan.beyondLimit(residentBytes: 950, limit: 1000) == 0)
    #expect(ScavengePlan.beyondLimit(residentBytes: .max, limit: .max) > 0)
  }

  @Test("spends one percent of the processors' time in the long run, whatever a piece of work costs")
  func budget() {
    var budget = ScavengeBudget()
    var spent: UInt64 = 0
    for tick in 1...10_000 as ClosedRange<UInt64> {
      budget.earn(at: tick * 10_000_000, processors: 2)
      while budget.isLeft {
        budget.spend(nanoseconds: 700_000)
        spent += 700_000
      }
    }
    // A hundred seconds of two processors.
    #expect((1_990_000_000...2_001_000_000).contains(spent))
  }

  @Test("saves up ten milliseconds at most, and nothing before it starts")
  func saved() {
    var budget = ScavengeBudget()
    budget.earn(at: 1_000_000_000_000, processors: 2)
    #expect(!budget.isLeft)
    budget.earn(at: 2_000_000_000_000, processors: 2)
    budget.spend(nanoseconds: 9_999_999)
    #expect(budget.isLeft)
    budget.spend(nanoseconds: 1)
    #expect(!budget.isLeft)
  }
}
