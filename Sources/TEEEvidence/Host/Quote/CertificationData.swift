/// How a quote certifies its quoting enclave's report.
///
/// DCAP ECDSA Quote library API, appendix A.4, "QE Certification Data". Type 6 is the wrapper of
/// versions 4 and 5 and never nested.
public enum CertificationData: Equatable, Sendable {
  /// Types 1, 2 and 3: the platform provisioning ID and what selects its PCK certificate.
  case platformID(PlatformID)
  /// Type 4: a PCK leaf certificate alone, PEM.
  case pckLeaf([UInt8])
  /// Type 5: the PCK chain, concatenated PEM, leaf first; NUL bytes may follow.
  case pckChain([UInt8])
  /// Type 7: a platform manifest, for registration only.
  case platformManifest([UInt8])

  /// What types 1, 2 and 3 hold instead of a certificate.
  public struct PlatformID: Equatable, Sendable {
    /// How the PPID is protected.
    public enum Protection: UInt16, Sendable {
      /// In the clear.
      case plain = 1
      /// Encrypted with RSA-2048-OAEP.
      case rsa2048 = 2
      /// Encrypted with RSA-3072-OAEP.
      case rsa3072 = 3
    }
    /// How the PPID is protected.
    public let protection: Protection
    /// The platform provisioning ID, as ``protection`` says.
    public let ppid: [UInt8]
    /// CPU security version number, 16 bytes.
    public let cpuSVN: [UInt8]
    /// Security version of the provisioning certification enclave.
    public let pceSVN: UInt16
    /// Identifier of the provisioning certification enclave.
    public let pceID: UInt16
  }

  /// The number that names the kind in a quote.
  public var type: UInt16 {
    switch self {
    case .platformID(let platform): platform.protection.rawValue
    case .pckLeaf: 4
    case .pckChain: 5
    case .platformManifest: 7
    }
  }

  static let qeReportType: UInt16 = 6

  init(_ reader: inout FieldReader) throws(EvidenceError) {
    let type = try reader.u16("certification data type")
    let count = try reader.u32("certification data size")
    let start = reader.offset
    let data = try reader.slice("certification data", Int(count))
    switch type {
    case 1, 2, 3: self = .platformID(try PlatformID(type, data, base: start))
    case 4: self = .pckLeaf(Array(data))
    case 5: self = .pckChain(Array(data))
    case 7: self = .platformManifest(Array(data))
    default:
      throw EvidenceError(.unknownType, "certification data type", at: start - 6)
    }
  }
}

extension CertificationData.PlatformID {
  init(_ type: UInt16, _ data: ArraySlice<UInt8>, base: Int) throws(EvidenceError) {
    protection = Protection(rawValue: type) ?? .plain
    var reader = FieldReader(data, base: base)
    // The PPID's size depends on how it is protected; what follows it has 20 bytes.
    ppid = try reader.array("PPID", data.count - 20)
    cpuSVN = try reader.array("CPUSVN", 16)
    pceSVN = try reader.u16("PCESVN")
    pceID = try reader.u16("PCEID")
  }
}
