// A user of the registry: an immutable record with a name, tags and references to what users share. A change makes a new record in the
// old one's place, so a reader that has found one may use it without a lock for as long as it likes.
//
// Everything in a record follows from the user's id and version, and the record's word `check` from both: a reader that finds anything
// else has seen memory that was freed too early, or a record that was not whole yet.

import Harness
import Tricolor

struct Organisation: Managed {
  static let slot = TypeSlot()
  var number: Int
}

struct User: Managed {
  static let slot = TypeSlot()
  var id: Int
  var version: Int
  var check: UInt64
  var name: Reference<Bytes>?
  var tags: Reference<ReferenceArray<Bytes>>?
  var organisations: InlineArray<3, Reference<Organisation>?>
}

typealias Organisations = Reference<ReferenceArray<Organisation>>

extension User {
  static let organisations = 1000
  private static let nameBytes = 24

  static func check(id: Int, version: Int) -> UInt64 {
    Checksum.mix(UInt64(id) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(version) << 40)
  }

  static func makeOrganisations(_ mutator: Mutator) throws(OutOfMemory) -> Organisations {
    let all = try mutator.makeArray(of: Organisation.self, count: organisations)
    for number in 0..<organisations { all[number] = try mutator.make(Organisation(number: number)) }
    return all
  }

  static func make(
    id: Int, version: Int, _ all: Organisations, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<User> {
    let check = check(id: id, version: version)
    let name = try mutator.makeBytes(count: nameBytes) { bytes in
      for word in 0..<nameBytes / 8 {
        bytes.storeBytes(of: check &+ UInt64(word), toByteOffset: word * 8, as: UInt64.self)
      }
    }
    let tags = try mutator.makeArray(of: Bytes.self, count: Int(check & 3))
    for tag in 0..<tags.count { tags[tag] = name }
    return try mutator.make(
      User(
        id: id, version: version, check: check, name: name, tags: tags,
        organisations: [
          all[place(check)], all[place(check >> 16)], all[place(check >> 32)],
        ]))
  }

  private static func place(_ bits: UInt64) -> Int { (Int(bits & 0xFFFF) * organisations) >> 16 }

  /// Whether what a record refers to follows from `check`.
  static func isWhole(_ user: Reference<User>, check: UInt64) -> Bool {
    let name = user.name!
    let tags = user.tags!
    return name.count == nameBytes && name.bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self) == check &+ 2
      && tags.count == Int(check & 3) && (tags.count == 0 || tags[0] == name)
      && user.organisations[0]!.number == place(check) && user.organisations[2]!.number == place(check >> 32)
  }
}

extension Reference where Target == User {
  /// Whether the record is what its id and version say.
  func isWhole(id: Int) -> Bool {
    let check = User.check(id: id, version: self.version)
    return self.id == id && self.check == check && User.isWhole(self, check: check)
  }
}
