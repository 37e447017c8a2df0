// The clocks the collector accounts with, in nanoseconds: wall time that never goes back, and processor time of a thread and of
// the process. The first is answered without entering the kernel; the other two cost a system call (some 200 ns).

import Glibc

/// Nanosecond clocks. Safe from any thread.
public enum Clock {
  /// Time since an arbitrary start; it never goes back and does not count suspension of the machine.
  public static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }

  /// Processor time of the calling thread, user and kernel.
  public static func threadCPU() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

  /// Processor time of all threads of the process, ended ones included.
  public static func processCPU() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
