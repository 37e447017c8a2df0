// Dividing a limit among heaps: the rule, its bounds, what is measured for it, and what it is worth against equal parts.

import Testing

@testable import TricolorPacing

private let mebibyte: UInt64 = 1 << 20
private let second: UInt64 = 1_000_000_000

private func claim(_ unavoidable: UInt64, weight: Double, most: UInt64 = .max) -> LimitClaim {
  LimitClaim(unavoidableBytes: unavoidable * mebibyte, weight: weight, mostExtra: most == .max ? .max : most * mebibyte)
}

/// The shares in whole mebibytes.
private func divide(_ room: UInt64, _ claims: LimitClaim...) -> [UInt64] {
  LimitShares.divide(room * mebibyte, among: claims).map { ($0 + mebibyte / 2) / mebibyte }
}

@Suite("A limit")
struct LimitSharesTests {
  @Test("is a single heap's, whether that allocates or not, and what lives may exceed it")
  func alone() {
    #expect(divide(100, claim(30, weight: 5)) == [100])
    #expect(divide(100, claim(30, weight: 0)) == [100])
    #expect(divide(20, claim(30, weight: 5)) == [30])
    #expect(LimitShares.divide(100, among: []) == [])
  }

  @Test("is divided beyond what lives in proportion to the weights")
  func proportion() {
    #expect(divide(500, claim(150, weight: 2), claim(50, weight: 1)) == [350, 150])
    #expect(divide(500, claim(150, weight: 1), claim(50, weight: 2)) == [250, 250])
  }

  @Test("leaves a heap that does not allocate the least that keeps it from thrashing, and the rest to the others")
  func idle() {
    #expect(divide(500, claim(20, weight: 0), claim(20, weight: 1)) == [24, 476])
    #expect(divide(1500, claim(640, weight: 0), claim(20, weight: 1), claim(20, weight: 1)) == [660, 420, 420])
    #expect(divide(500, claim(20, weight: 0), claim(20, weight: 0)) == [250, 250])
  }

  @Test("leaves nobody more than growth allows, and the rest to the others")
  func capped() {
    #expect(divide(500, claim(100, weight: 3, most: 100), claim(100, weight: 1)) == [200, 300])
    #expect(divide(500, claim(100, weight: 3, most: 100), claim(10, weight: 1, most: 10)) == [200, 20])
    #expect(divide(500, claim(20, weight: 0, most: 2), claim(20, weight: 1)) == [22, 478])
  }

  @Test("that is nearly used up leaves equal parts, and none at all when what lives exceeds it")
  func scarce() {
    #expect(divide(106, claim(90, weight: 9), claim(10, weight: 1)) == [93, 13])
    #expect(divide(90, claim(90, weight: 9), claim(10, weight: 1)) == [90, 10])
  }

  @Test("is never divided into more than there is, nor one heap denied its least or given more than its most")
  func bounds() {
    var random = SeededRandom()
    for _ in 0..<500 {
      let claims = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        claim(
          .random(in: 0...400, using: &random), weight: [0, 1e-3, 1, 50, 1e9].randomElement(using: &random)!,
          most: [1, 60, 900, .max].randomElement(using: &random)!)
      }
      let unavoidable = claims.reduce(0) { $0 + $1.unavoidableBytes }
      let room = UInt64.random(in: 0...(2000 * mebibyte), using: &random)
      let shares = LimitShares.divide(unavoidable + room, among: claims)
      #expect(shares.reduce(0, +) <= unavoidable + room)
      for (share, claim) in zip(shares, claims) {
        let extra = share - claim.unavoidableBytes
        #expect(extra <= claim.mostExtra)
        #expect(extra + 1 >= min(claim.mostExtra, claim.leastExtra, room / UInt64(claims.count)))
      }
    }
  }
}

@Suite("The cost of collecting a heap")
struct CollectionCostTests {
  /// Readings every 100 ms, of `rate` bytes a second.
  private func allocate(
    _ cost: inout CollectionCost, _ total: inout UInt64, _ now: inout UInt64, rate: UInt64, seconds: Int
  ) {
    for _ in 0..<seconds * 10 {
      now += second / 10
      total += rate / 10
      cost.noteAllocation(total: total, now: now)
    }
  }

