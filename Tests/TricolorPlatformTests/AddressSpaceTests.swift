// Reserving, committing and releasing really move pages, and the resident set reader sees it.

import FixtureTrees
import Glibc
import Testing

@testable import TricolorPlatform

@Suite("Address space", .serialized)
struct AddressSpaceTests {
  private static let mib = 1 << 20

  private func residentPages(_ start: UnsafeMutableRawPointer, bytes: Int) -> Int {
    var states = [UInt8](repeating: 0, count: bytes / AddressSpace.pageSize)
    let result = mincore(start, bytes, &states)
    precondition(result == 0, "mincore failed: \(String(cString: strerror(errno)))")
    return states.count { $0 & 1 != 0 }
  }

  @Test("A reservation has the alignment asked for and no memory", arguments: [4096, 1 << 20, 64 << 20])
  func reserve(alignment: Int) throws {
    let bytes = 3 * Self.mib
    let start = try AddressSpace.reserve(bytes: bytes, alignment: alignment)
    defer { AddressSpace.unreserve(start, bytes: bytes) }
    #expect(UInt(bitPattern: start) % UInt(alignment) == 0)
    #expect(residentPages(start, bytes: bytes) == 0)
  }

  @Test("256 GiB can be reserved")
  func large() throws {
    let bytes = 256 << 30
    let start = try AddressSpace.reserve(bytes: bytes, alignment: 64 << 20)
    try AddressSpace.commit(start + bytes - Self.mib, bytes: Self.mib)
    (start + bytes - 1).storeBytes(of: 7, as: UInt8.self)
    AddressSpace.unreserve(start, bytes: bytes)
  }

  @Test("Wrong arguments and impossible sizes are refused in words")
  func refused() {
    for (bytes, alignment) in [(0, 4096), (-1, 4096), (4096, 0), (4096, 3)] {
      #expect(throws: PlatformError.self) { try AddressSpace.reserve(bytes: bytes, alignment: alignment) }
    }
    let error = #expect(throws: PlatformError.self) { try AddressSpace.reserve(bytes: 1 << 60, alignment: 4096) }
    #expect(error?.description == "mmap of 1048576 TiB failed: Cannot allocate memory")
    #expect(error?.code == ENOMEM)
  }

  @Test("Committed pages read zero, hold what is written, and read zero again once released")
  func commitAndRelease() throws {
    let bytes = 8 * Self.mib
    let start = try AddressSpace.reserve(bytes: bytes, alignment: Self.mib)
    defer { AddressSpace.unreserve(start, bytes: bytes) }
    AddressSpace.name(start, bytes: bytes, "tricolor test")
    try AddressSpace.commit(start, bytes: bytes)
    AddressSpace.adviseHugePages(start, bytes: bytes, wanted: false)
    #expect(residentPages(start, bytes: bytes) == 0)
    let words = start.bindMemory(to: UInt64.self, capacity: bytes / 8)
    #expect((0..<bytes / 8).allSatisfy { words[$0] == 0 })
    for index in 0..<bytes / 8 { words[index] = UInt64(index) | 1 }
    #expect(residentPages(start, bytes: bytes) == bytes / AddressSpace.pageSize)

    try AddressSpace.release(start, bytes: bytes / 2)
    #expect(residentPages(start, bytes: bytes) == bytes / 2 / AddressSpace.pageSize)
    #expect(words[0] == 0 && words[bytes / 16 - 1] == 0)
    #expect(words[bytes / 16] == UInt64(bytes / 16) | 1)
  }

  @Test("Releasing off a page boundary is an error, not a guess")
  func misaligned() throws {
    let start = try AddressSpace.reserve(bytes: 2 * AddressSpace.pageSize, alignment: AddressSpace.pageSize)
    defer { AddressSpace.unreserve(start, bytes: 2 * AddressSpace.pageSize) }
    let error = #expect(throws: PlatformError.self) {
      try AddressSpace.release(start + 1, bytes: AddressSpace.pageSize)
    }
    #expect(error?.code == EINVAL)
  }

  @Test("The resident set rises with pages touched and falls with pages released, and the peak stays")
  func residentSet() throws {
    let reader = try ResidentSetReader()
    let bytes = 256 * Self.mib
    let start = try AddressSpace.reserve(bytes: bytes, alignment: AddressSpace.pageSize)
    defer { AddressSpace.unreserve(start, bytes: bytes) }
    try AddressSpace.commit(start, bytes: bytes)
    let before = reader.residentBytes()
    for page in stride(from: 0, to: bytes, by: AddressSpace.pageSize) {
      (start + page).storeBytes(of: 1, as: UInt8.self)
    }
    // Other tests run meanwhile: half the amount is far beyond what they move.
    let full = reader.residentBytes()
    #expect(full > before + bytes / 2)
    #expect(CurrentProcess.peakResidentBytes() > before + bytes / 2)
    try AddressSpace.release(start, bytes: bytes)
    #expect(reader.residentBytes() < full - bytes / 2)
    #expect(CurrentProcess.peakResidentBytes() > before + bytes / 2)
    #expect(reader.failedReads == 0)
  }

  @Test("A resident set that can no longer be read keeps its last value and is counted")
  func unreadable() throws {
    let tree = FixtureTree(["proc/self/statm": "100 7 3 1 0 5 0\n"])
    let reader = try ResidentSetReader(procRoot: tree.procRoot, pageSize: 4096)
    #expect(reader.residentBytes() == 7 * 4096)
    tree.write("garbage\n", to: "proc/self/statm")
    #expect(reader.residentBytes() == 7 * 4096)
    #expect(reader.failedReads == 1)
  }

  @Test("A missing or broken statm is an error that names the file")
  func missing() {
    let tree = FixtureTree(["proc/self/statm": "none\n"])
    for root in [tree.procRoot, tree.root + "/nowhere"] {
      do {
        _ = try ResidentSetReader(procRoot: root)
        Issue.record("a reader on \(root) came to be")
      } catch {
        #expect(error.description.contains("\(root)/self/statm"))
      }
    }
  }

  @Test("The environment and the program's own path are told")
  func process() throws {
    setenv("TRICOLOR_PLATFORM_TEST", "a b", 1)
    #expect(CurrentProcess.environment("TRICOLOR_PLATFORM_TEST") == "a b")
    unsetenv("TRICOLOR_PLATFORM_TEST")
    #expect(CurrentProcess.environment("TRICOLOR_PLATFORM_TEST") == nil)
    #expect(access(try CurrentProcess.executablePath(), X_OK) == 0)
    #expect(CurrentProcess.affinityProcessorCount >= 1)
  }
}
