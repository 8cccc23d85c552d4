import ArcaBytes
import Foundation

/// Takes the ELF kernel out of a bzImage (Linux documentation, "The Linux/x86 Boot Protocol").
///
/// QEMU starts an ELF kernel by its PVH entry, which spares the guest the unpacking. Firmware that
/// boots by the Linux protocol takes the bzImage.
enum BootImage {
  private static let packers: [(magic: [UInt8], command: [String], hasSizeAppended: Bool)] = [
    ([0x28, 0xb5, 0x2f, 0xfd], ["zstd", "-q", "-dc"], true),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a], ["xz", "-dc"], true),
    ([0x02, 0x21, 0x4c, 0x18], ["lz4", "-dc"], true),
    ([0x1f, 0x8b, 0x08], ["gzip", "-dc"], false),
  ]

  static func unpack(_ bzImage: Data) throws(BuildError) -> Data {
    let payload: [UInt8]
    do {
      var reader = ByteReader(Array(bzImage.prefix(0x250)))
      try reader.skip(0x1f1)
      let setupSectors = Int(try reader.u8())
      try reader.skip(0x202 - 0x1f2)
      try reader.skip(0x248 - 0x202)
      let (offset, length) = (Int(try reader.u32()), Int(try reader.u32()))
      var whole = ByteReader([UInt8](bzImage))
      try whole.skip((setupSectors + 1) * 512 + offset)
      payload = try whole.array(length)
    } catch {
      throw BuildError(.kernel, "the kernel is not a bzImage of boot protocol 2.08 or later")
    }
    for packer in packers where payload.starts(with: packer.magic) {
      let packed = packer.hasSizeAppended ? payload.dropLast(4) : payload[...]
      let kernel = try Tool.run(packer.command, input: Data(packed))
      guard kernel.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
        throw BuildError(.kernel, "the bzImage does not hold an ELF kernel")
      }
      return kernel
    }
    throw BuildError(
      .kernel, "the kernel is packed in an unknown way: \(Hex.encode(payload.prefix(8)))")
  }
}
