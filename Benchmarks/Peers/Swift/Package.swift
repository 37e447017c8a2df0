// swift-tools-version: 6.2
// The programs of the comparison in Swift as it is: final classes, freed by reference counting. No dependency, and none on Tricolor.

import PackageDescription

let package = Package(
  name: "arc",
  targets: [.executableTarget(name: "arc")],
  swiftLanguageModes: [.v6]
)
