import TEEEvidence

/// The platform that a simulated PCK certificate describes.
package struct SimulatedIntelPlatform: Sendable {
  /// Family, model, stepping and platform, 6 bytes.
  package var fmspc: [UInt8] = [0x00, 0xA0, 0x6D, 0x0A, 0x00, 0x00]
  /// Identifier of the provisioning certification enclave, 2 bytes.
  package var pceID: [UInt8] = [0, 0]
  /// Platform provisioning identifier, 16 bytes.
  package var ppid = [UInt8](repeating: 0x5A, count: 16)
  /// Security version of each SGX TCB component, 16.
  package var components: [UInt8] = [7, 7, 4, 4, 4, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]
  /// Security version of the provisioning certification enclave.
  package var pceSVN: UInt16 = 15
  /// Version of the TDX module that simulated TDs are launched by, 16 bytes.
  package var teeTCBSVN: [UInt8] = [8, 1, 6] + [UInt8](repeating: 0, count: 13)
  /// Signer of the simulated quoting enclave, 32 bytes.
  package var qeSigner = [UInt8](repeating: 0xA5, count: 32)
  /// Security version of the simulated quoting enclave.
  package var qeSVN: UInt16 = 8

  /// The platform that simulated TEEs have.
  package init() {}

  /// Product number of the quoting enclave for `tee`, as Intel numbers them.
  static func qeProductID(_ tee: QuoteHeader.TEE) -> UInt16 { tee == .sgx ? 1 : 2 }

  /// The SGX extension (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5).
  package var pckExtension: X509Extension {
    func octets(_ content: [UInt8]) -> [UInt8] {
      DERWriter.element(DERReader.Tag.octetString, content)
    }
    func field(_ arcs: [UInt8], _ value: [UInt8]) -> [UInt8] {
      DERWriter.sequence([DERWriter.oid(PCKExtension.oid + arcs), value])
    }
    var tcb = components.enumerated().map {
      field([2, UInt8($0.offset + 1)], DERWriter.integer([$0.element]))
    }
    let pce = [UInt8(pceSVN >> 8), UInt8(pceSVN & 0xFF)]
    tcb += [field([2, 17], DERWriter.integer(pce)), field([2, 18], octets(components))]
    return X509Extension(
      oid: PCKExtension.oid, isCritical: false,
      value: DERWriter.sequence([
        field([1], octets(ppid)), field([2], DERWriter.sequence(tcb)), field([3], octets(pceID)),
        field([4], octets(fmspc)), field([5], DERWriter.element(DERReader.Tag.enumerated, [1])),
      ]))
  }
}
