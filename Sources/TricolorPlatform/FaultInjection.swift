// Failures of system calls on demand: how tests find out that every refusal of the kernel has an answer.
//
// Each place that asks the kernel for something it may refuse asks `allows` first. Without a plan that is one relaxed load, beside a
// system call; with one, calls are counted and those that the plan names fail with its errno, without being made. One plan at a
// time, for the whole process: such tests run in processes of their own.

import Glibc
import Synchronization

/// A kind of system call that can be made to fail.
@_spi(Testing) public enum FaultSite: Int, CaseIterable, Sendable {
  /// mmap of an address range.
  case reserve
  /// munmap.
  case unreserve
  /// mprotect that makes reserved addresses usable.
  case commit
  /// madvise that returns pages.
  case release
  /// madvise for or against huge pages.
  case adviseHugePages
  /// prctl that names a mapping.
  case nameMapping
  /// mbind. Nothing in the heap binds memory yet.
  case bindMemory
  /// pthread_create.
  case startThread
  /// pthread_getattr_np, which finds a thread's stack and, for the first thread, reads /proc.
  case findStack
  /// pthread_key_create and pthread_setspecific, by which threads detach when they end.
  case threadExit
  /// open of a file of /proc, /sys or a control group.
  case openFile
  /// read of such a file.
  case readFile
}

/// The plan of failures in force. Safe from any thread.
@_spi(Testing) public enum FaultInjection {
  private struct Plan {
    var site: FaultSite?
    var calls = 0..<0
    var code: Int32 = 0
    var counts = [Int](repeating: 0, count: FaultSite.allCases.count)
  }

  private static let isPlanned = Atomic<Bool>(false)
  private static let plan = Mutex(Plan())

  /// From now on counts calls and lets those of `site` fail whose number since now, from 0, is in `calls`. A nil site only counts.
  public static func begin(_ site: FaultSite? = nil, calls: Range<Int> = 0..<0, code: Int32 = ENOMEM) {
    plan.withLock { $0 = Plan(site: site, calls: calls, code: code) }
    isPlanned.store(true, ordering: .relaxed)
  }

  /// Ends the plan; how often each site was called since it began.
  @discardableResult
  public static func end() -> [FaultSite: Int] {
    isPlanned.store(false, ordering: .relaxed)
    let counts = plan.withLock { $0.counts }
    return Dictionary(uniqueKeysWithValues: FaultSite.allCases.map { ($0, counts[$0.rawValue]) })
  }

  /// Whether the call may be made; if not, errno says why.
  @inline(__always) static func allows(_ site: FaultSite) -> Bool {
    isPlanned.load(ordering: .relaxed) ? decide(site) : true
  }

  @inline(never) private static func decide(_ site: FaultSite) -> Bool {
    let refusal: Int32? = plan.withLock { plan in
      let number = plan.counts[site.rawValue]
      plan.counts[site.rawValue] += 1
      return plan.site == site && plan.calls.contains(number) ? plan.code : nil
    }
    if let refusal { errno = refusal }
    return refusal == nil
  }
}
