import ArcaBytes
import Foundation

/// A made-up firmware image with the tables that launches read.
struct FirmwareImage {
  var pages = 4
  /// The GUID table's entries, nearest to the end of the image first.
  var entries: [(guid: String, data: [UInt8])] = []
  /// SEV metadata sections: address, size, type.
  var sevSections: [(UInt32, UInt32, UInt32)] = []
  /// TDVF sections: data offset, raw size, address, size, type, attributes.
  var tdvfSections: [(UInt32, UInt32, UInt64, UInt64, UInt32, UInt32)] = []

  static let hashesTable = "7255371f-3a3b-4b04-927b-1da6efa8d454"
  static let resetBlock = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
  static let sevMetadata = "dc886566-984a-4798-a75e-5585a7bf67cc"
  static let tdvf = "e47a6535-984a-4798-865e-4685a7bf8ec2"
  private static let footer = "96b582de-1fb2-45f7-baea-a366c55a082d"

  /// An image with a hashes table at 0x810c00 and everything that SEV-SNP needs.
  static var amdSev: FirmwareImage {
    var image = FirmwareImage()
    image.entries = [
      (hashesTable, littleEndian(0x810c00) + littleEndian(0x400)),
      (resetBlock, littleEndian(0x80b004)),
    ]
    image.sevSections = [
      (0x800000, 0x3000, 1), (0x80d000, 0x1000, 2), (0x80e000, 0x1000, 3), (0x80f000, 0x1000, 4),
      (0x810000, 0x1000, 0x10),
    ]
    return image
  }

  /// The image's bytes; descriptors stand at 0x100 and 0x800.
  func bytes() -> [UInt8] {
    var image = [UInt8](repeating: 0xf4, count: pages * 4096)
    var entries = entries
    func place(_ content: [UInt8], at offset: Int, guid: String) {
      image.replaceSubrange(offset..<offset + content.count, with: content)
      entries.append((guid, Self.littleEndian(UInt32(image.count - offset))))
    }
    if !sevSections.isEmpty {
      var writer = ByteWriter()
      writer.append("ASEV".utf8)
      writer.u32(UInt32(16 + 12 * sevSections.count))
      writer.u32(1)
      writer.u32(UInt32(sevSections.count))
      for (address, size, type) in sevSections {
        for value in [address, size, type] { writer.u32(value) }
      }
      place(writer.bytes, at: 0x100, guid: Self.sevMetadata)
    }
    if !tdvfSections.isEmpty {
      var writer = ByteWriter()
      writer.append("TDVF".utf8)
      writer.u32(UInt32(16 + 32 * tdvfSections.count))
      writer.u32(1)
      writer.u32(UInt32(tdvfSections.count))
      for (offset, raw, address, size, type, attributes) in tdvfSections {
        writer.u32(offset)
        writer.u32(raw)
        writer.u64(address)
        writer.u64(size)
        writer.u32(type)
        writer.u32(attributes)
      }
      place(writer.bytes, at: 0x800, guid: Self.tdvf)
    }
    var table = ByteWriter()
    for (guid, data) in entries.reversed() {
      table.append(data)
      table.u16(UInt16(data.count + 18))
      table.append(Self.guidBytes(guid))
    }
    table.u16(UInt16(table.bytes.count + 18))
    table.append(Self.guidBytes(Self.footer))
    let end = image.count - 32
    image.replaceSubrange(end - table.bytes.count..<end, with: table.bytes)
    return image
  }

  static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
  }

  private static func guidBytes(_ text: String) -> [UInt8] {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    let bytes = Hex.decode(text.filter { $0 != "-" }) ?? []
    return order.map { bytes[$0] }
  }
}
