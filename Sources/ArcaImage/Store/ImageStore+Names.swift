import ArcaBytes
import ArcaOCI

extension ImageStore {
  /// One line of the store's list.
  public struct Listing: Codable, Equatable, Sendable {
    /// The digest of the manifest, as `sha256:hex`.
    public let digest: String
    /// The names that point at the image, sorted.
    public let names: [String]
    /// The root hash of its file system, hexadecimal.
    public let rootHash: String
    /// The size of its file system with the hash tree.
    public let sizeBytes: UInt64
    /// Whether something holds its file system.
    public let isInUse: Bool
  }

  /// All images, sorted by digest.
  public func list() throws(ImageError) -> [Listing] {
    try locked(.shared) { () throws(ImageError) in
      let names = try readNames()
      var listings: [Listing] = []
      for record in try records() {
        let folder = layout.rootfs(record.rootfs)
        let rootfs = try ImageSource.decode(
          RootFileSystem.self, try layout.read("\(folder)/rootfs.json"), "\(folder)/rootfs.json")
        listings.append(
          Listing(
            digest: record.manifestDigest,
            names: names.filter { $0.value == record.manifestDigest }.keys.sorted(),
            rootHash: rootfs.rootHash, sizeBytes: rootfs.sizeBytes,
            isInUse: try FileLock.attempt(.exclusive, folder) == nil))
      }
      return listings
    }
  }

  /// The image that the store knows as `name`, held; nil where it knows none.
  ///
  /// `name` may be a name, a digest `sha256:hex`, or at least the first 8 digits of one.
  public func find(_ name: String) throws(ImageError) -> PreparedImage? {
    try locked(.shared) { () throws(ImageError) in
      guard let record = try record(name),
        let hold = try FileLock.hold(layout.rootfs(record.rootfs))
      else { return nil }
      let hex = String(record.manifestDigest.dropFirst("sha256:".count))
      let path = "\(layout.manifest(hex))/config.json"
      let configuration = try ImageSource.decode(
        ImageConfiguration.self, try layout.read(path), path)
      return try image(record, configuration, hold)
    }
  }

  /// Lets `name` point at the image of `digest`.
  public func setName(_ name: String, _ digest: String) throws(ImageError) {
    try locked(.exclusive) { () throws(ImageError) in
      var names = try readNames()
      names[ImageReference.canonicalName(name)] = digest
      try write(names)
    }
  }

  /// Removes a name or, given a digest or the last name, the image; absence is no error.
  ///
  /// - Parameter name: What ``find(_:)`` takes.
  /// - Throws: ``ImageError/Code/inUse`` where a running container holds the image; then nothing
  ///   is changed.
  /// - Returns: Whether anything was there to remove.
  public func remove(_ name: String) throws(ImageError) -> Bool {
    try locked(.exclusive) { () throws(ImageError) in
      guard let record = try record(name) else { return false }
      var names = try readNames()
      let canonical = ImageReference.canonicalName(name)
      let others = names.filter { $0.value == record.manifestDigest && $0.key != canonical }
      if names[canonical] != nil, !others.isEmpty {
        names[canonical] = nil
        try write(names)
        return true
      }
      try remove(record)
      try write(names.filter { $0.value != record.manifestDigest })
      return true
    }
  }

  /// Removes every image that has no name and is not in use, and every root file system that no
  /// image has; returns how many bytes that freed.
  public func prune() throws(ImageError) -> UInt64 {
    try locked(.exclusive) { () throws(ImageError) in
      try PrivateFolder.sweep(layout)
      let before = try rootfsBytes()
      let known = Set(try records().map(\.manifestDigest))
      let names = try readNames().filter { known.contains($0.value) }
      try write(names)
      let named = Set(names.values)
      for record in try records() where !named.contains(record.manifestDigest) {
        do throws(ImageError) {
          try remove(record)
        } catch {
          guard error.code == .inUse else { throw error }
        }
      }
      let used = Set(try records().map(\.rootfs))
      for key in try Directory.names(layout.rootFileSystems) where !used.contains(key) {
        try removeRootfs(key)
      }
      // Whoever waits for one of these locks has it open; the others are leftovers.
      for key in try Directory.names(layout.converting) {
        let path = "\(layout.converting)/\(key)"
        if try FileLock.attempt(.exclusive, path) != nil { try Directory.remove(path) }
      }
      return before - (try rootfsBytes())
    }
  }

