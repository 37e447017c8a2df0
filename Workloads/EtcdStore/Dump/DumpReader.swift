// A dump of a real etcd, key by key: `etcdctl get "" --prefix -w json` prints one object with a header, the keys in
// byte order and their count; whatever is zero or empty is left out.
//
// A dump is read to its end or refused: a file that is cut off, out of order, or whose count does not fit, is an error
// and never a smaller store.

/// What a dump says of a key beside its bytes.
struct DumpRecord: Equatable {
  var created = 0
  var modified = 0
  var version = 0
  var lease = 0
}

/// Reads a dump as a stream.
struct DumpReader: ~Copyable {
  private var scanner: DumpScanner
  /// The store's revision when it was dumped.
  private(set) var revision = 0
  /// Keys read so far.
  private(set) var keyCount = 0
  /// The key read last. `key` and `value` stay as they are until the next call of `next`.
  private(set) var record = DumpRecord()
  private var current = GrowingBytes(capacity: 256)
  private var previous = GrowingBytes(capacity: 256)
  private var content = GrowingBytes(capacity: 16 << 10)
  private var isInsideKeys = false
  private var count: Int? = nil

  /// Opens a dump and reads up to its first key.
  static func open(path: String) throws(DumpError) -> DumpReader {
    var reader = DumpReader(scanner: try DumpScanner(path: path))
    try reader.readStart()
    return reader
  }

  private init(scanner: consuming DumpScanner) { self.scanner = scanner }

  var key: UnsafeRawBufferPointer { current.bytes }
  var value: UnsafeRawBufferPointer { content.bytes }

  /// Reads the next key; false when the dump has ended as it should.
  mutating func next() throws(DumpError) -> Bool {
    guard isInsideKeys else { return false }
    if keyCount > 0, try !scanner.take(UInt8(ascii: ",")) {
      try scanner.expect(UInt8(ascii: "]"), "a comma or the bracket that closes the keys")
      isInsideKeys = false
      try readMembers()
      return false
    }
    try readKey()
    keyCount += 1
    return true
  }

  // MARK: Parts

  private mutating func readStart() throws(DumpError) {
    try scanner.expect(UInt8(ascii: "{"), "the brace that opens the dump")
    let start = scanner.offset
    let first = try scanner.name("\"header\"")
    guard first == "header" else { throw unknown(first, at: start, "header") }
    try readHeader()
    try readMembers()
  }

  private mutating func readHeader() throws(DumpError) {
    try scanner.expect(UInt8(ascii: "{"), "the brace that opens the header")
    if try scanner.take(UInt8(ascii: "}")) { return }
    repeat {
      let start = scanner.offset
      switch try scanner.name("a name in the header") {
      case "cluster_id", "member_id", "raft_term": _ = try scanner.unsigned("an unsigned integer")
      case "revision": revision = try scanner.signed("the store's revision")
      case let other: throw unknown(other, at: start, "cluster_id, member_id, revision or raft_term")
      }
    } while try scanner.take(UInt8(ascii: ","))
    try scanner.expect(UInt8(ascii: "}"), "a comma or the brace that closes the header")
  }

  /// The members of the dump behind the header, up to the first key or the end.
  private mutating func readMembers() throws(DumpError) {
    while try scanner.take(UInt8(ascii: ",")) {
      let start = scanner.offset
      switch try scanner.name("\"kvs\", \"more\" or \"count\"") {
      case "kvs" where keyCount == 0 && count == nil:
        try scanner.expect(UInt8(ascii: "["), "the bracket that opens the keys")
        if try scanner.take(UInt8(ascii: "]")) { continue }
        isInsideKeys = true
        return
      case "more":
        if try scanner.boolean() {
          throw scanner.refusal(at: start, found: "\"more\":true", expected: "a dump of all keys, without a limit")
        }
      case "count" where count == nil: count = try scanner.signed("the number of keys")
      case let other: throw unknown(other, at: start, "kvs, more and count, each once")
      }
    }
    try scanner.expect(UInt8(ascii: "}"), "a comma or the brace that closes the dump")
    try finish()
  }

  private mutating func finish() throws(DumpError) {
    try scanner.skipSpace()
    guard try scanner.peek() == nil else { throw try scanner.mismatch("the end of the file") }
    guard count ?? 0 == keyCount else {
      throw scanner.refusal(
        at: scanner.offset, found: "a count of \(count ?? 0) with \(keyCount) keys",
        expected: "a count of as many keys as there are")
    }
  }

  private mutating func readKey() throws(DumpError) {
    try scanner.expect(UInt8(ascii: "{"), "the brace that opens a key")
    let start = scanner.offset
    swap(&current, &previous)
    current.removeAll()
    content.removeAll()
    record = DumpRecord()
    var seen: Set<String> = []
    repeat {
      let place = scanner.offset
      let name = try scanner.name("a name in a key")
      guard seen.insert(name).inserted else { throw unknown(name, at: place, "each name once") }
      switch name {
      case "key": try scanner.base64(into: &current, "a key in base64")
      case "value": try scanner.base64(into: &content, "a value in base64")
      case "create_revision": record.created = try scanner.signed("a revision")
      case "mod_revision": record.modified = try scanner.signed("a revision")
      case "version": record.version = try scanner.signed("a version")
      case "lease": record.lease = try scanner.signed("a lease")
      default: throw unknown(name, at: place, "key, create_revision, mod_revision, version, value or lease")
      }
    } while try scanner.take(UInt8(ascii: ","))
    try scanner.expect(UInt8(ascii: "}"), "a comma or the brace that closes a key")
    try check(from: start)
  }

  /// A key must come after the one before it, and its numbers must be possible.
  private func check(from start: Int) throws(DumpError) {
    func refuse(_ found: String, _ expected: String) -> DumpError {
      scanner.refusal(at: start, found: found, expected: expected)
    }
    if current.count == 0 { throw refuse("a key without bytes", "one byte at least") }
    if keyCount > 0 && ByteOrder.compare(previous.bytes, current.bytes) >= 0 {
      throw refuse("a key that is not after the one before it", "keys in rising byte order")
    }
    if record.created < 1 || record.created > record.modified {
      throw refuse("create_revision \(record.created)", "1 to mod_revision, which is \(record.modified)")
    }
    if record.modified > revision {
      throw refuse("mod_revision \(record.modified)", "at most the header's revision, \(revision)")
    }
    if record.version < 1 { throw refuse("version \(record.version)", "1 or more") }
  }

  private func unknown(_ name: String, at offset: Int, _ expected: String) -> DumpError {
    scanner.refusal(at: offset, found: "the name \"\(name)\"", expected: expected)
  }
}
