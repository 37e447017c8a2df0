// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "lru-cache",
  dependencies: [.package(name: "Tricolor", path: "../..")],
  targets: [
    .executableTarget(
      name: "lru-cache", dependencies: [.product(name: "Tricolor", package: "Tricolor")], path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
