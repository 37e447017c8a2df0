// The heap profile as a program sees it: sampled allocation sites, and what they stand for.

import Glibc
import Synchronization

/// Where objects are allocated, and how much of it is alive, by samples.
public struct AllocationProfile: Sendable {
  /// All sampled allocations of objects of one size with one stack.
  public struct Sample: Sendable {
    /// Return addresses, the innermost first.
    public let stack: [UInt]
    /// The bytes of the object's cell.
    public let bytes: Int
    /// Of how many bytes one was hit, on average.
    public let rate: Int
    /// How many were sampled.
    public let allocated: Int
    /// How many of these the last cycle found alive, or have been made since.
    public let alive: Int

    /// How many allocations one sample stands for.
    public var weight: Double { 1 / -expm1(-Double(bytes) / Double(rate)) }
  }

  /// In no order.
  public let samples: [Sample]
}

extension Heap {
  /// Of how many allocated bytes one is hit, on average, whose object is sampled with the stack of its allocation; 0, the default, for none. 512 KiB is Go's
  /// default. Any thread; takes effect with each run of cells, some KiB, that a thread takes.
  ///
  /// Cost: none in the fast path; a sample costs some microseconds. A negative value ends the program.
  public var profileRate: Int {
    get { core.state.pointee.profile.rate.load(ordering: .relaxed) }
    set {
      precondition(newValue >= 0, "a profile rate of \(newValue) bytes; 0 or more is allowed")
      core.state.pointee.profile.rate.store(newValue, ordering: .relaxed)
    }
  }

  /// The samples so far. Any thread. Cost: linear in the number of different stacks.
  public var allocationProfile: AllocationProfile {
    ForkedChild.refuse()
    return AllocationProfile(samples: core.state.pointee.profile.read())
  }
}
