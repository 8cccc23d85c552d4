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
    // Sections of their own let the linker drop what is not used, such as derived comparisons of
    // strings, which would need Unicode tables.
    .unsafeFlags(["-wmo", "-Osize", "-Xfrontend", "-function-sections"]),
  ]

// What only hosts and verifiers do with formats that both ends know is in folders of this name.
let hostOnly = isGuest ? ["Host"] : []

// Modules that both ends compile: no Foundation, no crypto, no system calls.
func shared(_ settings: [SwiftSetting]) -> [Target] {
  [
    .target(name: "ArcaBytes", exclude: hostOnly, swiftSettings: settings),
    .target(
      name: "ArcaWire", dependencies: ["ArcaBytes"], exclude: hostOnly, swiftSettings: settings),
    .target(
      name: "ArcaManifest", dependencies: ["ArcaBytes"], exclude: hostOnly,
      swiftSettings: settings),
    .target(
      name: "TEEEvidence", dependencies: ["ArcaBytes"], exclude: hostOnly,
      swiftSettings: settings),
    .target(
      name: "ArcaAttester", dependencies: ["ArcaBytes", "TEEEvidence"], swiftSettings: settings),
  ]
}

let musl = "/usr/include/x86_64-linux-musl"
let guestC: [String] = [
  "-nostdlibinc", "-isystem", musl, "-idirafter", "/usr/include",
  "-idirafter", "/usr/include/x86_64-linux-gnu", "-Os",
]

// The unpacked sources of Mbed TLS, for its headers; arca-guest-build says where they are.
let mbedTLS = Context.environment["ARCA_MBEDTLS"] ?? "/nonexistent"

