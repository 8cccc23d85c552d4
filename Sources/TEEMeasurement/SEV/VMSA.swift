import ArcaBytes

/// The hypervisors whose initial vCPU states are known to differ.
public enum LaunchVMM: String, CaseIterable, Sendable, Codable {
  /// QEMU with KVM.
  case qemu
  /// Amazon EC2.
  case ec2
  /// Google Compute Engine.
  case gce
}

/// The initial state of a vCPU, as SEV-ES and SEV-SNP measure it (AMD APM volume 2, table B-4).
public enum VMSA {
  /// Where the first vCPU begins: the x86 reset vector.
  public static let resetVector: UInt32 = 0xffff_fff0

  /// The 4,096 bytes of a vCPU that begins at `entry`.
  ///
  /// - Parameters:
  ///   - entry: linear address of the first instruction; ``resetVector`` for the first vCPU.
  ///   - cpu: the CPUID signature in EDX; only QEMU sets it.
  ///   - features: SEV_FEATURES; bit 0 is SEV-SNP itself, 0 for SEV-ES.
  ///   - vmm: the hypervisor that sets the rest.
  /// - Returns: a page.
  public static func page(
    entry: UInt32, cpu: CPUSignature, features: UInt64, vmm: LaunchVMM = .qemu
  ) -> [UInt8] {
    let qemu = vmm == .qemu
    let ec2 = vmm == .ec2
    // Data segments are writable and accessed, code is readable and accessed, TR is a busy TSS.
    let code: UInt64 = ec2 && entry == resetVector ? 0x9a : 0x9b
    let stack: UInt64 = ec2 ? 0x92 : 0x93
    let task: UInt64 = ec2 ? 0x83 : 0x8b
    var page = [UInt8](repeating: 0, count: LaunchLimits.pageBytes)
    func put(_ value: UInt64, at offset: Int, bytes count: Int = 8) {
      for index in 0..<count {
        page[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    func segment(at offset: Int, selector: UInt64 = 0, attributes: UInt64, base: UInt64 = 0) {
      put(selector, at: offset, bytes: 2)
      put(attributes, at: offset + 2, bytes: 2)
      put(0xffff, at: offset + 4, bytes: 4)
      put(base, at: offset + 8)
    }
    for offset in [0x00, 0x30, 0x40, 0x50] { segment(at: offset, attributes: 0x93) }
    segment(at: 0x10, selector: 0xf000, attributes: code, base: UInt64(entry & 0xffff_0000))
    segment(at: 0x20, attributes: stack)
    segment(at: 0x60, attributes: 0)
    segment(at: 0x70, attributes: 0x82)
    segment(at: 0x80, attributes: 0)
    segment(at: 0x90, attributes: task)
    put(0x1000, at: 0xd0)  // EFER: KVM sets SVME
    put(0x40, at: 0x148)  // CR4: KVM sets MCE
    put(0x10, at: 0x158)  // CR0: ET
    put(0x400, at: 0x160)  // DR7
    put(0xffff_0ff0, at: 0x168)  // DR6
    put(0x2, at: 0x170)  // RFLAGS
    put(UInt64(entry & 0xffff), at: 0x178)  // RIP
    put(vmm == .gce ? 0x0007_0106 : 0x0007_0406_0007_0406, at: 0x268)  // PAT
    put(qemu ? UInt64(cpu.rawValue) : 0x600, at: 0x310)  // RDX
    put(features, at: 0x3b0)  // SEV_FEATURES
    put(0x1, at: 0x3e8)  // XCR0
    if qemu {
      put(0x1f80, at: 0x408, bytes: 4)  // MXCSR
      put(0x37f, at: 0x410, bytes: 2)  // x87 control word
    }
    return page
  }
}