  // MARK: Under the lock

  private func locked<Value>(_ mode: FileLock.Mode, _ body: () throws(ImageError) -> Value)
    throws(ImageError) -> Value
  {
    let lock = try FileLock.wait(mode, layout.lock)
    return try withExtendedLifetime(lock, body)
  }

  private func readNames() throws(ImageError) -> [String: String] {
    guard Directory.exists(layout.names) else { return [:] }
    return try ImageSource.decode(
      [String: String].self, try layout.read(layout.names), layout.names)
  }

  private func write(_ names: [String: String]) throws(ImageError) {
    let folder = try PrivateFolder(in: layout)
    let unfinished = "\(folder.path)/names.json"
    try layout.write(try StoreJSON.encode(names), to: unfinished)
    try Directory.publish(unfinished, as: layout.names)
  }

  private func records() throws(ImageError) -> [ImageRecord] {
    var records: [ImageRecord] = []
    for hex in try Directory.names(layout.manifests) { records.append(try readRecord(hex)) }
    return records
  }

  private func readRecord(_ hex: String) throws(ImageError) -> ImageRecord {
    let path = "\(layout.manifest(hex))/image.json"
    return try ImageSource.decode(ImageRecord.self, try layout.read(path), path)
  }

  private func record(_ name: String) throws(ImageError) -> ImageRecord? {
    let known = try Directory.names(layout.manifests)
    let digest = try readNames()[ImageReference.canonicalName(name)] ?? name
    let hex = digest.droppingPrefix("sha256:") ?? digest
    guard hex.utf8.count >= 8 else { return nil }
    let matching = known.filter { $0.hasPrefix(hex) }
    guard matching.count <= 1 else {
      throw ImageError(.invalidReference, "'\(name)' is the start of several digests")
    }
    return try matching.first.map(readRecord)
  }

  /// Removes an image and, where no other has it, its root file system.
  private func remove(_ record: ImageRecord) throws(ImageError) {
    let isShared = try records().contains {
      $0.rootfs == record.rootfs && $0.manifestDigest != record.manifestDigest
    }
    let rootfs = layout.rootfs(record.rootfs)
    let lock = try FileLock.attempt(.exclusive, rootfs)
    guard isShared || lock != nil || !Directory.exists(rootfs) else {
      throw ImageError(
        .inUse, "image \(record.manifestDigest) is in use by a running container; stop it first")
    }
    // The record goes first: a root file system without one is found and removed by prune.
    try discard(layout.manifest(String(record.manifestDigest.dropFirst(7))))
    if !isShared { try discard(rootfs) }
    withExtendedLifetime(lock) {}
  }

  /// Removes a root file system unless something holds it.
  private func removeRootfs(_ key: String) throws(ImageError) {
    guard let lock = try FileLock.attempt(.exclusive, layout.rootfs(key)) else { return }
    try discard(layout.rootfs(key))
    withExtendedLifetime(lock) {}
  }

  /// Moves `path` away in one step, so that a crash leaves no half of it in place, and removes it.
  private func discard(_ path: String) throws(ImageError) {
    guard Directory.exists(path) else { return }
    let folder = try PrivateFolder(in: layout)
    try Directory.publish(path, as: "\(folder.path)/removed")
  }

  private func rootfsBytes() throws(ImageError) -> UInt64 {
    var total: UInt64 = 0
    for key in try Directory.names(layout.rootFileSystems) {
      total += try DataFile.reading("\(layout.rootfs(key))/rootfs.erofs").byteCount
    }
    return total
  }
}
