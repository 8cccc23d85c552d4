import ArcaBytes
import ArcaCollateral
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// `service.py`, running on loopback over a bundle folder for as long as a test needs it.
private final class LoopbackService {
  let base: String
  private let process = Process()
  private let log: String

  init(folder: String) throws {
    log = FileManager.default.temporaryDirectory.path + "/arca-\(UUID().uuidString).log"
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("service.py")
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", script.path, folder, log]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    var line: [UInt8] = []
    while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
      line.append(byte)
    }
    base = "http://127.0.0.1:\(String(decoding: line, as: UTF8.self))"
  }

  /// Stops the service and returns the paths that it was asked for.
  func stop() throws -> [String] {
    // A test's thread may block SIGTERM, and its child inherits that.
    _ = try? HTTPCollateralFetcher().response(
      to: CollateralRequest(name: "end", address: "\(base)/stop", freshSeconds: 0))
    process.waitUntilExit()
    defer { try? FileManager.default.removeItem(atPath: log) }
    return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
  }
}

// Each test blocks its thread while it waits for the service, and there may be as few as two.
@Suite(.serialized) struct CollateralServiceTests {
  private static let issued = VerificationTime(unixSeconds: 1_760_000_000)

  /// A folder of its own, gone when the test ends.
  private static func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.path + "/arca-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private static func bundle(_ given: IntelEndorsements) throws -> CollateralBundle {
    CollateralBundle(files: [
      .tcbInfo: try #require(given.tcbInfo), .tcbInfoChain: try #require(given.tcbInfoChain),
      .qeIdentity: try #require(given.qeIdentity),
      .qeIdentityChain: try #require(given.qeIdentityChain),
      .rootRevocationList: try #require(given.rootRevocationList),
      .pckRevocationList: try #require(given.pckRevocationList),
      .pckRevocationListChain: try #require(given.tcbInfoChain),
    ])
  }

  private static func sources(_ service: LoopbackService) -> CollateralSources {
    CollateralSources(
      intel: IntelCertificationService(cachingServiceAt: service.base),
      amd: AMDKeyDistributionService(base: service.base))
  }

  @Test func intelsDocumentsComeThroughWholeAndAreKept() throws {
    try Self.withFolder { folder in
      let vendor = try SimulatedIntel.create(at: Self.issued)
      let served = try Self.bundle(vendor.endorsements(for: .tdx, at: Self.issued))
      try served.write(to: "\(folder)/served")
      let service = try LoopbackService(folder: "\(folder)/served")
      let evidence = Evidence(
        kind: .tdx, document: try vendor.quote(.tdx(TDReport(is15: true)), version: 5))
      func collect(at seconds: Int64) throws -> CollateralBundle {
        let now = VerificationTime(unixSeconds: Self.issued.unixSeconds + seconds)
        return try Self.sources(service).collect(
          for: evidence,
          through: CachedCollateralFetcher(
            HTTPCollateralFetcher(), folder: "\(folder)/cache", now: now))
      }
      #expect(try collect(at: 0) == served)
      #expect(try collect(at: 86_399) == served)
      // A day later, and on a clock that went back, the answers are asked for again.
      #expect(try collect(at: 86_400) == served)
      #expect(try collect(at: -1) == served)
      #expect(try service.stop().count == 12)
      // With the service gone, what is fresh is still served.
      #expect(try collect(at: 0) == served)
      let refusal = #expect(throws: AttestationError.self) { try collect(at: 200_000) }
      #expect(refusal?.code == .inputOutput)
    }
  }

  @Test func amdsDocumentsComeThroughWhole() throws {
    try Self.withFolder { folder in
      let vendor = try SimulatedAMD.create(at: Self.issued)
      let served = CollateralBundle(files: [
        .vcek: vendor.vcek, .ask: vendor.ask, .ark: vendor.ark,
        .revocationList: vendor.revocationList,
      ])
      try served.write(to: folder)
      let service = try LoopbackService(folder: folder)
      let report = try vendor.device().report(reportData: [1], hostData: [], measurement: [])
      let bundle = try Self.sources(service).collect(
        for: Evidence(kind: .snp, document: report), through: HTTPCollateralFetcher())
      #expect(bundle == served)
      #expect(try service.stop().count == 3)
    }
  }

  @Test func whatTheServiceDoesNotHaveIsNamed() throws {
    try Self.withFolder { folder in
      let service = try LoopbackService(folder: folder)
      let request = AMDKeyDistributionService(base: service.base).revocationList(.milan, .vcek)
      let refusal = #expect(throws: AttestationError.self) {
        try HTTPCollateralFetcher().response(to: request)
      }
      #expect(refusal?.code == .inputOutput)
      #expect(refusal?.detail.contains("404") == true)
      #expect(try service.stop() == ["/vcek/v1/Milan/crl"])
    }
  }

  @Test func bundlesReadBackAndDamagedCachesAreAskedAgain() throws {
    try Self.withFolder { folder in
      var bundle = CollateralBundle(files: [.ark: [1], .tcbInfo: [2, 3]])
      try bundle.write(to: "\(folder)/bundle")
      bundle.files[.ark] = [4]
      try bundle.write(to: "\(folder)/bundle")
      try Data([9]).write(to: URL(fileURLWithPath: "\(folder)/bundle/other.bin"))
      #expect(try CollateralBundle(folder: "\(folder)/bundle") == bundle)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: "\(folder)/bundle").count == 3)
      let refusal = #expect(throws: AttestationError.self) {
        try CollateralBundle(folder: "\(folder)/none")
      }
      #expect(refusal?.code == .inputOutput)

      let request = CollateralRequest(name: "x", address: "http://x/", freshSeconds: 10)
      let cached = CachedCollateralFetcher(
        Echo(), folder: "\(folder)/cache", now: VerificationTime(unixSeconds: 100))
      let answer = try cached.response(to: request)
      for file in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/cache") {
        try Data("{".utf8).write(to: URL(fileURLWithPath: "\(folder)/cache/\(file)"))
      }
      #expect(try cached.response(to: request) == answer)
    }
  }

  private struct Echo: CollateralFetching {
    func response(to request: CollateralRequest) throws(AttestationError) -> CollateralResponse {
      CollateralResponse(body: Array(request.address.utf8), headers: ["a": "b"])
    }
  }
}
