import ArcaBytes
import Foundation
import TEEAttestation
import TEEEvidence
import TEEMeasurement

/// What a file that has to do with attestation holds, told from its bytes alone.
enum AttestInput {
  /// Evidence, with the attestation request that it came in where there is one.
  case evidence(Evidence, request: KBSAttestation?)
  case eventLog(EventLog)
  case certificates([X509Certificate])
  case certificateTable(SNPCertificateTable)
  case revocationList(X509CRL)
  case tcbInfo(TCBInfo)
  case qeIdentity(QEIdentity)
  case sigstruct(Sigstruct)

  private static let bytesMax = 16 << 20

  /// Reads and tells apart the file at `path`; `-` is standard input.
  init(path: String) throws {
    let content: Data?
    if path == "-" {
      content = try FileHandle.standardInput.readToEnd() ?? Data()
    } else {
      content = FileManager.default.contents(atPath: path)
    }
    guard let content else { throw CommandError("\(path): cannot be read") }
    guard content.count <= Self.bytesMax else {
      throw CommandError("\(path): found \(content.count) bytes, expected 16 MiB at most")
    }
    do {
      guard let input = try Self.detect([UInt8](content)) else {
        throw CommandError(
          "\(path): found \(content.count) bytes of no known kind; expected an SNP report, an SGX "
            + "or TDX quote (raw, hexadecimal or Base64), KBS evidence, an event log, "
            + "certificates, a certificate table, a revocation list, TCB info, a QE identity or a "
            + "SIGSTRUCT")
      }
      self = input
    } catch let error as AttestationError {
      throw CommandError("\(path): \(error.detail)")
    } catch let error as EvidenceError {
      throw CommandError("\(path): \(AttestationError(error, in: "the file").detail)")
    }
  }

  private static func detect(_ bytes: [UInt8]) throws -> AttestInput? {
    if bytes.starts(with: Array("-----BEGIN".utf8)) { return try pem(bytes) }
    if let first = bytes.first(where: { !isSpace($0) }), [0x7b, 0x5b].contains(first) {
      return try json(bytes)
    }
    if let decoded = textEncoded(bytes) { return try binary(decoded) }
    return try binary(bytes)
  }

  private static func pem(_ bytes: [UInt8]) throws -> AttestInput {
    let blocks = try PEM.blocks(bytes)
    if let list = blocks.first, list.label == "X509 CRL" {
      return .revocationList(try X509CRL(der: list.der))
    }
    return .certificates(try X509Certificate.chain(pem: bytes))
  }

  private static func binary(_ bytes: [UInt8]) throws -> AttestInput? {
    if bytes.starts(with: [0x30, 0x82]) {
      if let certificate = try? X509Certificate(der: bytes) { return .certificates([certificate]) }
      return .revocationList(try X509CRL(der: bytes))
    }
    if bytes.count == Sigstruct.byteCount, let structure = try? Sigstruct(bytes: bytes) {
      return .sigstruct(structure)
    }
    if isCertificateTable(bytes[...]) { return .certificateTable(try SNPCertificateTable(bytes)) }
    // An event log begins as a report may, but no certificate table follows there.
    if let evidence = Evidence(detecting: bytes),
      evidence.kind != .snp || bytes.count <= SNPReport.byteCount
        || isCertificateTable(evidence.certificateTable[...])
    {
      return .evidence(evidence, request: nil)
    }
    return (try? EventLog(ccel: bytes)).map { .eventLog($0) }
  }

  private static func isCertificateTable(_ bytes: ArraySlice<UInt8>) -> Bool {
    SNPCertificateTable.Kind.allCases.contains { bytes.starts(with: $0.guid) }
  }

  private static func json(_ bytes: [UInt8]) throws -> AttestInput? {
    if let log = try? EventLog(json: bytes) { return .eventLog(log) }
    guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
      return nil
    }
    if object["tcbInfo"] != nil { return .tcbInfo(try TCBInfo(bytes)) }
    if object["enclaveIdentity"] != nil { return .qeIdentity(try QEIdentity(bytes)) }
    guard let attestation = try KBSAttestation(object) else { return nil }
    return .evidence(attestation.evidence, request: attestation)
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x0a, 0x0d, 0x09].contains(byte) }

  /// What hexadecimal or Base64 text spells, or nil where `bytes` are neither.
  static func textEncoded(_ bytes: [UInt8]) -> [UInt8]? {
    let text = bytes.filter { !isSpace($0) }
    guard !text.isEmpty, text.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
    let string = String(decoding: text, as: UTF8.self)
    if let decoded = Hex.decode(string.hasPrefix("0x") ? String(string.dropFirst(2)) : string) {
      return decoded
    }
    return base64(string)
  }

  /// Standard or URL alphabet, padded or not.
  static func base64(_ text: String) -> [UInt8]? {
    var standard = text.replacing("-", with: "+").replacing("_", with: "/")
    while standard.count % 4 != 0 { standard += "=" }
    return Data(base64Encoded: standard).map { [UInt8]($0) }
  }
}
