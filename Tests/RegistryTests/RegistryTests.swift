// The registry: every way of sharing holds what was put, records show damage, snapshots never change, runs are right.

import Harness
import Testing
import Tricolor

@testable import Registry

/// A heap that collects often and overwrites what it frees.
private func testHeap() throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration)
}

@Suite("Registry", .serialized)
struct RegistryTests {
  @Test("every way of sharing holds exactly what was put last", arguments: Sharing.allCases)
  func holdsWhatWasPut(_ sharing: Sharing) throws {
    try testHeap().withMutator { mutator in
      let organisations = try User.makeOrganisations(mutator)
      let registry = try sharing.makeRegistry(users: 500, mutator)
      var expected: [Int: Int] = [:]
      var random = SplitMix64(seed: 2)
      for version in 1...4000 {
        let id = random.below(500)
        if random.below(4) == 0 {
          try registry.remove(id, mutator)
          expected[id] = nil
        } else {
          try registry.put(try User.make(id: id, version: version, organisations, mutator), mutator)
          expected[id] = version
        }
      }
      for id in 0..<500 {
        let found = registry.read(id, mutator) { $0.map { ($0.version, $0.isWhole(id: id)) } }
        #expect(found?.0 == expected[id], "\(id)")
        #expect(found?.1 != false, "\(id)")
      }
    }
  }

  @Test("a record shows that its word, its name, its tags or its organisations are not its own")
  func recordsShowDamage() throws {
    try testHeap().withMutator { mutator in
      let organisations = try User.makeOrganisations(mutator)
      func damaged(_ damage: (Reference<User>) -> Void) throws -> Bool {
        let user = try User.make(id: 5, version: 3, organisations, mutator)
        let wasWhole = user.isWhole(id: 5)
        damage(user)
        return wasWhole && !user.isWhole(id: 5)
      }
      #expect(try damaged { $0.check ^= 1 })
      #expect(try damaged { $0.version += 1 })
      #expect(try damaged { $0.id = 6 })
      #expect(try damaged { $0.name![16] ^= 1 })
      #expect(try damaged { $0.organisations[0]!.number += 1 })
    }
  }

  @Test("a snapshot stays as it was, whatever is changed later", arguments: [16, 257, 5000])
  func snapshotsNeverChange(_ users: Int) throws {
    try testHeap().withMutator { mutator in
      let organisations = try User.makeOrganisations(mutator)
      let shape = TrieShape(users: users)
      var newest = try mutator.make(Snapshot(number: 0, count: 0, root: nil))
      for id in stride(from: 0, to: users, by: 3) {
        newest = try shape.setting(id, try User.make(id: id, version: 1, organisations, mutator), in: newest, mutator)
      }
      let old = newest
      for id in 0..<users {
        let user = id % 2 == 0 ? try User.make(id: id, version: 2, organisations, mutator) : nil
        newest = try shape.setting(id, user, in: newest, mutator)
      }
      for id in 0..<users {
        mutator.poll()
        #expect(shape.find(id, in: old)?.version == (id % 3 == 0 ? 1 : nil), "\(id)")
        #expect(shape.find(id, in: newest)?.version == (id % 2 == 0 ? 2 : nil), "\(id)")
      }
      #expect(old.count == (users + 2) / 3 && newest.count == (users + 1) / 2)
    }
  }

  private func run(
    threads: Int, seed: UInt64 = 7, _ arguments: [String] = [], extent: Extent = .natural
  ) throws -> WorkloadResult {
    let options = try OptionValues(
      ["--users=600", "--cell-operations=1500", "--barrier-operations=3000"] + arguments, of: "registry",
      table: RegistryWorkload.options)
    let context = RunContext(
      heap: try testHeap(), threads: threads, seed: seed, extent: extent, kinds: RegistryWorkload.kinds)
    return try RegistryWorkload(options: options).run(context)
  }

  @Test("a run is verified and the same for a seed and a number of threads, under all ways and shares")
  func isDeterministic() throws {
    let one = try run(threads: 3)
    let again = try run(threads: 3)
    let other = try run(threads: 3, seed: 8)
    #expect(one.verified && again.verified && other.verified, "\(one.figures.text())")
    #expect(one.figures["checksum"] != nil && one.figures["checksum"] == again.figures["checksum"])
    #expect(one.figures["checksum"] != other.figures["checksum"])
    for sharing in Sharing.allCases {
      for share in ["50", "90", "95", "99", "99.9"] {
        #expect(one.figures["sharing"]?[sharing.rawValue]?[share]?["operations"] == .integer(1500))
      }
    }
  }

  @Test("the barrier is measured with and without cycles")
  func barrierMeetsCycles() throws {
    let figures = try run(threads: 1).figures
    #expect(figures["barrier"]?["idle"]?["operations"] == .integer(3000))
    guard case .integer(let cycles)? = figures["barrier"]?["collecting"]?["cycles"] else {
      Issue.record("no cycles in \(figures.text())")
      return
    }
    #expect(cycles > 0)
  }

  @Test("a client that finds another version of its own user counts it as wrong")
  func wrongVersionIsFound() throws {
    let heap = try testHeap()
    let context = RunContext(
      heap: heap, threads: 1, seed: 1, extent: .operations(200), kinds: RegistryWorkload.kinds)
    let wrong = try context.runClients { client, mutator in
      let organisations = try User.makeOrganisations(mutator)
      let registry = try Sharing.mutex.makeRegistry(users: 64, mutator)
      for id in 0..<64 { try registry.put(try User.make(id: id, version: 9, organisations, mutator), mutator) }
      var plain = PlainUsers(users: 64, client: 0, clients: 1)
      let cell = CellClient(
        registry: registry, sharing: .mutex, readsPerMille: 1000, users: 64, organisations: organisations)
      return try cell.run(200, &plain, client, mutator).wrong
    }
    #expect(wrong == [200])
  }

  @Test("clients divide users and agree on whose each is", arguments: [1, 2, 3, 7])
  func usersAreDivided(_ clients: Int) {
    var seen = Set<Int>()
    for client in 0..<clients {
      let plain = PlainUsers(users: 100, client: client, clients: clients)
      for place in plain.versions.indices {
        let id = plain.id(place)
        #expect(plain.isOwn(id) && plain.version(id) == 1 && seen.insert(id).inserted)
      }
    }
    #expect(seen == Set(0..<100))
  }

  @Test(
    "values out of bounds are refused with the option's name",
    arguments: [("users", "63"), ("cell-operations", "0"), ("barrier-operations", "x"), ("rounds", "0")])
  func refuses(name: String, value: String) {
    let error = #expect(throws: UsageError.self) {
      try RegistryWorkload(
        options: OptionValues(["--\(name)=\(value)"], of: "registry", table: RegistryWorkload.options))
    }
    #expect(error?.description.hasPrefix("--\(name): ") == true)
  }
}
