// The store's records in a mapped file, as etcd keeps them: memory of the process that is not the heap's, that the kernel writes back and takes
// away as it likes, and that a limit on resident memory has to count.
//
// Pages of 4 KiB hold records one behind the other; a record that is larger has pages of its own in a row. A page whose records are all
// forgotten is used again, so the file grows with what is kept and not with what was ever written; it never shrinks, like etcd's. What is where
// is known by two tables in plain memory, which `recover` makes anew from the file's bytes alone. (bbolt keeps a tree of such pages; what is left
// out is the tree, since nothing is looked up in the file but everything at once.) Nothing waits for the disk.
//
// Growing may fail, so whoever will write reserves first, while it can still give up. Guarded by the store's writer lock.
//
// Invariants: a page's first header is zero unless a record begins there; behind the last record of a page is a zero header or less room than one
// takes; `promised` pages are there behind the last page in use.

import Glibc
import Harness
import TricolorPlatform

/// A record of a revision and where it is.
struct RecordPlace: Sendable {
  let main: Int
  let sub: Int
  fileprivate let offset: Int
}

/// A lease as the file has it.
struct StoredLease: BitwiseCopyable {
  var lifetime: Int
  var session: Int
  var expiry: Int
}

/// The file. Its methods are called with the store's writer lock held.
final class BackingFile: Sendable {
  static let pageBytes = 4_096
  /// etcd's database grows by as much.
  private static let growthBytes = 16 << 20
  private static let mostBytes = 1 << 40

  private enum Kind {
    static let forgotten: UInt32 = 0
    static let pair: UInt32 = 1
    static let lease: UInt32 = 2
  }

  /// What stands before a record's bytes.
  private struct Header: BitwiseCopyable {
    var length: UInt32
    var kind: UInt32
    /// Revision and place in it, or a lease's number.
    var main: Int
    var sub: Int

    var recordBytes: Int { Header.recordBytes(Int(length)) }
    static func recordBytes(_ length: Int) -> Int { (MemoryLayout<Header>.size + length + 7) & ~7 }
    static func pages(_ length: Int) -> Int { (recordBytes(length) + pageBytes - 1) / pageBytes }
  }

  /// What the file knows of the store beside its records.
  private struct Meta: BitwiseCopyable {
    var revision = 0
    var compacted = 0
  }

  /// What a page is.
  private enum PageUse {
    static let free: UInt32 = 0
    /// Not the first of its record's.
    static let rest = UInt32.max
  }

  private let descriptor: Int32
  nonisolated(unsafe) private let base: UnsafeMutableRawPointer
  /// By page: free, the rest of a record, or how many pages a record has that begins there.
  nonisolated(unsafe) private var uses: [UInt32] = [1]
  /// By page: records that begin there and are not forgotten.
  nonisolated(unsafe) private var counts: [UInt16] = [1]
  nonisolated(unsafe) private var freePages = 0
  nonisolated(unsafe) private var filePages = 0
  nonisolated(unsafe) private var promised = 0
  nonisolated(unsafe) private var searchFrom = 1
  /// The page that small records are added to, 0 for none, and how full it is.
  nonisolated(unsafe) private var openPage = 0
  nonisolated(unsafe) private var openFilled = 0
  nonisolated(unsafe) private var pairs: [Int: Int] = [:]
  nonisolated(unsafe) private var leases: [Int: Int] = [:]

  /// A new file without a name in `folder`.
  ///
  /// - Throws: where none can be made, and where the folder is in memory: such a file could not be written back.
  init(folder: String) throws {
    var path = Array((folder + "/tricolor-store-XXXXXX").utf8CString)
    descriptor = path.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
    guard descriptor >= 0 else { throw PlatformError(call: "making a file in \(folder)", code: errno) }
    path.withUnsafeBufferPointer { _ = unlink($0.baseAddress!) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    guard try !BackingFile.isInMemory(descriptor) else {
      close(descriptor)
      throw PlatformError(
        call: "making a file in \(folder)", code: 0,
        detail: "the folder is in memory (tmpfs), from where nothing is written back; use one on a disk")
    }
    let mapped = mmap(nil, BackingFile.mostBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0)
    guard let mapped, mapped != MAP_FAILED else {
      let code = errno
      close(descriptor)
      throw PlatformError(call: "mapping \(BackingFile.mostBytes) bytes of a file", code: code)
    }
    base = mapped
    try grow(toPages: 1)
  }

  deinit {
    munmap(base, BackingFile.mostBytes)
    close(descriptor)
  }

  /// Whether the file's file system is tmpfs, by the table of mounts.
  private static func isInMemory(_ descriptor: Int32) throws -> Bool {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw PlatformError(call: "fstat of the store's file", code: errno) }
    // glibc keeps the low 12 bits of the major number and the low 8 of the minor one in 20 bits, the rest of both above.
    let number = UInt64(status.st_dev)
    let major = number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000
    let minor = number & 0xFF | number >> 12 & 0xFFFF_FF00
    let device = "\(major):\(minor)"
    let mounts = String(decoding: try InputFile.bytes("/proc/self/mountinfo"), as: UTF8.self)
    return mounts.split(separator: "\n").contains { line in
      let fields = line.split(separator: " ")
      guard fields.count > 2, fields[2] == device, let dash = fields.firstIndex(of: "-") else { return false }
      return fields.count > dash + 1 && fields[dash + 1] == "tmpfs"
    }
  }

