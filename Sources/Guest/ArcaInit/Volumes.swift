import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// The encrypted volumes that the manifest names (docs/volumes.md).
struct Volumes {
  private static let flags = MS_NOSUID | MS_NODEV
  private static let devices = "/dev/.arca-volumes"

  private var mounted: [Text] = []
  private var opened: [(volume: EncryptedVolume, number: Int32, sectors: UInt64)] = []

  /// Opens each volume, with the key broker's word that it is the newest state of it.
  init(
    _ volumes: [EncryptedVolume], keys: Secrets, _ broker: KeyBroker?, over channel: Channel
  ) throws(InitError) {
    guard !volumes.isEmpty, let broker else { return }
    var disks: [VolumeDisk] = []
    defer { for disk in disks { disk.close() } }
    for (index, volume) in volumes.enumerated() {
      guard let key = keys[volume.key], key.count == VolumeHeader.keyBytes else {
        throw InitError(
          .secret,
          "\(volume.key): the key of volume \(volume.name) needs \(VolumeHeader.keyBytes) bytes")
      }
      disks.append(try VolumeDisk(index: index, volume, key: key))
    }
    // A lost connection repeats this: it comes to the same.
    let headers = try broker.attested(over: channel) { (session) throws(InitError) in
      var headers: [VolumeHeader] = []
      for disk in disks {
        headers.append(try disk.claim(try VolumeCounter(disk.volume.key, session)))
      }
      return headers
    }
    for (disk, header) in zip(disks, headers) {
      let number = try attempt(.volume, disk.named, disk.map(header))
      opened.append((disk.volume, number, header.dataSectors))
    }
  }

  /// Mounts the volumes, in the root that has been entered.
  mutating func mount() throws(InitError) {
    guard !opened.isEmpty else { return }
    try step(.volume, Self.devices) { () throws(SystemError) in
      // The workload's own /dev has no disks.
      try System.makeFolder(Self.devices, mode: 0o700)
      try System.mount("devtmpfs", Self.devices, "devtmpfs", 0)
    }
    for (volume, number, sectors) in opened {
      let target = volume.destination
      try ContainerEnvironment.makeFolder(target, mode: 0o755)
      do {
        try System.mount(
          "\(Self.devices)/dm-\(number)", target, "ext4", Self.flags,
          "errors=remount-ro,noinit_itable")
        mounted.append(target)
        try System.growExt4(target, blocks: sectors / 8)
        if volume.isReadOnly {
          try System.mount("", target, "", MS_REMOUNT | MS_RDONLY | Self.flags)
        }
      } catch {
        throw error.named(.volume, "volume \(volume.name): ext4 at \(target)")
      }
    }
    try step(.volume, Self.devices) { () throws(SystemError) in
      try System.unmount(Self.devices)
      try System.removeFolder(Self.devices)
    }
  }

  /// Writes everything out; the workload has ended.
  func close() {
    for target in mounted.reversed() { try? System.unmount(target) }
    if !mounted.isEmpty { sync() }
  }
}

/// One volume's disk, as the host hands it in, and the layers that make it trustworthy.
///
/// Two header blocks, written in turn, then from ``reservedBytes`` on dm-integrity, which keeps a
/// tag and a nonce for each block that dm-crypt writes.
struct VolumeDisk {
  private static let reservedBytes: UInt64 = 1 << 20
  private static let tagBytes = 32
  private static let templateBytes: UInt64 = 32 << 20
  private static let templateUnitBytes = 512
  private static let pieceBytes = 1 << 18
  private static let diskSectorsMax: UInt64 = 1 << 31

  let volume: EncryptedVolume
  private let key: [UInt8]
  private let path: Text
  private let disk: Disk
  private let sectors: UInt64

  /// The disk that the host attached as the manifest's volume number `index`.
  init(index: Int, _ volume: EncryptedVolume, key: [UInt8]) throws(InitError) {
    self.volume = volume
    self.key = key
    let found = try Self.find("volume-\(index)", volume.name)
    let path = "/dev/\(found)"
    self.path = path
    (sectors, disk) = try step(.volume, "volume \(volume.name): its disk") {
      () throws(SystemError) in
      (try Disk.sectors(of: found), try Disk(path))
    }
    let least = (Self.reservedBytes + Self.templateBytes) / 512
    guard sectors > least, sectors <= Self.diskSectorsMax else {
      throw refusal("its disk has \(sectors) sectors, expected \(least) to \(Self.diskSectorsMax)")
    }
  }

  /// The disk with the serial number `serial`.
  private static func find(_ serial: Text, _ name: Text) throws(InitError) -> Text {
    let disk = try step(.volume, "disks") { () throws(SystemError) in
      try File.find(in: "/sys/class/block", by: "serial") { $0.elementsEqual(serial.utf8) }
    }
    guard let disk else {
      throw InitError(.volume, "volume \(name): the host attached no disk for it")
    }
    return disk
  }

  func close() { disk.close() }

