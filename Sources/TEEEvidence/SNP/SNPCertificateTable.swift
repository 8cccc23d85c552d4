import ArcaBytes

/// The table of certificates that a host hands a guest with an extended report (AMD 56421,
/// section 4.1.8.1): headers of a GUID, an offset and a length, ended by a zero header.
public struct SNPCertificateTable: Sendable {
  /// Upper bound of a table, in bytes.
  public static let bytesMax = 1 << 17
  /// Upper bound of its entries.
  public static let entriesMax = 16

  /// What an entry holds, by the name that the key broker protocol has for it.
  public enum Kind: Text, Sendable, CaseIterable {
    /// Versioned chip endorsement key.
    case vcek = "VCEK"
    /// Versioned loaded endorsement key.
    case vlek = "VLEK"
    /// The intermediate authority, ASK or ASVK.
    case ask = "ASK"
    /// The root.
    case ark = "ARK"
    /// The product line's revocation list.
    case crl = "CRL"

    /// The GUID in the order in which it is written.
    public var guid: [UInt8] {
      let digits: Text =
        switch self {
        case .vcek: "63da758de6644564adc5f4b93be8accd"
        case .vlek: "a8074bc2a25a483eaae639c045a0b8a1"
        case .ask: "4ab7b379bbac4fe4a02f05aef327c782"
        case .ark: "c0b406a4a803495297433fb6014cd0ae"
        case .crl: "92f81bc358114d3d97ffd19f88dc67ea"
        }
      return Hex.decode(digits) ?? []
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
