// Every spelling a setting accepts, and those it must refuse with a message that helps.

import Testing

@testable import TricolorPacing

@Suite("A size")
struct ByteSizeTests {
  @Test(
    "is read in every unit",
    arguments: [
      ("0", 0), ("5", 5), ("5B", 5), ("1KiB", 1024), ("1Ki", 1024), ("10MiB", 10 << 20), ("512Mi", 512 << 20),
      ("2GiB", 2 << 30), ("2Gi", 2 << 30), ("3TiB", 3 << 40), ("3Ti", 3 << 40), ("007", 7),
      ("9223372036854775807", Int64.max), ("8388607TiB", 8_388_607 << 40),
    ] as [(String, Int64)])
  func accepted(_ text: String, _ bytes: Int64) throws {
    #expect(try ByteSize.parse(text, name: "--cgroup") == bytes)
  }

  @Test(
    "is refused when it is misspelt, signed, fractional or too large",
    arguments: [
      "", "12XB", "-5", "+5", "1.5GiB", "banana", "10MB", "10M", "10m", "10kib", "10KIB", "10 MiB", " 10", "10 ", "MiB",
      "9223372036854775808", "8388608TiB", "9007199254740992Ki", "99999999999999999999999", "0x10", "1e9", "١٢", "5BB",
      "off", "1_000", "5%", "1é", "²",
    ])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try ByteSize.parse(text, name: "--cgroup") }
    #expect(error?.name == "--cgroup")
    #expect(error?.value == text)
    #expect(error?.description.contains("KiB") == true)
  }

  @Test("below the minimum is refused with the minimum")
  func minimum() throws {
    let error = #expect(throws: SettingsError.self) { try ByteSize.parse("1KiB", name: "S", minimum: 64 << 20) }
    #expect(error?.allowed.hasPrefix("at least 64MiB") == true)
    #expect(try ByteSize.parse("64MiB", name: "S", minimum: 64 << 20) == 64 << 20)
  }

  @Test(
    "is written in the largest unit that divides it, and read back",
    arguments: [0, 1, 1000, 1024, 3 << 20, 5 << 30, 7 << 40, .max] as [Int64])
  func writtenAndRead(_ bytes: Int64) throws {
    #expect(try ByteSize.parse(ByteSize.text(bytes), name: "S") == bytes)
    #expect(ByteSize.text(3 << 20) == "3MiB")
    #expect(ByteSize.text(1 << 50) == "1024TiB")
    #expect(ByteSize.text(1025) == "1025")
    #expect(ByteSize.text(.min) == "-9223372036854775808")
  }
}

@Suite("GOGC")
struct GCPercentTests {
  @Test(
    "is a percentage or off",
    arguments: [("0", 0), ("100", 100), ("2147483647", 2_147_483_647), ("off", nil)] as [(String, Int?)])
  func accepted(_ text: String, _ percent: Int?) throws {
    #expect(try GCPercent.parse(text) == percent)
  }

  @Test("is refused otherwise", arguments: ["", "-1", "-5", "+1", "100%", "abc", "OFF", "2147483648", "1.5", " 100"])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try GCPercent.parse(text) }
    #expect(
      error
        == SettingsError(
          name: "GOGC", value: text, allowed: "an integer from 0 to 2147483647 (percent of growth) or off"))
  }
}

@Suite("GOMEMLIMIT")
struct MemoryLimitTests {
  @Test(
    "is a size, relative, or off",
    arguments: [
      ("off", .off), ("auto", .auto), ("0", .bytes(0)), ("512MiB", .bytes(512 << 20)), ("512Mi", .bytes(512 << 20)),
      ("85%", .percent(85, minus: 0)), ("1%", .percent(1, minus: 0)), ("100%", .percent(100, minus: 0)),
      ("99%-100MiB", .percent(99, minus: 100 << 20)), ("90%-0", .percent(90, minus: 0)),
    ] as [(String, MemoryLimit)])
  func accepted(_ text: String, _ limit: MemoryLimit) throws {
    #expect(try MemoryLimit.parse(text) == limit)
    #expect(try MemoryLimit.parse(limit.description) == limit)
  }

  @Test(
    "is refused otherwise",
    arguments: [
      "", "12XB", "-5", "1.5GiB", "120%", "101%", "banana", "9223372036854775808", "8388608TiB", "0%", "10MB", "85.5%",
      "%", "-10%", "85%-", "85%+1MiB", "85%-1MB", "85%-10%", "85 %", "85%%", "Off", "AUTO", "auto-1MiB", "1G",
    ])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try MemoryLimit.parse(text) }
    #expect(error?.name == "GOMEMLIMIT")
    #expect(error?.value == text)
    #expect(error?.description.contains("N%-SIZE") == true)
  }

  @Test("relative to the container becomes bytes, cut down, and nothing without a container's limit")
  func resolved() {
    #expect(MemoryLimit.auto.resolve(cgroupLimit: 1 << 30) == 966_367_641)
    #expect(MemoryLimit.percent(85, minus: 0).resolve(cgroupLimit: 1 << 30) == 912_680_550)
    #expect(MemoryLimit.percent(99, minus: 100 << 20).resolve(cgroupLimit: 1 << 30) == 958_146_805)
    #expect(MemoryLimit.percent(100, minus: 0).resolve(cgroupLimit: .max) == .max)
    #expect(MemoryLimit.percent(10, minus: 1 << 30).resolve(cgroupLimit: 1 << 30) == 0)
    #expect(MemoryLimit.bytes(7).resolve(cgroupLimit: 1) == 7)
    #expect(MemoryLimit.off.resolve(cgroupLimit: 1) == nil)
    #expect(MemoryLimit.auto.resolve(cgroupLimit: nil) == nil)
    #expect(MemoryLimit.percent(85, minus: 0).resolve(cgroupLimit: nil) == nil)
  }

  @Test("says whether it follows the container")
  func follows() {
    #expect(MemoryLimit.auto.followsCgroup)
    #expect(MemoryLimit.percent(50, minus: 1).followsCgroup)
    #expect(!MemoryLimit.off.followsCgroup)
    #expect(!MemoryLimit.bytes(1).followsCgroup)
  }
}

