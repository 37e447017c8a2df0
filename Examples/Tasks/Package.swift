// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "tasks",
  dependencies: [.package(name: "Tricolor", path: "../..")],
  targets: [
    .executableTarget(
      name: "tasks", dependencies: [.product(name: "Tricolor", package: "Tricolor")], path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
