// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "lisp",
  dependencies: [.package(name: "Tricolor", path: "../..")],
  targets: [
    .executableTarget(
      name: "lisp", dependencies: [.product(name: "Tricolor", package: "Tricolor")], path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
