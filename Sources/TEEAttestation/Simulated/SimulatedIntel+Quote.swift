import ArcaBytes
import Crypto
import TEEEvidence

/// What a simulated quoting enclave does; every part can be made wrong for a test.
package struct SimulatedIntelQuoting: Sendable {
  /// The quoting enclave's report; its report data is filled in by ``bindsAttestationKey``.
  package var report: EnclaveReport
  /// Data that the QE report binds together with the attestation key.
  package var authenticationData: [UInt8] = Array(0..<32)
  /// Whether the report data binds the attestation key.
  package var bindsAttestationKey = true
  /// Type and content of the certification data; nil for type 5 with the PCK chain.
  package var certification: (type: UInt16, data: [UInt8])?

  /// The quoting enclave of `platform` for `tee`, as it should be.
  package init(for tee: QuoteHeader.TEE, platform: SimulatedIntelPlatform = .init()) {
    report = EnclaveReport()
    report.attributes[0] = 0x11
    report.mrSigner = platform.qeSigner
    report.isvProductID = SimulatedIntelPlatform.qeProductID(tee)
    report.isvSVN = platform.qeSVN
  }
}

extension SimulatedIntel {
  /// A signed quote of `version` 3 (SGX), 4 or 5 about `body`.
  ///
  /// Version 4 carries a TDX 1.0 body whatever `body` has. Throws `invalidKey`.
  public func quote(_ body: Quote.Body, version: UInt16) throws(AttestationError) -> [UInt8] {
    try quote(body, version: version, quoting: nil)
  }

  /// As ``quote(_:version:)``, by a quoting enclave that a test may have made wrong.
  package func quote(
    _ body: Quote.Body, version: UInt16, quoting: SimulatedIntelQuoting?
  ) throws(AttestationError) -> [UInt8] {
    let tee: QuoteHeader.TEE = if case .sgx = body { .sgx } else { .tdx }
    return try quotingEnclave(quoting ?? SimulatedIntelQuoting(for: tee))
      .quote(body, version: version)
  }

  /// The platform's quoting enclave for `tee`: all that signing quotes takes.
  public func quotingEnclave(
    for tee: QuoteHeader.TEE
  ) throws(AttestationError) -> SimulatedQuotingEnclave {
    try quotingEnclave(SimulatedIntelQuoting(for: tee))
  }

  private func quotingEnclave(
    _ quoting: SimulatedIntelQuoting
  ) throws(AttestationError) -> SimulatedQuotingEnclave {
    let attestationKey = Array(try key(.attestation).publicKey.rawRepresentation)
    var report = quoting.report
    if quoting.bindsAttestationKey {
      report.reportData =
        Array(SHA256.hash(data: attestationKey + quoting.authenticationData))
        + [UInt8](repeating: 0, count: 32)
    }
    let certification = quoting.certification ?? (5, pckChain + [0])
    var enclave = ByteWriter()
    enclave.append(report.encoded)
    enclave.append(try signature(of: .pck, over: report.encoded))
    enclave.u16(UInt16(quoting.authenticationData.count))
    enclave.append(quoting.authenticationData)
    enclave.u16(certification.type)
    enclave.u32(UInt32(certification.data.count))
    enclave.append(certification.data)
    return try SimulatedQuotingEnclave(
      attestationPrivateKey: Array(try key(.attestation).rawRepresentation),
      certification: enclave.bytes)
  }
}

/// A quoting enclave that no processor stands behind; its key is certified by a simulated vendor.
public struct SimulatedQuotingEnclave: Sendable {
  /// The QE report, the PCK key's signature over it, authentication data and what certifies the PCK
  /// key, as a quote carries them.
  public let certification: [UInt8]
  private let key: P256.Signing.PrivateKey

  /// The attestation key's private scalar, 32 bytes.
  public var attestationPrivateKey: [UInt8] { Array(key.rawRepresentation) }

  /// An enclave of these parts; what `certification` holds is not checked.
  public init(attestationPrivateKey: [UInt8], certification: [UInt8]) throws(AttestationError) {
    do {
      key = try P256.Signing.PrivateKey(rawRepresentation: attestationPrivateKey)
    } catch {
      throw AttestationError(
        .invalidKey, "simulated quoting enclave: the attestation key: \(error)")
    }
    self.certification = certification
  }

  /// A trust domain as the platform starts it: its own fields are filled in, the rest is zero.
  ///
  /// SEPT_VE_DISABLE is set and debugging is not, as verifiers demand.
  public static var trustDomain: TDReport {
    var report = TDReport(is15: false)
    report.teeTCBSVN = SimulatedIntelPlatform().teeTCBSVN
    report.tdAttributes[3] = 0x10
    return report
  }

  /// An initialised 64-bit enclave that cannot be debugged; its own fields are zero.
  public static var enclave: EnclaveReport {
    var report = EnclaveReport()
    // INIT and MODE64BIT; XFRM of x87 and SSE (Intel SDM volume 3D, section 35.7).
    report.attributes[0] = 0x05
    report.attributes[8] = 0x03
    return report
  }

  /// A signed quote of `version` 3 (SGX), 4 or 5 about `body`.
  ///
  /// Version 4 carries a TDX 1.0 body whatever `body` has. Throws `invalidKey`.
  public func quote(_ body: Quote.Body, version: UInt16) throws(AttestationError) -> [UInt8] {
    let tee: QuoteHeader.TEE = if case .sgx = body { .sgx } else { .tdx }
    let signed = Self.signedPart(body, tee, version)
    let signature: [UInt8]
    do {
      signature = Array(try key.signature(for: signed).rawRepresentation)
    } catch {
      throw AttestationError(.invalidKey, "simulated quoting enclave: does not sign: \(error)")
    }
    var data = ByteWriter()
    data.append(signature)
    data.append(Array(key.publicKey.rawRepresentation))
    if version > 3 {
      data.u16(6)
      data.u32(UInt32(certification.count))
    }
    data.append(certification)
    var quote = ByteWriter()
    quote.append(signed)
    quote.u32(UInt32(data.bytes.count))
    quote.append(data.bytes)
    return quote.bytes
  }

  /// Header and body, which the attestation key signs.
  private static func signedPart(
    _ body: Quote.Body, _ tee: QuoteHeader.TEE, _ version: UInt16
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.u16(version)
    writer.u16(2)
    writer.u32(tee.rawValue)
    writer.u32(0)
    writer.append(QuoteHeader.intelVendorID)
    writer.zeros(20)
    let content: [UInt8]
    switch body {
    case .sgx(let report): content = report.encoded
    case .tdx(let report):
      content = version == 5 ? report.encoded : Array(report.encoded.prefix(TDReport.byteCount10))
    }
    if version == 5 {
      switch content.count {
      case EnclaveReport.byteCount: writer.u16(1)
      case TDReport.byteCount10: writer.u16(2)
      default: writer.u16(3)
      }
      writer.u32(UInt32(content.count))
    }
    writer.append(content)
    return writer.bytes
  }
}
