import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Makes the workload's root from the disk that the host hands in, and moves into it.
enum Root {
  private static let device = "/dev/vda"
  /// What a read-only root has for mount points that the image lacks, before it is closed.
  private static let readOnlyScratchBytes: UInt64 = 1 << 20

  /// Opens the verity device; its control descriptor tells of corruption.
  static func openVerity(_ root: RootFilesystem) throws(InitError) -> Int32 {
    let sizeInSectors: UInt64
    do {
      let text = try File.read("/sys/class/block/vda/size", bytesMax: 32)
      sizeInSectors = UInt64(decimal: text) ?? 0
    } catch {
      throw error.named(.rootFilesystem, "\(device): no such disk")
    }
    guard root.hashStartBlock * 8 < sizeInSectors else {
      throw InitError(.rootFilesystem, "\(device) has only \(sizeInSectors) sectors")
    }
    let salt = root.salt.isEmpty ? "-" : Hex.encode(root.salt)
    let table =
      "1 \(device) \(device) 4096 4096 \(root.dataBlocks) \(root.hashStartBlock) sha256 "
      + "\(Hex.encode(root.rootHash)) \(salt)"
    do {
      return try System.openVerity(table: table, sectors: root.dataBlocks * 8)
    } catch {
      throw error.named(.rootFilesystem, "dm-verity")
    }
  }

  /// Mounts the image and its overlay, and makes it `/`.
  static func enter(_ root: RootFilesystem, verity: Int32) throws(InitError) {
    let bound = root.writableBytes == 0 ? readOnlyScratchBytes : root.writableBytes
    do {
      try System.mount("/dev/dm-0", "/image", "erofs", ARCA_MS_RDONLY)
    } catch {
      if System.isVerityCorrupted(verity) {
        throw InitError(.rootFilesystem, "the disk does not match the manifest's root hash")
      }
      throw error.named(.rootFilesystem, "erofs")
    }
    do {
      try System.mount("tmpfs", "/writes", "tmpfs", 0, "size=\(bound),mode=0700")
      try System.makeFolder("/writes/upper", mode: 0o755)
      try System.makeFolder("/writes/work", mode: 0o700)
      try System.copyOwnerAndMode(from: "/image", to: "/writes/upper")
      try System.mount(
        "overlay", "/root", "overlay", 0,
        "lowerdir=/image,upperdir=/writes/upper,workdir=/writes/work")
      for folder in ["/proc", "/sys", "/dev"] { try System.unmount(folder) }
      try System.changeFolder("/root")
      try System.mount("/root", "/", "", ARCA_MS_MOVE)
      try System.changeRoot(".")
      try System.changeFolder("/")
    } catch {
      throw error.named(.environment, "root overlay")
    }
  }
}

extension UInt64 {
  /// The number that `text` starts with, or nil where it starts with none or one too large.
  init?(decimal text: [UInt8]) {
    var value: UInt64?
    for byte in text {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
      let (tens, overflows) = (value ?? 0).multipliedReportingOverflow(by: 10)
      let (sum, carries) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      guard !overflows, !carries else { return nil }
      value = sum
    }
    guard let value else { return nil }
    self = value
  }
}
