/// The SGX extension of a PCK certificate: what platform the key belongs to and at which security
/// versions (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5).
struct PCKExtension: Equatable {
  /// Content octets of 1.2.840.113741.1.13.1; the fields' identifiers extend it.
  static let oid: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01]

  /// Platform provisioning identifier, 16 bytes.
  let ppid: [UInt8]
  /// Security version of each SGX TCB component.
  let components: SIMD16<UInt8>
  /// Security version of the provisioning certification enclave.
  let pceSVN: UInt16
  /// Identifier of the provisioning certification enclave, 2 bytes.
  let pceID: [UInt8]
  /// Family, model, stepping and platform, 6 bytes.
  let fmspc: [UInt8]

  /// Reads the extension of `certificate`.
  init(_ certificate: X509Certificate) throws(AttestationError) {
    guard let value = certificate.extensionValue(PCKExtension.oid) else {
      throw AttestationError(.malformed, "PCK certificate: no SGX extension")
    }
    var fields = Fields()
    var outer = DERReader(value)
    var list = try outer.nested()
    try outer.expectEnd()
    while !list.isAtEnd {
      var item = try list.nested()
      try fields.read(&item)
    }
    guard let ppid = fields.ppid, let pceSVN = fields.pceSVN, let pceID = fields.pceID,
      let fmspc = fields.fmspc, fields.componentCount == 16
    else { throw AttestationError(.malformed, "PCK certificate: SGX extension lacks a field") }
    self.ppid = ppid
    self.pceSVN = pceSVN
    self.pceID = pceID
    self.fmspc = fmspc
    components = fields.components
  }

  private struct Fields {
    var ppid: [UInt8]?
    var components = SIMD16<UInt8>()
    var componentCount = 0
    var pceSVN: UInt16?
    var pceID: [UInt8]?
    var fmspc: [UInt8]?

    /// Reads one field; those that say nothing about trust (SGX type, instance, configuration)
    /// are passed over.
    mutating func read(_ item: inout DERReader) throws(AttestationError) {
      let id = try Self.identifier(&item)
      switch id.count == 1 ? id.first : nil {
      case 1: ppid = try Self.octets(&item, 16)
      case 2:
        var list = try item.nested()
        while !list.isAtEnd {
          var component = try list.nested()
          try readTCB(&component)
        }
      case 3: pceID = try Self.octets(&item, 2)
      case 4: fmspc = try Self.octets(&item, 6)
      default: break
      }
    }

    /// Reads .2.1 to .2.16 (components, in order), .2.17 (PCESVN) or .2.18 (CPUSVN).
    private mutating func readTCB(_ item: inout DERReader) throws(AttestationError) {
      let id = try Self.identifier(&item)
      guard id.count == 2, id.first == 2, let number = id.last else {
        throw AttestationError(.malformed, "PCK certificate: unknown TCB field")
      }
      if number == 17 {
        pceSVN = UInt16(exactly: try item.smallInteger())
      } else if number < 17 {
        guard Int(number) == componentCount + 1, let svn = UInt8(exactly: try item.smallInteger())
        else { throw AttestationError(.malformed, "PCK certificate: TCB component \(number)") }
        components[componentCount] = svn
        componentCount += 1
      }
    }

    /// The arcs of an identifier after those of the extension itself.
    private static func identifier(_ item: inout DERReader) throws(AttestationError)
      -> ArraySlice<UInt8>
    {
      let oid = item.bytes[try item.element(DERReader.Tag.oid).content]
      guard oid.starts(with: PCKExtension.oid) else {
        throw AttestationError(.malformed, "PCK certificate: foreign field in the SGX extension")
      }
      return oid.dropFirst(PCKExtension.oid.count)
    }

    private static func octets(_ item: inout DERReader, _ count: Int) throws(AttestationError)
      -> [UInt8]
    {
      let content = try item.element(DERReader.Tag.octetString).content
      guard content.count == count else {
        throw AttestationError(.malformed, "PCK certificate: field of \(content.count) bytes")
      }
      return Array(item.bytes[content])
    }
  }
}
