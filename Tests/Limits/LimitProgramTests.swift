// What happens at the limit when the memory is not the heap's, when it cannot be met, and when it changes: in control groups that kill.

import Foundation
import Testing
import TricolorPlatform

private let mebibyte = 1 << 20

extension LimitsTests {
  @Suite("a program") struct ProgramTests {
    @Test(
      "makes room when it takes 200 MiB by malloc, also if it does not allocate on the heap meanwhile",
      arguments: ["foreign", "foreignAlone"])
    func foreignMemory(_ scenario: String) throws {
      let outcome = try LimitPrograms.run(
        scenario, mebibytes: 400, environment: ["GOMEMLIMIT": "auto", "GOGC": "400"])
      #expect(outcome.child.exitCode == 0, "\(outcome.errors)")
      #expect(!outcome.child.oomKilled)
      #expect(try outcome["limit"] == 360 * mebibyte)
      #expect(try outcome["residentBefore"] > 280 * mebibyte, "the heap had taken what there was")
      #expect(try outcome["foreign"] > 195 * mebibyte)
      #expect(try outcome["goalAfter"] < 170 * mebibyte)
      #expect(try outcome["residentAfter"] <= 364 * mebibyte)
      #expect(try outcome["right"] == outcome["live"])
    }

    @Test("lives while its rate of allocation swings and malloc takes a quarter of the limit again and again")
    func swings() throws {
      let outcome = try LimitPrograms.run("swings", mebibytes: 300, environment: ["GOMEMLIMIT": "auto"])
      #expect(outcome.child.exitCode == 0, "\(outcome.errors)")
      #expect(!outcome.child.oomKilled)
      #expect(try outcome["cycles"] > 0)
      #expect(try outcome["wrong"] == 0)
    }

    @Test("is killed when it does so without a limit")
    func foreignMemoryUnlimited() throws {
      let outcome = try LimitPrograms.run(
        "foreign", mebibytes: 400, environment: ["GOMEMLIMIT": "off", "GOGC": "400"])
      #expect(outcome.child.oomKilled)
    }

    @Test("gives memory back when most of what lives has died: its heap is within a tenth of its goal")
    func shrinks() throws {
      let outcome = try LimitPrograms.run("shrink", mebibytes: 600)
      #expect(outcome.child.exitCode == 0, "\(outcome.errors)")
      #expect(try outcome["residentLarge"] > 300 * mebibyte)
      #expect(try outcome["residentSmall"] - outcome["foreign"] <= outcome["goal"] / 10 * 11)
    }

    @Test("whose live memory grows past its limit is ended by its policy, with the reason, before the kernel does it")
    func failFast() throws {
      let outcome = try LimitPrograms.run(
        "grow", mebibytes: 256, environment: ["GOMEMLIMIT": "50%", "TRICOLOR_LIMIT_POLICY": "failfast:300ms"])
      #expect(!outcome.child.oomKilled)
      #expect(outcome.child.exitCode == 75)
      let lines = outcome.errors.split(separator: "\n")
      #expect(lines.count == 2, "\(outcome.errors)")
      #expect(lines.first?.contains("the memory limit of 128 MiB cannot be met") ?? false, "\(outcome.errors)")
      #expect(lines.last?.contains("ended by TRICOLOR_LIMIT_POLICY") ?? false, "\(outcome.errors)")
    }

    @Test("carries on by default, with one report, until the kernel kills it")
    func carriesOn() throws {
      let outcome = try LimitPrograms.run("grow", mebibytes: 128, environment: ["GOMEMLIMIT": "auto"])
      #expect(outcome.child.oomKilled)
      #expect(outcome.errors.split(separator: "\n").filter { $0.contains("cannot be met") }.count == 1)
    }

    @Test(
      "plans with the processor quota that its control group has, and with another one when that changes",
      .enabled(if: ProcessorGroup.isAvailable, "no group of the version 1 processor controller may be made"))
    func quota() throws {
      let group = try ProcessorGroup.make()
      defer { ProcessorGroup.remove(group) }
      let outcome = try LimitPrograms.runUnderQuota(microseconds: 50_000, then: 80_000, group: group)
      #expect(outcome.child.exitCode == 0, "\(outcome.errors)")
      #expect(try outcome["percentBefore"] == 50)
      #expect(try outcome["percentAfter"] == 80)
    }

    @Test("is refused memory at a hard limit by an error, and its heap is sound and usable afterwards")
    func hardLimit() throws {
      let outcome = try LimitPrograms.run("refused", mebibytes: 128, environment: ["TRICOLOR_HARD_LIMIT": "auto"])
      #expect(outcome.child.exitCode == 0, "\(outcome.errors)")
      #expect(!outcome.child.oomKilled)
      #expect(try outcome["refusals"] == 2)
      #expect(try outcome["sound"] == 1)
      #expect(try outcome["right"] == outcome["live"])
      #expect(try outcome["again"] == outcome["live"])
      #expect(try outcome["peak"] <= outcome["hardLimit"] + 3 * mebibyte)
    }
  }
}

/// A group of the processor controller, version 1.
private enum ProcessorGroup {
  private static let root = URL(fileURLWithPath: "/sys/fs/cgroup/cpu")

  static let isAvailable: Bool = {
    do {
      remove(try make())
      return true
    } catch {
      return false
    }
  }()

  static func make() throws -> URL {
    let group = root.appendingPathComponent("tricolor-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: group, withIntermediateDirectories: false)
    guard FileManager.default.fileExists(atPath: group.appendingPathComponent("cpu.cfs_quota_us").path) else {
      remove(group)
      throw CocoaError(.featureUnsupported)
    }
    return group
  }

  static func remove(_ group: URL) {
    #expect(rmdir(group.path) == 0, "\(group.path) is left: \(String(cString: strerror(errno)))")
  }
}
