// Address space and pages: reserve, commit, release, name.
//
// Reserving is PROT_NONE and MAP_NORESERVE, so that it costs neither memory nor commit charge; committing is a change of
// protection. Memory goes back with MADV_DONTNEED and never with MADV_FREE: freed-lazily pages stay in the resident set until the
// kernel is short, and a pacer that steers by the resident set would chase a number that does not move.
//
// Invariant: every start and length given to the kernel is a multiple of the page size; the callers cut on larger units.

import CTricolorShims
import Glibc
import Synchronization

/// Page-granular operations on the process's address space. Safe from any thread; callers see to it that ranges do not overlap.
public enum AddressSpace {
  /// Bytes in a page of memory.
  public static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// Reserves addresses without memory behind them; touching them faults until `commit`.
  ///
  /// - Parameters:
  ///   - bytes: the length, rounded up to whole pages; above zero.
  ///   - alignment: a power of two; the start is a multiple of it.
  /// - Throws: when the arguments are wrong or the kernel has no such range (RLIMIT_AS, too many mappings).
  public static func reserve(bytes: Int, alignment: Int) throws(PlatformError) -> UnsafeMutableRawPointer {
    guard bytes > 0 else {
      throw PlatformError(call: "reserve of \(bytes) bytes", code: EINVAL, detail: "the size must be above zero")
    }
    guard alignment > 0, alignment & (alignment - 1) == 0 else {
      throw PlatformError(
        call: "reserve with alignment \(alignment)", code: EINVAL, detail: "the alignment must be a power of two")
    }
    let wanted = roundedUpToPages(bytes)
    let spare = alignment > pageSize ? alignment : 0
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard FaultInjection.allows(.reserve),
      let mapped = mmap(nil, wanted + spare, PROT_NONE, flags, -1, 0), mapped != MAP_FAILED
    else {
      throw PlatformError(call: "mmap of \(describe(bytes: wanted + spare))", code: errno)
    }
    return trimmed(mapped, mappedBytes: wanted + spare, bytes: wanted, alignment: max(alignment, pageSize))
  }

  /// Gives addresses and any memory behind them back. The range must come from `reserve`.
  ///
  /// Never fails: a kernel that has no room to split a mapping (ENOMEM) keeps the addresses, without memory behind them as far as
  /// it takes that back, and `abandonedBytes` rises.
  public static func unreserve(_ start: UnsafeMutableRawPointer, bytes: Int) {
    let length = roundedUpToPages(bytes)
    if FaultInjection.allows(.unreserve), munmap(start, length) == 0 { return }
    precondition(errno != EINVAL, "munmap of \(bytes) bytes at \(start): no such range")
    madvise(start, length, MADV_DONTNEED)
    abandoned.wrappingAdd(length, ordering: .relaxed)
  }

  /// Bytes of address space that the kernel did not take back since the process began.
  public static var abandonedBytes: Int { abandoned.load(ordering: .relaxed) }

  private static let abandoned = Atomic<Int>(0)

  /// Makes reserved addresses readable and writable. Pages appear, zeroed, when first touched.
  ///
  /// - Throws: `ENOMEM` when the kernel refuses the commit charge or has too many mappings.
  public static func commit(_ start: UnsafeMutableRawPointer, bytes: Int) throws(PlatformError) {
    guard FaultInjection.allows(.commit), mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0 else {
      throw PlatformError(call: "mprotect of \(describe(bytes: bytes))", code: errno)
    }
  }

  /// New addresses, readable and writable.
  ///
  /// - Throws: as `reserve` and `commit` do; nothing is kept then.
  public static func map(bytes: Int) throws(PlatformError) -> UnsafeMutableRawPointer {
    let start = try reserve(bytes: bytes, alignment: pageSize)
    do throws(PlatformError) {
      try commit(start, bytes: roundedUpToPages(bytes))
      return start
    } catch {
      unreserve(start, bytes: bytes)
      throw error
    }
  }

  /// Gives the memory behind committed addresses back at once. The addresses stay usable and read zero afterwards.
  ///
  /// - Throws: `EINVAL` for a start off a page boundary, or for pages locked in memory.
  public static func release(_ start: UnsafeMutableRawPointer, bytes: Int) throws(PlatformError) {
    guard FaultInjection.allows(.release), madvise(start, bytes, MADV_DONTNEED) == 0 else {
      throw PlatformError(call: "madvise(DONTNEED) of \(describe(bytes: bytes))", code: errno)
    }
  }

  /// Whether the kernel may, or must not, put huge pages into the range. Advice: a kernel without them changes nothing.
  public static func adviseHugePages(_ start: UnsafeMutableRawPointer, bytes: Int, wanted: Bool) {
    guard FaultInjection.allows(.adviseHugePages) else { return }
    _ = madvise(start, bytes, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
  }

  /// Shows the range as `[anon:NAME]` in /proc/self/maps. Kernels before 5.17 lack names, and nothing depends on one.
  public static func name(_ start: UnsafeMutableRawPointer, bytes: Int, _ name: StaticString) {
    guard FaultInjection.allows(.nameMapping) else { return }
    name.withUTF8Buffer { text in
      _ = text.withMemoryRebound(to: CChar.self) { tricolor_name_mapping(start, bytes, $0.baseAddress!) }
    }
  }

  static func roundedUpToPages(_ bytes: Int) -> Int { (bytes + pageSize - 1) & ~(pageSize - 1) }

  /// Unmaps what lies before the first aligned address and after the wanted length.
  private static func trimmed(
    _ mapped: UnsafeMutableRawPointer, mappedBytes: Int, bytes: Int, alignment: Int
  ) -> UnsafeMutableRawPointer {
    let start = mapped.alignedUp(toMultipleOf: alignment)
    let before = start - mapped
    let after = mappedBytes - before - bytes
    if before > 0 { unreserve(mapped, bytes: before) }
    if after > 0 { unreserve(start + bytes, bytes: after) }
    return start
  }
}