@Suite("A duration")
struct DurationSettingTests {
  @Test(
    "is read in every unit, larger units first",
    arguments: [
      ("10s", 10_000_000_000), ("500ms", 500_000_000), ("3m", 180_000_000_000), ("1h", 3_600_000_000_000),
      ("1m30s", 90_000_000_000), ("1h0m1ns", 3_600_000_000_001), ("7us", 7000), ("2562047h", 9_223_369_200_000_000_000),
    ] as [(String, Int64)])
  func accepted(_ text: String, _ nanoseconds: Int64) throws {
    #expect(try DurationSetting.parse(text, name: "--duration") == nanoseconds)
  }

  @Test(
    "is refused when it is nothing, without a unit, signed, fractional, out of order or too long",
    arguments: [
      "", "0s", "10", "0", "-1s", "1.5s", "s", "10 s", "30s1m", "1s1s", "10sec", "2562048h", "9223372036854775808ns",
      "1m30",
    ])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try DurationSetting.parse(text, name: "--duration") }
    #expect(error?.name == "--duration")
    #expect(error?.value == text)
    #expect(error?.description.contains("1m30s") == true)
  }
}

@Suite("GODEBUG")
struct DebugSettingsTests {
  @Test("switches what it names and leaves the rest off")
  func switches() throws {
    var expected = DebugSettings()
    expected.gcTrace = true
    expected.gcVerify = true
    #expect(try DebugSettings.parse("gctrace=1,gcverify=1,gcstress=0") == expected)
    #expect(try DebugSettings.parse("gctrace=1,gctrace=0") == DebugSettings())
  }

  @Test("knows every switch, each by itself")
  func everySwitch() throws {
    let paths: [(String, KeyPath<DebugSettings, Bool>)] = [
      ("gctrace", \.gcTrace), ("gcpacertrace", \.gcPacerTrace), ("scavtrace", \.scavTrace),
      ("gccheckmark", \.gcCheckMark),
      ("gcverify", \.gcVerify), ("gcstoptheworld", \.gcStopTheWorld), ("gcstress", \.gcStress),
      ("clobberfree", \.clobberFree),
    ]
    for (name, _) in paths {
      let settings = try DebugSettings.parse(name + "=1")
      #expect(paths.filter { settings[keyPath: $0.1] }.map(\.0) == [name])
    }
  }

  @Test(
    "is refused with an unknown name or value",
    arguments: [
      "gctrace", "gctrace=2", "gctrace=", "=1", "nosuch=1", "gctrace=1,", "gctrace=1, gcverify=1", ",", "GCTRACE=1",
    ])
  func refused(_ text: String) {
    let error = #expect(throws: SettingsError.self) { try DebugSettings.parse(text) }
    #expect(error?.value == text)
    #expect(error?.description.contains("gcpacertrace") == true)
  }
}

@Suite("Placement and policy")
struct PlacementTests {
  @Test(
    "of memory is read and written",
    arguments: [
      ("local", .local), ("interleave", .interleave), ("off", .off), ("node:0", .node(0)), ("node:12", .node(12)),
    ]
      as [(String, NUMAPolicy)])
  func numa(_ text: String, _ policy: NUMAPolicy) throws {
    #expect(try NUMAPolicy.parse(text) == policy)
    #expect(policy.description == text)
  }

  @Test("of memory is refused otherwise", arguments: ["", "node", "node:", "node:-1", "node:1024", "node:a", "Local"])
  func numaRefused(_ text: String) {
    #expect(throws: SettingsError.self) { try NUMAPolicy.parse(text) }
  }

  @Test(
    "of threads is read",
    arguments: [
      ("off", .off), ("nodes", .nodes), ("0", .processors([0])), ("0-3,8", .processors([0, 1, 2, 3, 8])),
      ("8,2-3,3-4,8", .processors([2, 3, 4, 8])), ("5-5", .processors([5])), ("8191", .processors([8191])),
    ] as [(String, ProcessorBinding)])
  func binding(_ text: String, _ binding: ProcessorBinding) throws {
    #expect(try ProcessorBinding.parse(text) == binding)
  }

  @Test(
    "of threads is refused otherwise",
    arguments: ["", ",", "3-0", "0-", "-3", "0-3,", "a", "0-3:1", "8192", "0-9223372036854775807", "0 - 3"])
  func bindingRefused(_ text: String) {
    #expect(throws: SettingsError.self) { try ProcessorBinding.parse(text) }
  }

  @Test(
    "over the limit is read",
    arguments: [
      ("soft", .soft), ("failfast:30", .failFast(afterNanoseconds: 30_000_000_000)),
      ("failfast:30s", .failFast(afterNanoseconds: 30_000_000_000)),
      ("failfast:1m30s", .failFast(afterNanoseconds: 90_000_000_000)),
      ("failfast:500ms", .failFast(afterNanoseconds: 500_000_000)),
    ] as [(String, LimitPolicy)])
  func policy(_ text: String, _ policy: LimitPolicy) throws {
    #expect(try LimitPolicy.parse(text) == policy)
  }

  @Test(
    "over the limit is refused otherwise",
    arguments: ["", "failfast", "failfast:", "failfast:0", "failfast:-1", "hard", "failfast:1.5"])
  func policyRefused(_ text: String) {
    #expect(throws: SettingsError.self) { try LimitPolicy.parse(text) }
  }
}