  /// Demands that the disk is the newest state of the volume, and makes it so for this run.
  ///
  /// No write of this run reaches the data before the counter has been advanced, so an older state
  /// is behind the counter, and a start that was cut short can be repeated.
  func claim(_ volumeCounter: VolumeCounter) throws(InitError) -> VolumeHeader {
    var counter = volumeCounter
    let known = try counter.read()
    let blocks = try attempt(
      .volume, named, [disk.readBlock(at: 0), disk.readBlock(at: 4096)])
    var found: VolumeHeader?
    for header in blocks.compactMap({ VolumeHeader($0, key: key, Crypto.hmac) })
    where header.generation >= found?.generation ?? 0 { found = header }
    let isBlank = blocks.allSatisfy { $0.allSatisfy { $0 == 0 } }
    let header: VolumeHeader
    switch VolumeHeader.decide(found, counter: known, diskSectors: sectors, isBlank: isBlank) {
    case .refused(let reason): throw refusal(reason.rawValue)
    case .format:
      header = try format()
      try write(header)
    case .advance(var current, let headerToo):
      if headerToo {
        current.generation += 1
        try write(current)
      }
      header = current
    }
    try counter.advance(to: header.generation)
    return header
  }

  private var name: Text { volume.name }
  var named: Text { "volume \(name)" }

  private func refusal(_ text: Text) -> InitError {
    InitError(.volume, "\(named): \(text)")
  }

  /// The two blocks are written in turn, so that one is whole whenever the machine stops.
  private func write(_ header: VolumeHeader) throws(InitError) {
    try step(.volume, named) { () throws(SystemError) in
      try disk.write(header.block(key: key, Crypto.hmac), at: header.generation % 2 * 4096)
      try disk.flush()
    }
  }

  // MARK: - Layers

  /// dm-crypt over dm-integrity; the number of the device.
  func map(_ header: VolumeHeader) throws(SystemError) -> Int32 {
    let lower = try integrity(sectors: header.dataSectors)
    var dataKey = header.dataKey(from: key, Crypto.hmac)
    defer { Crypto.wipe(&dataKey) }
    return try DeviceMapper.create(
      "volume-\(name)", "crypt", sectors: header.dataSectors, isReadOnly: false,
      "capi:aegis128-random ", key: dataKey,
      " 0 /dev/dm-\(lower) 0 2 integrity:\(Self.tagBytes):aead sector_size:4096")
  }

  private func integrity(sectors: UInt64) throws(SystemError) -> Int32 {
    try DeviceMapper.create(
      "tags-\(name)", "integrity", sectors: sectors, isReadOnly: false,
      "\(path) \(Self.reservedBytes / 512) \(Self.tagBytes) J 1 block_size:4096")
  }

  /// Makes the layers anew and writes an empty file system; nothing is in use before its header is.
  private func format() throws(InitError) -> VolumeHeader {
    let found = try step(.volume, "\(named): formatting it") { () throws(SystemError) in
      // dm-integrity formats where it finds zeros; an earlier start may have been cut short.
      try disk.write([UInt8](repeating: 0, count: Disk.blockBytes), at: Self.reservedBytes)
      try disk.flush()
      _ = try integrity(sectors: 8)
      try DeviceMapper.remove("tags-\(name)")
      return try disk.readBlock(at: Self.reservedBytes)
    }
    // drivers/md/dm-integrity.c, struct superblock: provided_data_sectors.
    let provided = found[16..<24].littleEndian / 8 * 8
    guard provided >= Self.templateBytes / 512, provided < sectors else {
      throw refusal("its disk has room for \(provided) sectors of data")
    }
    return try step(.volume, "\(named): formatting it") { () throws(SystemError) in
      let header = VolumeHeader(
        generation: 1, diskSectors: sectors, dataSectors: provided, salt: try System.random(32))
      try writeTemplate(to: "/dev/dm-\(try map(header))", sectors: provided)
      try DeviceMapper.remove("volume-\(name)")
      try DeviceMapper.remove("tags-\(name)")
      return header
    }
  }

  /// Writes the empty file system of the initrd, zeros included: what was never written reads as
  /// forged.
  private func writeTemplate(to path: Text, sectors: UInt64) throws(SystemError) {
    let template = try File.read("/volume", bytesMax: 1 << 20)
    let device = try Disk(path)
    defer { device.close() }
    // Piece by piece, since a small guest has no room for the whole.
    for start in stride(from: 0, to: Self.templateBytes, by: Self.pieceBytes) {
      try device.write(try Self.piece(at: Int(start), of: template), at: start)
    }
    // ext4 reads the last block before it grows.
    let last = [UInt8](repeating: 0, count: Disk.blockBytes)
    try device.write(last, at: (sectors / 8 - 1) * UInt64(Disk.blockBytes))
    try device.flush()
  }

  /// The file system's bytes from `start` on: what the template's runs have there, and else zeros.
  private static func piece(at start: Int, of template: [UInt8]) throws(SystemError) -> [UInt8] {
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    var reader = ByteReader(template)
    do throws(BytesError) {
      while reader.remaining > 0 {
        let place = Int(try reader.slice(4).littleEndian) * templateUnitBytes - start
        let run = try reader.slice(Int(try reader.slice(4).littleEndian) * templateUnitBytes)
        let first = min(max(place, 0), pieceBytes)
        let part = run.dropFirst(max(-place, 0)).prefix(pieceBytes - first)
        piece.replaceSubrange(first..<first + part.count, with: part)
      }
    } catch {
      throw SystemError(errno: EIO)
    }
    return piece
  }
}
