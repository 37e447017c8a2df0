// All settings together, as the environment gives them.

import Testing

@testable import TricolorPacing

@Suite("The environment")
struct SettingsTests {
  private func parse(_ environment: [String: String]) -> (settings: Settings, errors: [SettingsError]) {
    Settings.parse { environment[$0] }
  }

  @Test("without variables, or with empty ones, gives the defaults")
  func defaults() {
    #expect(parse([:]).settings == Settings())
    let empty = parse(Dictionary(uniqueKeysWithValues: Settings.variableNames.map { ($0, "") }))
    #expect(empty.settings == Settings())
    #expect(empty.errors.isEmpty)
    #expect(Settings().gcPercent == 100)
    #expect(Settings().memoryLimit == .off)
    #expect(Settings().gcCPULimit == 50)
    #expect(Settings().reserveBytes == 256 << 30)
    #expect(Settings().minimumHeap == nil)
  }

  @Test("reaches every setting")
  func everyVariable() {
    var expected = Settings()
    expected.gcPercent = nil
    expected.memoryLimit = .percent(85, minus: 1 << 20)
    expected.maxProcessors = 3
    expected.debug.gcTrace = true
    expected.numa = .node(1)
    expected.binding = .processors([0, 1])
    expected.hardLimit = .bytes(1 << 30)
    expected.limitSource = .cgroup
    expected.limitScope = .heap
    expected.limitPolicy = .failFast(afterNanoseconds: 10_000_000_000)
    expected.gcCPULimit = 25
    expected.minimumHeap = 64 << 20
    expected.tunes = true
    expected.tuneTarget = 5
    expected.youngCycles = .off
    expected.reserveBytes = 16 << 30
    let environment = [
      "GOGC": "off", "GOMEMLIMIT": "85%-1MiB", "GOMAXPROCS": "3", "GODEBUG": "gctrace=1", "TRICOLOR_NUMA": "node:1",
      "TRICOLOR_BIND": "0-1", "TRICOLOR_HARD_LIMIT": "1GiB", "TRICOLOR_LIMIT_SOURCE": "cgroup",
      "TRICOLOR_LIMIT_SCOPE": "heap", "TRICOLOR_LIMIT_POLICY": "failfast:10", "TRICOLOR_GC_CPU_LIMIT": "25",
      "TRICOLOR_MIN_HEAP": "64MiB",
      "TRICOLOR_TUNE": "on:5%", "TRICOLOR_YOUNG": "off", "TRICOLOR_RESERVE": "16GiB",
    ]
    #expect(Set(environment.keys) == Set(Settings.variableNames))
    let (settings, errors) = parse(environment)
    #expect(settings == expected)
    #expect(errors.isEmpty)
  }

  @Test("with a wrong value keeps that default, takes the others, and reports every wrong one")
  func wrongValues() {
    let (settings, errors) = parse(["GOGC": "-5", "GOMEMLIMIT": "1GiB", "TRICOLOR_TUNE": "yes"])
    #expect(settings.gcPercent == 100)
    #expect(settings.memoryLimit == .bytes(1 << 30))
    #expect(errors.map(\.name) == ["GOGC", "TRICOLOR_TUNE"])
    #expect(
      errors[0].description
        == "GOGC: \"-5\" is not allowed; use an integer from 0 to 2147483647 (percent of growth) or off")
  }

  @Test(
    "refuses each variable's wrong values",
    arguments: [
      ("GOMAXPROCS", "0"), ("GOMAXPROCS", "-2"), ("GOMAXPROCS", "two"), ("TRICOLOR_GC_CPU_LIMIT", "0"),
      ("TRICOLOR_GC_CPU_LIMIT", "101"), ("TRICOLOR_GC_CPU_LIMIT", "50%"), ("TRICOLOR_MIN_HEAP", "4MB"),
      ("TRICOLOR_RESERVE", "63MiB"), ("TRICOLOR_TUNE", "1"), ("TRICOLOR_TUNE", "on:"), ("TRICOLOR_TUNE", "on:0%"),
      ("TRICOLOR_TUNE", "on:51%"), ("TRICOLOR_TUNE", "on:5"), ("TRICOLOR_TUNE", "off:5%"), ("TRICOLOR_YOUNG", "on"),
      ("TRICOLOR_LIMIT_SOURCE", "RSS"), ("TRICOLOR_LIMIT_SCOPE", "thread"),
      ("TRICOLOR_HARD_LIMIT", "120%"), ("GODEBUG", "madvdontneed=1"),
    ])
  func refused(_ name: String, _ value: String) {
    let (settings, errors) = parse([name: value])
    #expect(settings == Settings())
    #expect(errors.map(\.name) == [name])
    #expect(errors.map(\.value) == [value])
  }

  @Test("shows control characters of a wrong value instead of printing them")
  func escapes() {
    #expect(parse(["GOGC": "1\n2"]).errors[0].description.contains("\"1\\n2\""))
  }
}
