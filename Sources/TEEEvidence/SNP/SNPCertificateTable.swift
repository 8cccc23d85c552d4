import ArcaBytes

/// The table of certificates that a host hands a guest with an extended report (AMD 56421,
/// section 4.1.8.1): headers of a GUID, an offset and a length, ended by a zero header.
public struct SNPCertificateTable: Sendable {
  /// Upper bound of a table, in bytes.
  public static let bytesMax = 1 << 17
  /// Upper bound of its entries.
  public static let entriesMax = 16

  /// What an entry holds.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// Versioned chip endorsement key.
    case vcek
    /// Versioned loaded endorsement key.
    case vlek
    /// The intermediate authority, ASK or ASVK.
    case ask
    /// The root.
    case ark
    /// The product line's revocation list.
    case crl

    /// The GUID in the order in which it is written.
    public var guid: [UInt8] {
      let (high, low): (UInt64, UInt64) =
        switch self {
        case .vcek: (0x63DA_758D_E664_4564, 0xADC5_F4B9_3BE8_ACCD)
        case .vlek: (0xA807_4BC2_A25A_483E, 0xAAE6_39C0_45A0_B8A1)
        case .ask: (0x4AB7_B379_BBAC_4FE4, 0xA02F_05AE_F327_C782)
        case .ark: (0xC0B4_06A4_A803_4952, 0x9743_3FB6_014C_D0AE)
        case .crl: (0x92F8_1BC3_5811_4D3D, 0x97FF_D19F_88DC_67EA)
        }
      return [high, low].flatMap { half in
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> UInt64($0)) }
      }
    }
  }

  /// One certificate or list.
  public struct Entry: Sendable {
    /// What it is.
    public let kind: Kind
    /// Its bytes, as the host put them there.
    public let content: [UInt8]
  }

  /// The entries of a known kind, in the table's order; others are passed over.
  public let entries: [Entry]

  /// Reads a table; bytes that no entry points to are not looked at.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= Self.bytesMax else { throw EvidenceError(.tooLarge, "certificate table") }
    var headers: [(guid: ArraySlice<UInt8>, offset: Int, length: Int)] = []
    var end = 0
    while true {
      let header = bytes[end...].prefix(24)
      guard header.count == 24 else {
        throw EvidenceError(.truncated, "certificate table header", at: end)
      }
      end += 24
      if header.prefix(16).allSatisfy({ $0 == 0 }) {
        guard header.allSatisfy({ $0 == 0 }) else {
          throw EvidenceError(.invalid, "certificate table header", at: end - 24)
        }
        break
      }
      let offset = Int(header.dropFirst(16).prefix(4).littleEndian)
      headers.append((header.prefix(16), offset, Int(header.suffix(4).littleEndian)))
      guard headers.count <= Self.entriesMax else {
        throw EvidenceError(.tooLarge, "certificate table headers", at: end)
      }
    }
    var entries: [Entry] = []
    for header in headers {
      guard header.offset >= end, header.length <= bytes.count,
        header.offset <= bytes.count - header.length
      else { throw EvidenceError(.invalid, "certificate table entry", at: header.offset) }
      let known = Kind.allCases.first { $0.guid.elementsEqual(header.guid) }
      guard let kind = known else { continue }
      guard !entries.contains(where: { $0.kind == kind }) else {
        throw EvidenceError(.invalid, "certificate table entry given twice", at: header.offset)
      }
      let content = Array(bytes[header.offset...].prefix(header.length))
      entries.append(Entry(kind: kind, content: content))
    }
    self.entries = entries
  }
}