  @Test("takes a twentieth of the allocation rate anew each second, the last one's begun second included")
  func allocationRate() {
    var (cost, total, now) = (CollectionCost(), UInt64(5000), UInt64(77))
    cost.noteAllocation(total: total, now: now)
    #expect(cost.allocationRate == 0, "one reading is no rate")
    allocate(&cost, &total, &now, rate: 1_000_000, seconds: 1)
    #expect(abs(cost.allocationRate - 1_000_000) < 1)
    allocate(&cost, &total, &now, rate: 0, seconds: 200)
    #expect(cost.allocationRate < 100)
    allocate(&cost, &total, &now, rate: 1_000_000, seconds: 1)
    #expect(abs(cost.allocationRate - 50_000) < 100)
    allocate(&cost, &total, &now, rate: 1_000_000, seconds: 13)
    #expect((0.5...0.52).contains(cost.allocationRate / 1_000_000))
    now += second / 20
    total += 100_000_000
    cost.noteAllocation(total: total, now: now)
    #expect(cost.allocationRate > 3_000_000, "a burst is seen before its second is over")
  }

  @Test("takes half of the marking speed anew each cycle, longer ones counting for more")
  func markingSpeed() {
    var cost = CollectionCost()
    #expect(cost.markingSpeed == Double(2 << 30))
    for _ in 0..<40 { cost.noteCycle(liveBytes: 100 * mebibyte, nanoseconds: second / 10) }
    let speed = cost.markingSpeed
    #expect(abs(speed / Double(1000 * mebibyte + 10 * 262_144) - 1) < 1e-6)
    cost.noteCycle(liveBytes: 100 * mebibyte, nanoseconds: 2 * second / 10)
    #expect(abs(cost.markingSpeed / speed - 2.0 / 3) < 1e-6)
    cost.noteCycle(liveBytes: 0, nanoseconds: 0)
    #expect(abs(cost.markingSpeed / speed - 2.0 / 3) < 1e-6)
  }

  @Test("weighs with the root of what lives, of the allocation rate, and of the time a byte takes to mark")
  func weight() {
    func weight(live: UInt64, rate: UInt64, nanoseconds: UInt64) -> Double {
      var (cost, total, now) = (CollectionCost(), UInt64(0), UInt64(0))
      cost.noteAllocation(total: 0, now: 0)
      allocate(&cost, &total, &now, rate: rate, seconds: 3)
      for _ in 0..<40 { cost.noteCycle(liveBytes: live, nanoseconds: nanoseconds) }
      return cost.weight(liveBytes: live)
    }
    let base = weight(live: 1024 * mebibyte, rate: 10_000_000, nanoseconds: second)
    #expect(abs(weight(live: 1024 * mebibyte, rate: 40_000_000, nanoseconds: second) / base - 2) < 1e-6)
    #expect(abs(weight(live: 1024 * mebibyte, rate: 10_000_000, nanoseconds: 4 * second) / base - 2) < 1e-6)
    #expect(abs(weight(live: 4096 * mebibyte, rate: 10_000_000, nanoseconds: 4 * second) / base - 2) < 1e-3)
    #expect(weight(live: 1024 * mebibyte, rate: 0, nanoseconds: second) == 0)
  }
}

/// Heaps that allocate steadily and are collected whenever they have filled their share, in steps of 10 ms.
private struct SharingModel {
  enum Rule {
    case squareRoot
    /// Equal parts of the limit, or of what it leaves beyond live memory; or the first heap's part of that given.
    case equalParts, equalExtras
    case firstExtra(Double)
  }

  struct ModelHeap {
    /// Bytes; bytes allocated in a step; bytes marked in a CPU second.
    var live: Double
    var rate: Double
    var speed = Double(1 << 30)
    var used = 0.0
    var total = 0.0
    var cost = CollectionCost()
    var cpu = 0.0
    var share = 0.0

    init(live: UInt64, ratePerSecond: UInt64) {
      self.live = Double(live * mebibyte)
      rate = Double(ratePerSecond * mebibyte) / 100
      used = self.live
    }

    mutating func step(now: UInt64, bound: Double) {
      if used + rate > bound {
        cpu += live / speed
        cost.noteCycle(liveBytes: UInt64(live), nanoseconds: UInt64(live / speed * 1e9))
        used = live
      }
      used += rate
      total += rate
      cost.noteAllocation(total: UInt64(total), now: now)
    }
  }

  let limit: Double
  var heaps: [ModelHeap]
  private(set) var peak = 0.0
  private var now: UInt64 = 0

  init(limit: UInt64, heaps: [ModelHeap]) {
    self.limit = Double(limit * mebibyte)
    self.heaps = heaps
  }

