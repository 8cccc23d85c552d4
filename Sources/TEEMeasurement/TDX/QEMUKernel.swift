/// A Linux bzImage as QEMU serves it to the firmware in a direct boot.
public enum QEMUKernel: Sendable {
  /// The file as it is: newer QEMU (`etc/boot/kernel` in fw_cfg).
  case unpatched
  /// With a setup header that QEMU filled in, as older QEMU does; it depends on the memory's size.
  case patched(memoryMiB: Int)

  /// QEMU's default q35 machine keeps this much at the end of low memory for ACPI tables.
  private static let acpiBytes: UInt64 = 0x28000
  private static let realModeAddress: UInt32 = 0x10000
  private static let commandLineAddress: UInt32 = 0x20000

  /// The bytes that the firmware measures and starts.
  ///
  /// - Parameters:
  ///   - kernel: the file.
  ///   - initrdBytes: length of the initrd; 0 where there is none.
  ///   - commandLine: the kernel's command line.
  /// - Returns: the image.
  /// - Throws: ``MeasurementError`` with `kernelMalformed`.
  public func served(
    _ kernel: [UInt8], initrdBytes: Int, commandLine: String
  ) throws(MeasurementError) -> [UInt8] {
    guard case .patched(let memoryMiB) = self else { return kernel }
    guard memoryMiB > 0, memoryMiB < 1 << 30 else {
      throw Self.refused("cannot be placed: the guest's memory of \(memoryMiB) MiB is impossible")
    }
    // QEMU writes a video mode into the header for vga=, which a TD has no use for.
    guard !commandLine.split(separator: " ").contains(where: { $0.hasPrefix("vga=") }) else {
      throw Self.refused("cannot be predicted with vga= on its command line; remove that option")
    }
    var header = FieldReader(kernel[...], "the kernel", .kernelMalformed)
    _ = try header.slice(0x202)
    guard kernel.count >= 0x260, Array(kernel[0x202..<0x206]) == Array("HdrS".utf8) else {
      throw Self.refused("has no Linux boot header: give a bzImage")
    }
    let version = UInt16(kernel[0x206]) | UInt16(kernel[0x207]) << 8
    guard version >= 0x206, kernel[0x211] & 1 != 0 else {
      throw Self.refused("has boot protocol \(hex(version)); expected a bzImage of 2.06 or later")
    }
    var image = kernel
    func put(_ value: UInt32, at offset: Int, bytes count: Int = 4) {
      for index in 0..<count {
        image[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
      }
    }
    put(0xb0, at: 0x210, bytes: 1)  // type_of_loader: QEMU
    put(UInt32(kernel[0x211]) | 0x80, at: 0x211, bytes: 1)  // loadflags: CAN_USE_HEAP
    put(Self.commandLineAddress - Self.realModeAddress - 0x200, at: 0x224, bytes: 2)  // heap_end
    put(Self.commandLineAddress, at: 0x228)
    if initrdBytes > 0 {
      put(
        try Self.initrdAddress(
          kernel, version: version, initrdBytes: UInt64(initrdBytes), memoryMiB: memoryMiB),
        at: 0x218)
      put(UInt32(truncatingIfNeeded: initrdBytes), at: 0x21c)
    }
    return image
  }

  /// As high as the kernel, low memory and 4 GiB allow, on a page boundary.
  private static func initrdAddress(
    _ kernel: [UInt8], version: UInt16, initrdBytes: UInt64, memoryMiB: Int
  ) throws(MeasurementError) -> UInt32 {
    let loadedAbove4GiB = kernel[0x236] & 2 != 0
    var highest: UInt64
    if version >= 0x20c, loadedAbove4GiB {
      highest = UInt64(UInt32.max)
    } else {
      highest = (0..<4).reduce(0) { $0 | UInt64(kernel[0x22c + $1]) << UInt64(8 * $1) }
    }
    let memory = UInt64(memoryMiB) << 20
    // A q35 machine that cannot hold all memory below its MMIO window keeps 2 GiB there.
    let low = memory >= 0xb000_0000 ? 0x8000_0000 : memory
    guard low > acpiBytes else { throw refused("does not fit into \(memoryMiB) MiB of memory") }
    highest = min(highest, low - acpiBytes - 1)
    guard initrdBytes < highest else {
      throw refused("leaves no room for an initrd of \(initrdBytes) bytes in \(memoryMiB) MiB")
    }
    return UInt32(truncatingIfNeeded: (highest - initrdBytes) & ~4095)
  }

  private static func refused(_ what: String) -> MeasurementError {
    MeasurementError(.kernelMalformed, "the kernel \(what)")
  }
}