let guestTargets: [Target] =
  shared(embedded) + [
    .target(
      name: "CArcaGuest",
      path: "Sources/Guest/CArcaGuest",
      cSettings: [.unsafeFlags(guestC)]
    ),
    .target(
      name: "CArcaTLS",
      path: "Sources/Guest/CArcaTLS",
      cSettings: [
        .unsafeFlags(
          guestC + [
            "-isystem", "\(mbedTLS)/include",
            "-DMBEDTLS_CONFIG_FILE=\"\(Context.packageDirectory)/guest/mbedtls_config.h\"",
          ])
      ]
    ),
    .target(
      name: "ArcaInit",
      dependencies: [
        "ArcaAttester", "ArcaBytes", "ArcaWire", "ArcaManifest", "TEEEvidence", "CArcaGuest",
        "CArcaTLS",
      ],
      path: "Sources/Guest/ArcaInit",
      swiftSettings: embedded + [.unsafeFlags(["-Xcc", "-isystem", "-Xcc", musl])]
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
      dependencies: ["TEEEvidence", "ArcaBytes", crypto, cryptoExtras],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaImage",
      dependencies: ["ArcaManifest", "ArcaOCI", "ArcaBytes", "CArcaHost", crypto, cryptoExtras],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaTEE",
      dependencies: [
        "TEEMeasurement", "TEEAttestation", "TEEEvidence", "ArcaWire", "ArcaBytes", "CArcaHost",
        crypto,
      ],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaRuntime",
      dependencies: [
        "ArcaTEE", "ArcaImage", "ArcaManifestText", "ArcaManifest", "ArcaOCI", "ArcaBytes",
        "TEEAttestation", "TEEEvidence", "CArcaHost", crypto,
      ],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaCollateral",
      dependencies: ["TEEAttestation", "ArcaBytes", crypto],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca",
      dependencies: [
        "ArcaRuntime", "ArcaImage", "ArcaTEE", "ArcaManifest", "ArcaManifestText",
        "ArcaCollateral", "TEEMeasurement", "TEEAttestation", "TEEEvidence", "ArcaBytes", crypto,
        arguments,
      ],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca-launcher",
      dependencies: ["ArcaTEE"],
      swiftSettings: strict,
      // The outer container's root then needs few files, and the start few symbols.
      linkerSettings: [
        .unsafeFlags(["-static-stdlib"]),
        .linkedLibrary("_FoundationCollections"), .linkedLibrary("_FoundationCShims"),
        .linkedLibrary("swiftSynchronization"),
      ]
    ),
    .target(
      name: "ArcaKeyBroker",
      dependencies: [
        "ArcaCollateral", "TEEAttestation", "TEEEvidence", "ArcaBytes", crypto, cryptoExtras, yams,
      ],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaKeyBrokerSQLite",
      dependencies: ["ArcaKeyBroker", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: strict
    ),
    .target(
      name: "ArcaKeyBrokerEtcd",
      dependencies: [
        "ArcaKeyBroker", .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict
    ),
    .target(name: "CArcaToken"),
    .target(
      name: "ArcaKeyBrokerPKCS11", dependencies: ["ArcaKeyBroker", "CArcaToken", crypto],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "arca-kbs",
      dependencies: [
        "ArcaKeyBroker", "ArcaKeyBrokerSQLite", "ArcaKeyBrokerEtcd", "ArcaKeyBrokerPKCS11",
        "TEEAttestation", "TEEEvidence", "ArcaBytes",
        crypto, asn1, arguments,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "X509", package: "swift-certificates"),
      ],
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
  .target(
    name: "ArcaTestSupport", dependencies: ["ArcaOCI", "ArcaBytes", crypto],
    path: "Tests/ArcaTestSupport", swiftSettings: strict),
  suite(
    "ArcaAttesterTests",
    ["ArcaAttester", "ArcaKeyBroker", "TEEEvidence", "ArcaBytes", "ArcaTestSupport", crypto]),
  suite("ArcaBytesTests", ["ArcaBytes", crypto]),
  suite("ArcaWireTests", ["ArcaWire", "ArcaBytes"]),
  suite("ArcaManifestTests", ["ArcaManifest", "ArcaBytes"]),
  suite("ArcaManifestTextTests", ["ArcaManifest", "ArcaManifestText"]),
  suite(
    "ArcaImageTests",
    ["ArcaImage", "ArcaManifest", "ArcaOCI", "ArcaBytes", "ArcaTestSupport", crypto, "arca"]),
  suite("TEEMeasurementTests", ["TEEMeasurement", "ArcaBytes", "ArcaTestSupport", crypto]),
  suite(
    "TEEAttestationTests",
    ["TEEAttestation", "TEEEvidence", "ArcaBytes", "ArcaTestSupport", crypto, cryptoExtras]),
  .testTarget(
    name: "ArcaCollateralTests",
    dependencies: ["ArcaCollateral", "TEEAttestation", "TEEEvidence", "ArcaBytes"],
    exclude: ["service.py"], swiftSettings: strict),
  suite(
    "ArcaKeyBrokerTests",
    [
      "ArcaKeyBroker", "ArcaKeyBrokerSQLite", "ArcaKeyBrokerEtcd", "ArcaKeyBrokerPKCS11",
      "TEEAttestation", "TEEEvidence", "ArcaBytes", crypto, cryptoExtras,
      asn1, .product(name: "X509", package: "swift-certificates"),
      .product(name: "GRDB", package: "GRDB.swift"),
    ]),
  .testTarget(
    name: "ArcaTEETests",
    dependencies: [
      "ArcaTEE", "TEEAttestation", "TEEMeasurement", "ArcaWire", "ArcaBytes", crypto,
    ],
    exclude: ["Golden"], swiftSettings: strict),
  suite("ArcaRuntimeTests", ["ArcaRuntime", "ArcaTEE", "ArcaWire"]),
  suite(
    "GuestTests",
    [
      "ArcaManifest", "ArcaWire", "TEEEvidence", "ArcaBytes", "ArcaTestSupport", crypto,
      "arca-guest-build",
    ]),
  suite("TidyTests", []),
  .executableTarget(
    name: "verification-benchmark", dependencies: ["TEEAttestation", crypto, cryptoExtras],
    path: "Benchmarks/Verification", exclude: ["dcap_qvl_peer.py"], swiftSettings: strict),
]

// Fuzz targets (Fuzz/README.md) are static libraries, which Fuzz/run.sh links with libFuzzer.
let isFuzz = Context.environment["ARCA_FUZZ"] == "1"

let fuzzed: [(name: String, dependencies: [Target.Dependency])] = [
  ("BrokerAnswer", ["ArcaAttester"]),
  ("CertificateTable", ["TEEEvidence"]),
  ("CRL", ["TEEAttestation"]),
  ("EventLog", ["TEEEvidence"]),
  ("ImageDocuments", ["ArcaOCI"]),
  ("KBSRequest", ["ArcaKeyBroker"]),
  ("Manifest", ["ArcaManifest"]),
  ("Quote", ["TEEEvidence"]),
  ("SNPReport", ["TEEEvidence"]),
  ("Tar", ["ArcaImage"]),
  ("TCBInfo", ["TEEAttestation"]),
  ("TDVF", ["TEEMeasurement"]),
  ("VolumeHeader", ["ArcaManifest"]),
  ("Wire", ["ArcaWire"]),
]

let fuzzTargets: [Target] = fuzzed.map {
  .target(
    name: "Fuzz\($0.name)", dependencies: $0.dependencies, path: "Fuzz/\($0.name)",
    exclude: ["seeds"], swiftSettings: [.treatAllWarnings(as: .error)])
}

let fuzzProducts: [Product] = fuzzTargets.map {
  .library(name: $0.name, type: .static, targets: [$0.name])
}

let package = Package(
  name: "arca",
  products: isFuzz
    ? fuzzProducts
    : isGuest
      ? [.library(name: "ArcaInit", type: .static, targets: ["ArcaInit"])]
      : [
        .executable(name: "arca", targets: ["arca"]),
        .executable(name: "arca-launcher", targets: ["arca-launcher"]),
        .executable(name: "arca-kbs", targets: ["arca-kbs"]),
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
      .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
      .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
      .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
      .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
      .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
      .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
      .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
      .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
  targets: isGuest ? guestTargets : hostTargets + (isFuzz ? fuzzTargets : tests),
  swiftLanguageModes: [.v6]
)
