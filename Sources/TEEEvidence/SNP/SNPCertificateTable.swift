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
      switch self {
      case .vcek:
        return [
          0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64, 0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC,
          0xCD,
        ]
      case .vlek:
        return [
          0xA8, 0x07, 0x4B, 0xC2, 0xA2, 0x5A, 0x48, 0x3E, 0xAA, 0xE6, 0x39, 0xC0, 0x45, 0xA0, 0xB8,
          0xA1,
        ]
      case .ask:
        return [
          0x4A, 0xB7, 0xB3, 0x79, 0xBB, 0xAC, 0x4F, 0xE4, 0xA0, 0x2F, 0x05, 0xAE, 0xF3, 0x27, 0xC7,
          0x82,
        ]
      case .ark:
        return [
          0xC0, 0xB4, 0x06, 0xA4, 0xA8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3F, 0xB6, 0x01, 0x4C, 0xD0,
          0xAE,
        ]
      case .crl:
        return [
          0x92, 0xF8, 0x1B, 0xC3, 0x58, 0x11, 0x4D, 0x3D, 0x97, 0xFF, 0xD1, 0x9F, 0x88, 0xDC, 0x67,
          0xEA,
        ]
      }
    }
  }

  /// One certificate or list.
  public struct Entry: Sendable {
    /// What it is.
    public let kind: Kind
    /// Its bytes, as the host put them there.
    public let content: [UInt8]

    /// Creates an entry.
    public init(_ kind: Kind, _ content: [UInt8]) {
      self.kind = kind
      self.content = content
    }
  }

  /// The entries of a known kind, in the table's order; others are passed over.
  public let entries: [Entry]

  /// Creates a table.
  public init(_ entries: [Entry]) {
    self.entries = entries
  }

  /// Reads a table; bytes that no entry points to are not looked at.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= Self.bytesMax else { throw EvidenceError(.tooLarge, "certificate table") }
    var reader = ByteReader(bytes)
    var headers: [(guid: [UInt8], offset: Int, length: Int)] = []
    while true {
      let start = reader.offset
      do throws(BytesError) {
        let guid = try reader.array(16)
        let offset = Int(try reader.u32())
        let length = Int(try reader.u32())
        if guid.allSatisfy({ $0 == 0 }) {
          guard offset == 0, length == 0 else { throw BytesError(.invalid, at: start) }
          break
        }
        headers.append((guid, offset, length))
      } catch {
        throw EvidenceError(
          error.code == .truncated ? .truncated : .invalid, "certificate table header", at: start)
      }
      guard headers.count <= Self.entriesMax else {
        throw EvidenceError(.tooLarge, "certificate table headers", at: start)
      }
    }
    var entries: [Entry] = []
    for header in headers {
      guard header.offset >= reader.offset, header.length <= bytes.count,
        header.offset <= bytes.count - header.length
      else { throw EvidenceError(.invalid, "certificate table entry", at: header.offset) }
      guard let kind = Kind.allCases.first(where: { $0.guid == header.guid }) else { continue }
      guard !entries.contains(where: { $0.kind == kind }) else {
        throw EvidenceError(.invalid, "certificate table entry given twice", at: header.offset)
      }
      entries.append(Entry(kind, Array(bytes[header.offset..<header.offset + header.length])))
    }
    self.entries = entries
  }

  /// The table's bytes, contents right after the headers.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter()
    var offset = (entries.count + 1) * 24
    for entry in entries {
      writer.append(entry.kind.guid)
      writer.u32(UInt32(truncatingIfNeeded: offset))
      writer.u32(UInt32(truncatingIfNeeded: entry.content.count))
      offset += entry.content.count
    }
    writer.zeros(24)
    for entry in entries { writer.append(entry.content) }
    return writer.bytes
  }
}