  /// Bytes of the file.
  var fileBytes: Int { filePages * BackingFile.pageBytes }
  /// Bytes of its pages that hold something.
  var usedBytes: Int { (uses.count - freePages) * BackingFile.pageBytes }

  // MARK: Writing

  /// Makes sure that a record of `length` bytes can be written.
  func reserve(_ length: Int) throws(PlatformError) {
    let pages = Header.pages(length)
    try grow(toPages: uses.count + promised + pages)
    promised += pages
  }

  /// Adds the record of a revision; `reserve` has made room.
  func write(main: Int, sub: Int, _ content: UnsafeRawBufferPointer) {
    pairs[BackingFile.key(main, sub)] = append(
      Header(length: UInt32(content.count), kind: Kind.pair, main: main, sub: sub), content)
  }

  /// A place in revision `main` that no record has.
  func unusedSub(of main: Int) -> Int {
    var sub = 0
    while pairs[BackingFile.key(main, sub)] != nil { sub += 1 }
    return sub
  }

  /// Forgets the record of a revision.
  func forget(main: Int, sub: Int) {
    guard let offset = pairs.removeValue(forKey: BackingFile.key(main, sub)) else {
      preconditionFailure("the file has no record of revision \(main), \(sub)")
    }
    forget(at: offset)
  }

  /// Adds a lease; `reserve` has made room for one.
  func write(lease id: Int, _ lease: StoredLease) {
    withUnsafeBytes(of: lease) { content in
      leases[id] = append(Header(length: UInt32(content.count), kind: Kind.lease, main: id, sub: 0), content)
    }
  }

  /// Changes when a lease ends.
  func renew(lease id: Int, expiry: Int) {
    guard let offset = leases[id] else { return }
    var lease = base.load(fromByteOffset: offset + MemoryLayout<Header>.size, as: StoredLease.self)
    lease.expiry = expiry
    base.storeBytes(of: lease, toByteOffset: offset + MemoryLayout<Header>.size, as: StoredLease.self)
  }

  func forget(lease id: Int) {
    if let offset = leases.removeValue(forKey: id) { forget(at: offset) }
  }

  /// Notes where the store stands.
  func note(revision: Int, compacted: Int) {
    base.storeBytes(of: Meta(revision: revision, compacted: compacted), as: Meta.self)
  }

  // MARK: Reading again

  /// Forgets all that is not in the file and reads what is.
  ///
  /// - Returns: where the store stood, its records in the order of their revisions, and its leases by number.
  func recover() -> (
    revision: Int, compacted: Int, records: [RecordPlace], leases: [(id: Int, lease: StoredLease)]
  ) {
    let meta = base.load(as: Meta.self)
    forgetTables()
    var records: [RecordPlace] = []
    var found: [(id: Int, lease: StoredLease)] = []
    while uses.count < filePages {
      let page = uses.count
      let first = header(at: page * BackingFile.pageBytes)
      if first.length == 0 {
        uses.append(PageUse.free)
        counts.append(0)
        freePages += 1
        continue
      }
      takePages(Header.pages(Int(first.length)))
      readPage(page, &records, &found)
      if counts[page] == 0 { release(page) }
    }
    records.sort { ($0.main, $0.sub) < ($1.main, $1.sub) }
    found.sort { $0.id < $1.id }
    return (meta.revision, meta.compacted, records, found)
  }

