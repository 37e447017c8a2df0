// Leases: expiry in order, renewal, keys that move between leases.

import Harness
import Testing
import Tricolor

@testable import EtcdStore

@Suite("Leases")
struct LeaseTests {
  private static let twoSessions = {
    var configuration = StoreConfiguration()
    configuration.sessions = 2
    return configuration
  }()

  @Test("keys of a lease go when it ends, those of others stay")
  func expires() throws {
    try withStore { store, m in
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      try store.grant(2, lifetime: 20, session: 0, now: 0, m)
      for number in 0..<20 { try store.put("a\(number)", "x", lease: 1, m) }
      try store.put("b", "y", lease: 2, m)
      try store.put("c", "z", m)
      let before = store.currentRevision(m)
      #expect(try store.expireOne(session: 0, now: 9, m) == nil)
      #expect(try store.expireOne(session: 0, now: 10, m) == 1)
      #expect(try store.expireOne(session: 0, now: 10, m) == nil)
      #expect(store.currentRevision(m) == before + 1)
      #expect(try store.list(m).pairs.map(\.key) == ["b", "c"])
    }
  }

  @Test("renewal puts the end off")
  func renews() throws {
    try withStore { store, m in
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      try store.put("a", "x", lease: 1, m)
      try store.renew(1, now: 8, m)
      #expect(try store.expireOne(session: 0, now: 17, m) == nil)
      #expect(try store.value("a", m) == "x")
      #expect(try store.expireOne(session: 0, now: 18, m) == 1)
      #expect(try store.value("a", m) == nil)
    }
  }

  @Test("a key that was put on another lease, or on none, survives its old one")
  func moves() throws {
    try withStore { store, m in
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      try store.grant(2, lifetime: 50, session: 0, now: 0, m)
      for key in ["a", "b", "c"] { try store.put(key, "1", lease: 1, m) }
      try store.put("a", "2", lease: 2, m)
      try store.put("b", "2", m)
      _ = try store.expireOne(session: 0, now: 10, m)
      #expect(try store.list(m).pairs.map(\.key) == ["a", "b"])
      try store.revoke(2, m)
      #expect(try store.list(m).pairs.map(\.key) == ["b"])
      #expect(throws: StoreError.leaseNotFound(2)) { try store.revoke(2, m) }
    }
  }

  @Test("sessions have clocks of their own")
  func sessionsAreApart() throws {
    try withStore(Self.twoSessions) { store, m in
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      try store.grant(2, lifetime: 10, session: 1, now: 1_000, m)
      #expect(try store.expireOne(session: 1, now: 1_005, m) == nil)
      #expect(try store.expireOne(session: 0, now: 10, m) == 1)
    }
  }

  @Test("what is not allowed is refused by name")
  func refuses() throws {
    try withStore { store, m in
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      #expect(throws: StoreError.leaseExists(1)) { try store.grant(1, lifetime: 5, session: 0, now: 0, m) }
      #expect(throws: StoreError.noSuchSession(1, sessions: 1)) {
        try store.grant(2, lifetime: 5, session: 1, now: 0, m)
      }
      #expect(throws: StoreError.leaseNotFound(9)) { try store.renew(9, now: 0, m) }
    }
  }

  @Test(
    "leases end in the order of their expiry, whatever was granted, renewed and revoked", arguments: [UInt64(21), 22])
  func endsInOrder(seed: UInt64) throws {
    try withStore { store, m in
      var random = SplitMix64(seed: seed)
      var expiries: [Int: Int] = [:]
      for id in 1...300 {
        let lifetime = 1 + Int(random.next() % 1_000)
        try store.grant(id, lifetime: lifetime, session: 0, now: 0, m)
        expiries[id] = lifetime
        if id % 3 == 0, let other = expiries.keys.sorted().randomElement(using: &random) {
          try store.renew(other, now: 500, m)
          expiries[other] = 500 + (grantedLifetime(store, other, m) ?? 0)
        }
        if id % 7 == 0, let other = expiries.keys.sorted().randomElement(using: &random) {
          try store.revoke(other, m)
          expiries[other] = nil
        }
      }
      var last = 0
      while let ended = try store.expireOne(session: 0, now: 2_000, m) {
        let known = expiries.removeValue(forKey: ended)
        let expiry = try #require(known, "seed \(seed): lease \(ended) ended twice")
        #expect(expiry >= last, "seed \(seed)")
        last = expiry
      }
      #expect(expiries.isEmpty, "seed \(seed)")
    }
  }

  private func grantedLifetime(_ store: EtcdStore, _ id: Int, _ m: Mutator) -> Int? {
    store.state(m).leases.find(id)?.lifetime
  }
}