  /// CPU seconds of all collectors over so many seconds, after a minute in which they settle.
  mutating func cpu(_ rule: Rule, seconds: Int) -> Double {
    run(rule, seconds: 60)
    let before = heaps.reduce(0) { $0 + $1.cpu }
    run(rule, seconds: seconds)
    return heaps.reduce(0) { $0 + $1.cpu } - before
  }

  mutating func run(_ rule: Rule, seconds: Int) {
    for _ in 0..<seconds * 100 {
      now += second / 100
      divide(rule)
      for i in heaps.indices {
        let others = heaps.indices.reduce(0) { $0 + ($1 == i ? 0 : max(heaps[$1].share, heaps[$1].used)) }
        heaps[i].step(now: now, bound: max(limit - others, heaps[i].live + heaps[i].rate))
      }
      peak = max(peak, heaps.reduce(0) { $0 + $1.used })
    }
  }

  private mutating func divide(_ rule: Rule) {
    let room = limit - heaps.reduce(0) { $0 + $1.live }
    let count = Double(heaps.count)
    switch rule {
    case .squareRoot:
      let claims = heaps.map {
        LimitClaim(unavoidableBytes: UInt64($0.live), weight: $0.cost.weight(liveBytes: UInt64($0.live)))
      }
      for (i, share) in LimitShares.divide(UInt64(limit), among: claims).enumerated() { heaps[i].share = Double(share) }
    case .equalParts: for i in heaps.indices { heaps[i].share = limit / count }
    case .equalExtras: for i in heaps.indices { heaps[i].share = heaps[i].live + room / count }
    case .firstExtra(let part):
      for i in heaps.indices { heaps[i].share = heaps[i].live + room * (i == 0 ? part : (1 - part) / (count - 1)) }
    }
  }
}

@Suite("Unlike heaps under one limit")
struct SharingTests {
  /// One with much alive that allocates slowly, one with little that allocates fast.
  private func model() -> SharingModel {
    SharingModel(
      limit: 480, heaps: [.init(live: 200, ratePerSecond: 20), .init(live: 4, ratePerSecond: 100)])
  }

  private func cpu(_ rule: SharingModel.Rule) -> Double {
    var model = model()
    let cpu = model.cpu(rule, seconds: 600)
    #expect(model.peak <= model.limit)
    return cpu
  }

  @Test(
    "take less than a third of the CPU that equal parts of the limit cost, and less than equal parts of the room do")
  func beatsEqualParts() {
    let shared = cpu(.squareRoot)
    #expect(shared < 0.33 * cpu(.equalParts))
    #expect(shared < 0.85 * cpu(.equalExtras))
  }

  @Test("come within a twentieth of the best division there is")
  func nearOptimum() {
    let best = stride(from: 0.05, to: 0.96, by: 0.05).map { cpu(.firstExtra($0)) }.min()!
    #expect(cpu(.squareRoot) < 1.05 * best)
  }

  @Test("make room for one that comes, never beyond the limit, and have it back when it has gone")
  func comingAndGoing() {
    var model = model()
    model.run(.squareRoot, seconds: 60)
    let before = model.heaps.map(\.share)
    model.heaps.append(.init(live: 40, ratePerSecond: 20))
    model.heaps[2].live = 0
    model.heaps[2].used = 0
    model.run(.squareRoot, seconds: 5)
    model.heaps[2].live = Double(40 * mebibyte)
    model.run(.squareRoot, seconds: 60)
    #expect(model.heaps[2].share > Double(80 * mebibyte))
    #expect(model.heaps[0].share < before[0] && model.heaps[1].share < before[1])
    #expect(model.peak <= model.limit)
    model.heaps.removeLast()
    model.run(.squareRoot, seconds: 1)
    for (share, old) in zip(model.heaps.map(\.share), before) { #expect(abs(share / old - 1) < 0.02) }
  }

  @Test("give a heap that begins to allocate most of its share within seconds, and meanwhile no cycle for every step")
  func wakingUp() {
    var model = model()
    model.heaps[1].rate = 0
    model.run(.squareRoot, seconds: 120)
    #expect(model.heaps[1].share == Double(8 * mebibyte), "what lives and the least")
    model.heaps[1].rate = Double(mebibyte)
    model.run(.squareRoot, seconds: 5)
    #expect(model.heaps[1].share > Double(32 * mebibyte))
    #expect(model.heaps[1].cpu < 0.7, "a cycle of 4 ms for every 4 MiB would be 0.5 s")
    #expect(model.peak <= model.limit)
  }
}
