import ArcaAttester
import ArcaBytes
import ArcaKeyBroker
import ArcaTestSupport
import Crypto
import Foundation
import TEEEvidence
import Testing

/// The protocol's vectors, and that the broker reads what the attester writes.
@Suite struct ProtocolVectorTests {
  static let nonce = Array("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".utf8)

  static func point() throws -> [UInt8] {
    try [
      "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
      "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    ].flatMap { try #require(Base64Text.decode(Array($0.utf8), .url)) }
  }

  @Test func theRuntimeDataHasTheVectorsDigest() throws {
    let attestation = Attestation(nonce: Self.nonce, point: try Self.point())
    #expect(
      Hex.encode(Array(SHA384.hash(data: attestation.runtimeData)))
        == "d59c5ca13c55df86b2fc4ce983ae8f26d00a1082f3acf26d7b077c4a7a264e44"
        + "b4b1f8cce97801cfba202e3197d053ef")
  }

  @Test func theBrokerReadsTheMessages() throws {
    #expect(try KBSRequest(Attestation.request(tee: "snp")).tee == .snp)
    let attestation = Attestation(nonce: Self.nonce, point: try Self.point())
    let message = try KBSAttestation(attestation.message(evidence: Array("{}".utf8)))
    #expect(message.nonce == String(decoding: Self.nonce, as: UTF8.self))
    #expect(message.reportData == Array(SHA384.hash(data: attestation.runtimeData)))
  }

  @Test(.enabled(if: VectorFolder.isPresent || VectorFolder.isCI))
  func theSealedSecretHasTheVectorsParts() throws {
    let file = Data(try #require(VectorFolder.file("kbs/jwe-p256.json")))
    let vector = try #require(try JSONSerialization.jsonObject(with: file) as? [String: Any])
    let response = try #require(vector["response"] as? [String: String])
    let json = Array(try JSONSerialization.data(withJSONObject: response))
    let sealed = try SealedSecret(json)
    #expect(sealed.header == Array(try #require(response["protected"]).utf8))
    #expect(sealed.wrapped.count == 40)
    for name in ["protected", "encrypted_key", "iv", "ciphertext", "tag"] {
      var without = response
      without[name] = nil
      let less = Array(try JSONSerialization.data(withJSONObject: without))
      #expect(throws: AttesterError(.json, "")) { try SealedSecret(less) }
    }
    for (from, to, code) in [
      ("A256GCM", "A128GCM", AttesterError.Code.unsupported), ("A256KW", "A128KW", .unsupported),
      ("P-256", "P-384", .unsupported), (#""x":"P"#, #""x":"PP"#, .json),
    ] {
      let header = try #require(vector["protected_json"] as? String)
      var other = response
      other["protected"] = Base64Text.encode(Array(header.replacing(from, with: to).utf8), .url)
      let changed = Array(try JSONSerialization.data(withJSONObject: other))
      #expect(throws: AttesterError(code, "")) { try SealedSecret(changed) }
    }
  }

  /// Every field of a report survives the way through JSON, in each version and layout.
  @Test(arguments: [(3, 0x19, 0x01), (4, 0x19, 0x11), (5, 0x1a, 0x02)])
  func reportsArriveAsTheyWere(_ version: UInt32, _ family: UInt8, _ model: UInt8) throws {
    var bytes = (0..<SNPReport.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
    var template = try SNPReport(SNPReport(version: version).encoded())
    template.cpuid = (family, model, 1)
    let fixed = template.encoded()
    // What is reserved, or names the layout, must be as it is; see SNPReport.
    for range in [
      0..<4, 0x34..<0x38, 0x4c..<0x50, 0x188..<0x1a0, 0x1eb..<0x1ec, 0x1ef..<0x1f0,
      (version == 5 ? 0x208 : 0x1f8)..<0x2a0, 0x330..<0x4a0,
    ] {
      bytes.replaceSubrange(range, with: fixed[range])
    }
    for at in [0x38, 0x180, 0x1e0, 0x1f0] {
      for reserved in family == 0x1a ? at + 4..<at + 7 : at + 2..<at + 6 { bytes[reserved] = 0 }
    }
    let report = try SNPReport(bytes)
    let entry = SNPCertificateTable.Entry(.vcek, [1, 2, 255])
    let form = try SNPReportForm(report.encoded())
    let json = try StrictJSON(parsing: Attestation.report(form, certificates: [entry]))
    guard case .tee(let evidence) = try ReceivedEvidence(json, kind: .snp) else {
      Issue.record("not a TEE's evidence")
      return
    }
    #expect(evidence.document == bytes)
    #expect(evidence.certificateTable == SNPCertificateTable([entry]).encoded())
    let bare = try Attestation.report(form, certificates: [])
    #expect(bare.suffix(18).elementsEqual(#""cert_chain":null}"#.utf8))
  }

  @Test func aReportOfAnUnknownProductIsRefused() throws {
    #expect(throws: AttesterError(.unsupported, "")) {
      try Attestation.report(SNPReportForm(SNPReport(version: 2).encoded()), certificates: [])
    }
  }
}
