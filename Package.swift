// swift-tools-version: 6.2
//
// One manifest, two modes. Without ARCA_GUEST it builds everything that runs on a host; with
// ARCA_GUEST=1 it builds what runs inside the TEE, as Embedded Swift, from the same sources.

import PackageDescription

let isGuest = Context.environment["ARCA_GUEST"] == "1"

let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

let embedded: [SwiftSetting] =
  strict + [
    .enableExperimentalFeature("Embedded"),
    .define("ARCA_GUEST"),
    .unsafeFlags(["-wmo", "-Osize"]),
  ]

// Modules that both ends compile: no Foundation, no crypto, no system calls.
func shared(_ settings: [SwiftSetting]) -> [Target] {
  [
    .target(name: "ArcaBytes", swiftSettings: settings),
    .target(name: "ArcaWire", dependencies: ["ArcaBytes"], swiftSettings: settings),
    .target(name: "ArcaManifest", dependencies: ["ArcaBytes"], swiftSettings: settings),
    .target(name: "TEEEvidence", dependencies: ["ArcaBytes"], swiftSettings: settings),
  ]
}

let guestTargets: [Target] =
  shared(embedded) + [
    .target(
      name: "CArcaGuest",
      path: "Sources/Guest/CArcaGuest",
      cSettings: [
        .unsafeFlags(["-nostdlibinc", "-isystem", "/usr/include/x86_64-linux-musl", "-Os"])
      ]
    ),
    .target(
      name: "ArcaInit",
      dependencies: ["ArcaBytes", "ArcaWire", "ArcaManifest", "TEEEvidence", "CArcaGuest"],
      path: "Sources/Guest/ArcaInit",
      swiftSettings: embedded
    ),
  ]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let hostTargets: [Target] =
  shared(strict) + [
    .target(name: "CArcaHost", linkerSettings: [.linkedLibrary("z"), .linkedLibrary("zstd")]),
    .target(name: "ArcaOCI", swiftSettings: strict),
    .target(
      name: "ArcaManifestText",
      dependencies: ["ArcaManifest", "ArcaBytes", "ArcaOCI", yams],
      swiftSettings: strict
    ),
    .target(
      name: "TEEMeasurement",
      dependencies: ["TEEEvidence", "ArcaBytes", crypto, cryptoExtras],
      swiftSettings: strict
    ),
    .target(
      name: "TEEAttestation",
      dependencies: ["TEEEvidence", "ArcaBytes", crypto, cryptoExtras, asn1],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaImage",
      dependencies: ["ArcaOCI", "ArcaBytes", "CArcaHost", crypto],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaTEE",
      dependencies: [
        "TEEMeasurement", "TEEAttestation", "ArcaManifest", "ArcaWire", "ArcaBytes", "CArcaHost",
        crypto,
      ],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaRuntime",
      dependencies: ["ArcaTEE", "ArcaImage", "ArcaManifestText", "ArcaOCI", "CArcaHost"],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca",
      dependencies: ["ArcaRuntime", "TEEMeasurement", "TEEAttestation", arguments],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca-launcher",
      dependencies: ["ArcaTEE", "ArcaWire", "ArcaBytes", "CArcaHost"],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca-guest-build",
      dependencies: ["ArcaBytes", "CArcaHost", crypto, arguments],
      swiftSettings: strict
    ),
  ]

func suite(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let tests: [Target] = [
  suite("ArcaManifestTextTests", ["ArcaManifest", "ArcaManifestText"]),
  suite("TidyTests", []),
]

let package = Package(
  name: "arca",
  products: isGuest
    ? [.library(name: "ArcaInit", type: .static, targets: ["ArcaInit"])]
    : [
      .executable(name: "arca", targets: ["arca"]),
      .executable(name: "arca-launcher", targets: ["arca-launcher"]),
      .executable(name: "arca-guest-build", targets: ["arca-guest-build"]),
      .library(
        name: "TEEAttestation", targets: ["TEEEvidence", "TEEMeasurement", "TEEAttestation"]),
    ],
  dependencies: isGuest
    ? []
    : [
      .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
      .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
      .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
      .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
  targets: isGuest ? guestTargets : hostTargets + tests,
  swiftLanguageModes: [.v6]
)
