import ArcaBytes
import Crypto
import Foundation
import TEEMeasurement
import Testing

@Suite(.enabled(if: LaunchVectors.areExpected, "the folder of vectors is absent"))
struct SGXVectorTests {
  struct Vector: Decodable {
    struct Signature: Decodable {
      let mrenclave: String
      let mrsigner: String
      let date: String
      let isvProdId: UInt16
      let isvSvn: UInt16
      let attributes: String
      let attributeMask: String
      let miscSelect: UInt32
      let miscMask: UInt32
      let signatureValid: Bool
    }
    let mrenclave: String?
    let sigstruct: Signature?
    let files: [String]
  }

  @Test func enclavesAndSignatures() throws {
    let cases = try LaunchVectors.cases("sgx")
    try #require(!cases.isEmpty)
    for name in cases {
      let vector = try LaunchVectors.decode(Vector.self, "\(name)/vector.json")
      if let expected = vector.mrenclave, vector.files.contains("enclave.sgxs") {
        let stream = try LaunchVectors.bytes("\(name)/enclave.sgxs")
        #expect(Hex.encode(try SGXS.mrenclave(stream)) == expected, "\(name)")
      }
      guard let expected = vector.sigstruct, vector.files.contains("sigstruct.bin") else {
        continue
      }
      let sigstruct = try Sigstruct(bytes: LaunchVectors.bytes("\(name)/sigstruct.bin"))
      let identity = sigstruct.identity
      #expect(Hex.encode(identity.mrenclave) == expected.mrenclave, "\(name)")
      #expect(Hex.encode(sigstruct.mrsigner) == expected.mrsigner, "\(name)")
      #expect(String(identity.date, radix: 16) == expected.date, "\(name)")
      #expect(identity.productID == expected.isvProdId, "\(name)")
      #expect(identity.securityVersion == expected.isvSvn, "\(name)")
      #expect(Hex.encode(identity.attributes) == expected.attributes, "\(name)")
      #expect(Hex.encode(identity.attributesMask) == expected.attributeMask, "\(name)")
      #expect(identity.miscSelect == expected.miscSelect, "\(name)")
      #expect(identity.miscMask == expected.miscMask, "\(name)")
      if expected.signatureValid {
        #expect(throws: Never.self, "\(name)") { try sigstruct.verify() }
      } else {
        let refusal = #expect(throws: MeasurementError.self) { try sigstruct.verify() }
        #expect(refusal?.code == .sigstructSignature, "\(name)")
      }
    }
  }

  struct Gramine: Decodable {
    let testKeyPem: String
    let files: [String: [UInt8]]
    let enclaves: [Enclave]

    struct Enclave: Decodable {
      let manifestSgx: String
      let libpal: String
      let date: String
      let mrenclave: String
      let mrsigner: String
      let sigB64: String
    }

    /// The file's keys name enclaves and libraries, so they are read as they stand.
    static func read() throws -> Gramine {
      let data = Data(try LaunchVectors.bytes("sgx/gramine-enclaves.json"))
      let all = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      var files: [String: [UInt8]] = [:]
      for (key, value) in all where key.hasSuffix("_b64") {
        let text = try #require(value as? String)
        files[key.dropLast(4) + ".so"] = [UInt8](try #require(Data(base64Encoded: text)))
      }
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let rows = try #require(all["vectors"] as? [String: Any])
      let enclaves = try rows.keys.sorted().map { key in
        try decoder.decode(
          Enclave.self, from: JSONSerialization.data(withJSONObject: try #require(rows[key])))
      }
      return Gramine(
        testKeyPem: try #require(all["test_key_pem"] as? String), files: files, enclaves: enclaves)
    }
  }

  @Test(.enabled(if: LaunchVectors.has("sgx/gramine-enclaves.json")))
  func gramineEnclavesMeasuredAndSigned() throws {
    let vectors = try Gramine.read()
    try #require(!vectors.enclaves.isEmpty)
    for row in vectors.enclaves {
      let manifest = try GramineManifest(Array(row.manifestSgx.utf8))
      let libpal = try #require(vectors.files[row.libpal])
      let mrenclave = try GramineEnclave(manifest: manifest, libpal: libpal).mrenclave()
      #expect(Hex.encode(mrenclave) == row.mrenclave)
      let date = try #require(UInt32(row.date.filter { $0 != "-" }, radix: 16))
      let signed = try Sigstruct(
        signing: EnclaveIdentity(manifest: manifest, mrenclave: mrenclave, date: date),
        keyPEM: vectors.testKeyPem)
      // PKCS#1 v1.5 is deterministic: every byte must be the one that Gramine's signer wrote.
      #expect(Data(signed.bytes).base64EncodedString() == row.sigB64)
      #expect(Hex.encode(signed.mrsigner) == row.mrsigner)
      #expect(throws: Never.self) { try signed.verify() }
    }
  }
}
