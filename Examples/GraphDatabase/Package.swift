// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "graph-database",
  dependencies: [.package(name: "Tricolor", path: "../..")],
  targets: [
    .executableTarget(
      name: "graph-database", dependencies: [.product(name: "Tricolor", package: "Tricolor")], path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
