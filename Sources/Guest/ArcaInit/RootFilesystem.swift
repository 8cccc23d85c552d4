import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Makes the workload's root from the disk that the host hands in, and moves into it.
struct Root {
  private static let device = "/dev/vda"
  private static let name = "root"
  private static let keyBytes = 64
  /// KiB, in place of the kernel's thousands, all of which are hashed for the first byte used.
  private static let readAhead = [UInt8](ascii: "512")
  /// What a read-only root has for mount points that the image lacks, before it is closed.
  private static let readOnlyScratchBytes: UInt64 = 1 << 20

  fileprivate let control: Int32
  /// The name of the device with the EROFS image.
  fileprivate var image: Text

  /// Opens the disk through dm-verity, and through dm-crypt where it is encrypted.
  static func open(_ root: RootFilesystem, key: [UInt8]?) throws(InitError) -> Root {
    let sizeInSectors = try attempt(
      .rootFilesystem, "\(device): no such disk", Disk.sectors(of: "vda"))
    guard root.hashStartBlock * 8 < sizeInSectors else {
      throw InitError(.rootFilesystem, "\(device) has only \(sizeInSectors) sectors")
    }
    let salt = root.salt.isEmpty ? "-" : Hex.encode(root.salt)
    let blocks: Text = "4096 4096 \(root.dataBlocks) \(root.hashStartBlock)"
    let hash = Hex.encode(root.rootHash)
    var opened = try step(.rootFilesystem, "dm-verity") { () throws(SystemError) in
      let number = try DeviceMapper.create(
        name, "verity", sectors: root.dataBlocks * 8, isReadOnly: true,
        "1 \(device) \(device) \(blocks) sha256 \(hash) \(salt)")
      return Root(control: try DeviceMapper.control(), image: "dm-\(number)")
    }
    if root.encryptionKey != nil { try opened.decrypt(root, key) }
    try attempt(
      .rootFilesystem, "read-ahead",
      File.write("/sys/block/\(opened.image)/queue/read_ahead_kb", readAhead, mode: 0))
    return opened
  }

  /// Puts dm-crypt on the verity device: what is decrypted has been verified.
  private mutating func decrypt(_ root: RootFilesystem, _ key: [UInt8]?) throws(InitError) {
    guard let key, key.count == Self.keyBytes else {
      let (uri, count) = (root.encryptionKey ?? "", key?.count ?? 0)
      throw InitError(
        .secret, "\(uri): the key has \(count) bytes, expected \(Self.keyBytes)")
    }
    let number = try attempt(
      .rootFilesystem, "dm-crypt",
      DeviceMapper.create(
        "plain", "crypt", sectors: root.dataBlocks * 8, isReadOnly: true, "aes-xts-plain64 ",
        key: key, " 0 /dev/\(image) 0 2 sector_size:4096 iv_large_sectors"))
    image = "dm-\(number)"
  }

  /// Whether dm-verity has met a block that is not what was measured.
  var isCorrupted: Bool { DeviceMapper.isVerityCorrupted(control, Self.name) }

  /// Mounts the image and its overlay, and makes it `/`.
  func enter(_ root: RootFilesystem) throws(InitError) {
    let bound = root.writableBytes == 0 ? Self.readOnlyScratchBytes : root.writableBytes
    do {
      try System.mount("/dev/\(image)", "/image", "erofs", MS_RDONLY)
    } catch {
      if isCorrupted {
        throw InitError(.rootFilesystem, "the disk does not match the manifest's root hash")
      }
      if let key = root.encryptionKey {
        throw InitError(
          .secret, "\(key): not the key that the root file system is encrypted with")
      }
      throw error.named(.rootFilesystem, "erofs")
    }
    try step(.environment, "root overlay") { () throws(SystemError) in
      try System.mount("tmpfs", "/writes", "tmpfs", 0, "size=\(bound),mode=0700")
      try System.makeFolder("/writes/upper", mode: 0o755)
      try System.makeFolder("/writes/work", mode: 0o700)
      let status = try System.status("/image")
      try System.changeOwner("/writes/upper", uid: status.st_uid, gid: status.st_gid)
      try System.changeMode("/writes/upper", status.st_mode & 0o7777)
      try System.mount(
        "overlay", "/root", "overlay", 0,
        "lowerdir=/image,upperdir=/writes/upper,workdir=/writes/work")
      for folder in ["/proc", "/sys", "/dev"] { try System.unmount(folder) }
      try System.changeFolder("/root")
      try System.mount("/root", "/", "", MS_MOVE)
      try System.changeRoot(".")
      try System.changeFolder("/")
    }
  }
}
