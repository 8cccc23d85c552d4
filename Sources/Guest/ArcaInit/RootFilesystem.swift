import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Makes the workload's root from the disk that the host hands in, and moves into it.
struct Root {
  private static let device = "/dev/vda"
  private static let name = "root"
  private static let keyBytes = 64
  /// What a read-only root has for mount points that the image lacks, before it is closed.
  private static let readOnlyScratchBytes: UInt64 = 1 << 20

  private let control: Int32
  /// The device with the EROFS image.
  private var image: String
  private var isEncrypted = false

  private init(control: Int32, image: String) {
    self.control = control
    self.image = image
  }

  /// Opens the disk through dm-verity, and through dm-crypt where it is encrypted.
  static func open(_ root: RootFilesystem, key: [UInt8]?) throws(InitError) -> Root {
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
    var opened = try step(.rootFilesystem, "dm-verity") { () throws(SystemError) in
      let number = try DeviceMapper.create(
        name, "verity", sectors: root.dataBlocks * 8, isReadOnly: true, table)
      return Root(control: try DeviceMapper.control(), image: "/dev/dm-\(number)")
    }
    if root.encryptionKey != nil { try opened.decrypt(root, key) }
    return opened
  }

  /// Puts dm-crypt on the verity device: what is decrypted has been verified.
  private mutating func decrypt(_ root: RootFilesystem, _ key: [UInt8]?) throws(InitError) {
    guard let key, key.count == Self.keyBytes else {
      throw InitError(
        .secret,
        "\(root.encryptionKey ?? ""): the key has \(key?.count ?? 0) bytes, expected "
          + "\(Self.keyBytes)")
    }
    do {
      let number = try DeviceMapper.create(
        "plain", "crypt", sectors: root.dataBlocks * 8, isReadOnly: true, "aes-xts-plain64 ",
        key: key, " 0 \(image) 0 2 sector_size:4096 iv_large_sectors")
      image = "/dev/dm-\(number)"
      isEncrypted = true
    } catch {
      throw error.named(.rootFilesystem, "dm-crypt")
    }
  }

  /// Whether dm-verity has met a block that is not what was measured.
  var isCorrupted: Bool { DeviceMapper.isVerityCorrupted(control, Self.name) }

  /// Mounts the image and its overlay, and makes it `/`.
  func enter(_ root: RootFilesystem) throws(InitError) {
    let bound = root.writableBytes == 0 ? Self.readOnlyScratchBytes : root.writableBytes
    do {
      try System.mount(image, "/image", "erofs", ARCA_MS_RDONLY)
    } catch {
      if isCorrupted {
        throw InitError(.rootFilesystem, "the disk does not match the manifest's root hash")
      }
      if isEncrypted, let key = root.encryptionKey {
        throw InitError(
          .secret, "\(key): not the key that the root file system is encrypted with")
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