  /// The bytes of a record, valid until it is forgotten.
  func content(of record: RecordPlace) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: base + record.offset + MemoryLayout<Header>.size, count: Int(header(at: record.offset).length))
  }

  private func forgetTables() {
    uses = [1]
    counts = [1]
    freePages = 0
    promised = 0
    searchFrom = 1
    openPage = 0
    pairs = [:]
    leases = [:]
  }

  private func readPage(
    _ page: Int, _ records: inout [RecordPlace], _ found: inout [(id: Int, lease: StoredLease)]
  ) {
    var offset = page * BackingFile.pageBytes
    let end = offset + BackingFile.pageBytes
    while offset + MemoryLayout<Header>.size <= end {
      let header = header(at: offset)
      if header.length == 0 { return }
      switch header.kind {
      case Kind.pair:
        records.append(RecordPlace(main: header.main, sub: header.sub, offset: offset))
        pairs[BackingFile.key(header.main, header.sub)] = offset
        counts[page] += 1
      case Kind.lease:
        let lease = base.load(fromByteOffset: offset + MemoryLayout<Header>.size, as: StoredLease.self)
        found.append((header.main, lease))
        leases[header.main] = offset
        counts[page] += 1
      default: break
      }
      offset += header.recordBytes
    }
  }

  // MARK: Pages

  private static func key(_ main: Int, _ sub: Int) -> Int { main << 20 | sub }

  private func header(at offset: Int) -> Header { base.load(fromByteOffset: offset, as: Header.self) }

  /// Writes a record and answers where.
  private func append(_ header: Header, _ content: UnsafeRawBufferPointer) -> Int {
    let pages = Header.pages(content.count)
    promised -= pages
    let offset = place(for: header.recordBytes, pages: pages)
    base.storeBytes(of: header, toByteOffset: offset, as: Header.self)
    (base + offset + MemoryLayout<Header>.size).copyMemory(from: content.baseAddress!, byteCount: content.count)
    counts[offset / BackingFile.pageBytes] += 1
    return offset
  }

  private func place(for bytes: Int, pages: Int) -> Int {
    if pages > 1 { return allocate(pages) * BackingFile.pageBytes }
    if openPage == 0 || openFilled + bytes > BackingFile.pageBytes {
      let full = openPage
      openPage = allocate(1)
      openFilled = 0
      memset(base + openPage * BackingFile.pageBytes, 0, BackingFile.pageBytes)
      if full != 0 && counts[full] == 0 { release(full) }
    }
    defer { openFilled += bytes }
    return openPage * BackingFile.pageBytes + openFilled
  }

  private func forget(at offset: Int) {
    var header = header(at: offset)
    header.kind = Kind.forgotten
    base.storeBytes(of: header, toByteOffset: offset, as: Header.self)
    let page = offset / BackingFile.pageBytes
    counts[page] -= 1
    if counts[page] == 0 && page != openPage { release(page) }
  }

  /// Pages in a row: free ones where there are any, else behind the last in use.
  private func allocate(_ wanted: Int) -> Int {
    if let page = freeRun(of: wanted, from: searchFrom) ?? freeRun(of: wanted, from: 1) {
      mark(page, wanted)
      freePages -= wanted
      searchFrom = page + wanted
      return page
    }
    defer { takePages(wanted) }
    return uses.count
  }

  private func freeRun(of wanted: Int, from start: Int) -> Int? {
    guard freePages >= wanted else { return nil }
    var page = start
    var run = 0
    while page < uses.count {
      if uses[page] == PageUse.free {
        run += 1
        page += 1
        if run == wanted { return page - wanted }
      } else {
        run = 0
        page += Int(uses[page])
      }
    }
    return nil
  }

  private func takePages(_ count: Int) {
    uses.append(contentsOf: repeatElement(PageUse.rest, count: count))
    counts.append(contentsOf: repeatElement(0, count: count))
    uses[uses.count - count] = UInt32(count)
  }

  private func mark(_ page: Int, _ count: Int) {
    for rest in page..<page + count { uses[rest] = PageUse.rest }
    uses[page] = UInt32(count)
  }

  private func release(_ page: Int) {
    let count = Int(uses[page])
    for freed in page..<page + count {
      uses[freed] = PageUse.free
      base.storeBytes(of: 0, toByteOffset: freed * BackingFile.pageBytes, as: UInt32.self)
    }
    freePages += count
  }

  private func grow(toPages wanted: Int) throws(PlatformError) {
    if wanted <= filePages { return }
    let bytes =
      (wanted * BackingFile.pageBytes + BackingFile.growthBytes - 1) / BackingFile.growthBytes
      * BackingFile.growthBytes
    guard bytes <= BackingFile.mostBytes else {
      throw PlatformError(
        call: "growing the store's file to \(bytes) bytes", code: EFBIG,
        detail: "the most is \(BackingFile.mostBytes)")
    }
    let code = posix_fallocate(descriptor, off_t(fileBytes), off_t(bytes - fileBytes))
    guard code == 0 else { throw PlatformError(call: "growing the store's file to \(bytes) bytes", code: code) }
    filePages = bytes / BackingFile.pageBytes
  }
}
