// swift-tools-version: 6.2
// Tricolor: a managed heap with a concurrent tricolor mark-sweep collector.
// A program that links only `Tricolor` pulls in no third-party package; argument parsing and histograms sit behind the command.

import PackageDescription

let package = Package(
  name: "Tricolor",
  products: [
    .library(name: "Tricolor", targets: ["Tricolor"]),
    // What the tests of the C library link; `make install` makes libtricolor from the same objects (Scripts/c-library.sh).
    .library(name: "TricolorC", type: .dynamic, targets: ["TricolorC"]),
    .executable(name: "tricolor", targets: ["TricolorCommand"]),
    .executable(name: "tricolor-scenario", targets: ["tricolor-scenario"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .target(name: "CTricolorShims", cSettings: [.define("_GNU_SOURCE")]),
    .systemLibrary(name: "CNUMA", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),
    .target(name: "TricolorPlatform", dependencies: ["CTricolorShims", "CNUMA"]),
    .target(name: "TricolorPacing"),
    .target(name: "Tricolor", dependencies: ["CTricolorShims", "TricolorPlatform", "TricolorPacing"]),
    .systemLibrary(name: "TricolorInterface", path: "Sources/TricolorC/include"),
    .target(
      name: "TricolorC", dependencies: ["Tricolor", "TricolorPacing", "TricolorPlatform", "TricolorInterface"],
      exclude: ["include"]),
    .target(
      name: "TricolorTelemetry", dependencies: ["Tricolor"],
      resources: [
        .embedInCode("Page/timeline.css"), .embedInCode("Page/timeline.js"), .embedInCode("Page/live.js"),
        .embedInCode("Page/report.css"), .embedInCode("Page/report.js"),
      ]),
    .target(
      name: "Harness",
      dependencies: [
        "Tricolor", "TricolorPlatform", "TricolorPacing", "TricolorTelemetry",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      path: "Workloads/Harness"),
    .target(
      name: "EtcdStore", dependencies: ["Tricolor", "TricolorPacing", "TricolorPlatform", "Harness"],
      path: "Workloads/EtcdStore"),
    .target(name: "Classic", dependencies: ["Tricolor", "Harness"], path: "Workloads/Classic"),
    .target(name: "Planner", dependencies: ["Tricolor", "TricolorPlatform", "Harness"], path: "Workloads/Planner"),
    .target(
      name: "Registry",
      dependencies: [
        "Tricolor", "TricolorPlatform", "Harness", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], path: "Workloads/Registry"),
    .target(
      name: "Controller",
      dependencies: [
        "Tricolor", "TricolorPlatform", "Harness", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], path: "Workloads/Controller"),
    .target(
      name: "RegionScheduler",
      dependencies: [
        "Tricolor", "TricolorPlatform", "Harness", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], path: "Workloads/RegionScheduler"),
    .target(
      name: "Tasks",
      dependencies: [
        "Tricolor", "TricolorPlatform", "Harness", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      path: "Workloads/Tasks"),
    .target(
      name: "Scenario",
      dependencies: ["TricolorPlatform", "TricolorPacing", "TricolorTelemetry", "Harness", "Yams"],
      path: "Workloads/Scenario"),
    .executableTarget(
      name: "tricolor-scenario",
      dependencies: [
        "TricolorPlatform", "Harness", "Scenario", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(
      name: "TricolorTuning", dependencies: ["TricolorPacing", "TricolorPlatform", "TricolorTelemetry", "Harness"]),
    .executableTarget(
      name: "TricolorCommand",
      dependencies: [
        "Tricolor", "TricolorPlatform", "TricolorPacing", "TricolorTelemetry", "Harness", "EtcdStore", "Classic",
        "Planner", "Registry", "Controller", "RegionScheduler", "Tasks", "TricolorTuning",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/tricolor"),
    .executableTarget(
      name: "tricolor-soak",
      dependencies: [
        "Tricolor", "TricolorPlatform", "TricolorPacing", "TricolorTelemetry", "Harness", "EtcdStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Soak"),
    .executableTarget(
      name: "tricolor-micro",
      dependencies: [
        "Tricolor", "CTricolorShims", "TricolorPlatform", "TricolorTelemetry", "Harness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Micro"),
    .testTarget(name: "TelemetryTests", dependencies: ["TricolorTelemetry", "Tricolor"]),
    .testTarget(
      name: "TricolorTuningTests", dependencies: ["TricolorTuning", "TricolorPacing", "Harness", "TricolorTelemetry"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "SoakTests", dependencies: ["tricolor-soak", "Harness"]),
    .testTarget(name: "TricolorPacingTests", dependencies: ["TricolorPacing"], resources: [.copy("Fixtures")]),
    .target(name: "FixtureTrees", path: "Tests/FixtureTrees"),
    .testTarget(name: "TricolorPlatformTests", dependencies: ["TricolorPlatform", "CTricolorShims", "FixtureTrees"]),
    .testTarget(
      name: "TricolorTests",
      dependencies: ["Tricolor", "CTricolorShims", "TricolorPlatform", "TricolorPacing", "FixtureTrees"]),
    .target(name: "MallocCounter", path: "Tests/MallocCounter"),
    .executableTarget(
      name: "tricolor-malloc-program", dependencies: ["Tricolor", "MallocCounter"], path: "Tests/MallocProgram"),
    .testTarget(name: "CollectionTests", dependencies: ["Tricolor", "CTricolorShims", "tricolor-malloc-program"]),
    .testTarget(name: "CompilerTests", dependencies: ["Tricolor"], exclude: ["Programs"]),
    .testTarget(
      name: "PlacementTests", dependencies: ["Tricolor", "CTricolorShims", "TricolorPlatform", "TricolorPacing"],
      path: "Tests/Placement"),
    .target(name: "ShadowPrograms", dependencies: ["Tricolor", "CTricolorShims"], path: "Tests/Shadow"),
    .executableTarget(
      name: "tricolor-fuzz",
      dependencies: ["ShadowPrograms", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Tests/Fuzz"),
    .testTarget(
      name: "ProtocolTests", dependencies: ["Tricolor", "CTricolorShims", "ShadowPrograms"], path: "Tests/Protocol"),
    // Compiles and runs C programs against the dynamic library, which is a product and so built with the tests.
    .testTarget(name: "TricolorCTests", dependencies: ["TricolorPlatform", "TricolorC"], exclude: ["Programs"]),
    .testTarget(
      name: "EtcdStoreTests", dependencies: ["EtcdStore", "Harness", "Tricolor", "TricolorPlatform"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "PlannerTests", dependencies: ["Planner", "Harness", "Tricolor"]),
    .testTarget(name: "RegistryTests", dependencies: ["Registry", "Harness", "Tricolor"]),
    .testTarget(name: "ControllerTests", dependencies: ["Controller", "Harness", "Tricolor"]),
    .testTarget(name: "TasksTests", dependencies: ["Tasks", "Harness", "Tricolor"]),
    .testTarget(
      name: "RegionSchedulerTests", dependencies: ["RegionScheduler", "Harness", "Tricolor", "TricolorPlatform"]),
    .testTarget(
      name: "ScenarioTests",
      dependencies: ["Scenario", "Harness", "TricolorPlatform", "TricolorCommand", "tricolor-scenario"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Harness", "TricolorPlatform", "TricolorPacing", "TricolorTelemetry", "TricolorCommand", "tricolor-scenario",
      ],
      resources: [.copy("Fixtures")]),
    .executableTarget(
      name: "tricolor-limit-programs", dependencies: ["Tricolor", "TricolorPlatform"], path: "Tests/LimitPrograms"),
    .testTarget(
      name: "LimitsTests",
      dependencies: ["Tricolor", "Harness", "TricolorPlatform", "TricolorCommand", "tricolor-limit-programs"],
      path: "Tests/Limits"),
  ],
  swiftLanguageModes: [.v6]
)
