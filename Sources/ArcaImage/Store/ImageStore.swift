import ArcaBytes
import ArcaOCI
import Foundation

/// The cache of converted images under Arca's data folder, shared by all processes of one user.
///
/// Everything in it appears complete or not at all, whenever a process or the machine stops.
public struct ImageStore: Sendable {
  let layout: StoreLayout
  let limits: ImageLimits

  /// Opens the store, made where it is not there, and removes what killed processes left.
  public init(
    dataDirectory: String = ImageStore.defaultDataDirectory, limits: ImageLimits = .init()
  )
    throws(ImageError)
  {
    layout = StoreLayout(base: "\(dataDirectory)/images")
    self.limits = limits
    try layout.create()
    // Only those who are just publishing hold this lock; what they leave can wait for the next.
    if let lock = try FileLock.attempt(.exclusive, layout.lock) {
      try withExtendedLifetime(lock) { () throws(ImageError) in try PrivateFolder.sweep(layout) }
    }
  }

  /// `ARCA_DATA`, or else `/var/lib/arca` for root and `$XDG_DATA_HOME/arca` for others.
  public static var defaultDataDirectory: String {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["ARCA_DATA"], !path.isEmpty { return path }
    if isMachinesRoot { return "/var/lib/arca" }
    if let path = environment["XDG_DATA_HOME"], path.hasPrefix("/") { return "\(path)/arca" }
    return "\(rootlessHome ?? NSHomeDirectory())/.local/share/arca"
  }

  /// Whether this process is root, and not only in the namespace of a user whom an engine made root
  /// there: such a one has the user's own number alone behind it (user_namespaces(7)).
  public static var isMachinesRoot: Bool { geteuid() == 0 && rootlessUser == nil }

  private static var rootlessUser: Substring? {
    let map = (try? String(contentsOfFile: "/proc/self/uid_map", encoding: .utf8)) ?? ""
    let fields = map.split(whereSeparator: \.isWhitespace)
    return fields.count > 2 && fields[0] == "0" && fields[2] == "1" ? fields[1] : nil
  }

  /// The folder of such a user, of which engines do not tell.
  private static var rootlessHome: String? {
    guard geteuid() == 0, let user = rootlessUser else { return nil }
    let accounts = (try? String(contentsOfFile: "/etc/passwd", encoding: .utf8)) ?? ""
    return accounts.split(separator: "\n")
      .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
      .first { $0.count > 6 && $0[2] == user }.map { String($0[5]) }
  }

  /// Finds the image, converts it unless that has been done before, and holds it.
  ///
  /// - Parameters:
  ///   - reference: A name that the store knows, or where else to find the image.
  ///   - showsTransfer: Whether a program that copies the image from elsewhere may print to
  ///     standard error.
  ///   - signatures: What signatures are demanded; then the image is fetched anew, whether or not
  ///     the store knows it. Nil where none are.
  ///   - progress: Receives progress of a conversion.
  /// - Returns: The image, held.
  /// - Throws: ``ImageError``, with the layer and entry named where one is at fault; the store is
  ///   then as it was.
  public func prepare(
    reference: String, showsTransfer: Bool = false, signatures: SignatureRules? = nil,
    progress: ImageProgressHandler? = nil
  ) throws(ImageError) -> PreparedImage {
    let parsed = try ImageReference(reference)
    if signatures == nil, case .name(let name) = parsed, let known = try find(name) {
      return known
    }
    let temporary = try privateFolder()
    let source =
      if let signatures {
        try transfer(
          try signedName(parsed, signatures, temporary), temporary, showsTransfer, signatures)
      } else {
        try load(parsed, temporary, showsTransfer)
      }
    let image = try convert(source, temporary, progress)
    if let name = Self.lastingName(parsed) { try setName(name, image.manifestDigest) }
    return image
  }

  /// What skopeo is to copy; with cosign's signatures, what has been found to be signed.
  private func signedName(
    _ reference: ImageReference, _ rules: SignatureRules, _ temporary: PrivateFolder
  ) throws(ImageError) -> String {
    let name = try reference.skopeoName
    guard case .cosign(let keys) = rules else { return name }
    guard let inRegistry = name.droppingPrefix("docker://") else {
      throw ImageError(
        .signature, "\(name): only an image in a registry has cosign's signatures beside it")
    }
    return try CosignSignature(keys: keys, temporary: temporary.path, limits: limits)
      .verified(inRegistry)
  }

  /// The name that an image from elsewhere gets by itself.
  private static func lastingName(_ reference: ImageReference) -> String? {
    switch reference {
    case .name(let name): name
    case .remote(let text): text.droppingPrefix("docker://")
    default: nil
    }
  }

  func privateFolder() throws(ImageError) -> PrivateFolder {
    let lock = try FileLock.wait(.shared, layout.lock)
    return try withExtendedLifetime(lock) { () throws(ImageError) in
      try PrivateFolder(in: layout)
    }
  }

  // MARK: Sources

  private func load(_ reference: ImageReference, _ temporary: PrivateFolder, _ shows: Bool)
    throws(ImageError) -> ImageSource
  {
    switch reference {
    case .layout(let path, let tag):
      return try LayoutSource.load(FolderFiles(name: path), tag: tag, limits: limits)
    case .layoutArchive(let path, let tag):
      return try LayoutSource.load(try archive(path, temporary), tag: tag, limits: limits)
    case .dockerArchive(let path, let tag):
      return try DockerArchiveSource.load(try archive(path, temporary), tag: tag, limits: limits)
    case .path(let path): return try detect(path, temporary)
    case .remote(let text): return try transfer(text, temporary, shows)
    case .name(let name): return try transfer("docker://\(name)", temporary, shows)
    }
  }

  private func archive(_ path: String, _ temporary: PrivateFolder) throws(ImageError)
    -> ArchiveFiles
  {
    try ArchiveFiles(path: path, temporary: temporary.path, limits: limits)
  }

  private func detect(_ path: String, _ temporary: PrivateFolder) throws(ImageError)
    -> ImageSource
  {
    let files: any SourceFiles =
      Directory.isFolder(path) ? FolderFiles(name: path) : try archive(path, temporary)
    if try files.find("index.json") != nil {
      return try LayoutSource.load(files, tag: nil, limits: limits)
    }
    guard try files.find("manifest.json") != nil else {
      throw ImageError(
        .unsupported,
        "\(path): neither an OCI image layout nor a docker-archive: it has neither "
          + "index.json nor manifest.json")
    }
    return try DockerArchiveSource.load(files, tag: nil, limits: limits)
  }

  private func transfer(
    _ text: String, _ temporary: PrivateFolder, _ shows: Bool, _ signatures: SignatureRules? = nil
  ) throws(ImageError) -> ImageSource {
    let folder = "\(temporary.path)/transfer"
    try SkopeoSource.copy(text, to: folder, isQuiet: !shows, signatures: signatures)
    return try LayoutSource.load(FolderFiles(name: folder), tag: nil, limits: limits)
  }

  // MARK: Conversion

  private func convert(
    _ source: ImageSource, _ temporary: PrivateFolder, _ progress: ImageProgressHandler?
  ) throws(ImageError) -> PreparedImage {
    let isArcaImage = try ArcaImageFormat.isArcaImage(source)
    let key = StoreLayout.key(
      diffIDs: source.configuration.rootfs.diffIDs, isArcaImage: isArcaImage)
    if let image = try publish(source, key, made: nil) { return image }
    // Of several who want the same, one converts and the others wait for it here.
    let turn = try FileLock.wait(.exclusive, "\(layout.converting)/\(key)")
    return try withExtendedLifetime(turn) { () throws(ImageError) in
      if let image = try publish(source, key, made: nil) { return image }
      let made = "\(temporary.path)/rootfs"
      if isArcaImage {
        try ArcaImageLayer(limits: limits, progress: progress)
          .convert(source.layers, to: made, temporary: temporary.path)
      } else {
        try Conversion(limits: limits, progress: progress)
          .convert(source.layers, to: made, temporary: temporary.path)
      }
      guard let image = try publish(source, key, made: made) else {
        throw ImageError(.notFound, "the root file system \(key) vanished from the store")
      }
      return image
    }
  }

  /// Puts the image's record, and the root file system `made` if there is one, in place, and holds
  /// the image; nil where its root file system is not in the store.
  private func publish(_ source: ImageSource, _ key: String, made: String?) throws(ImageError)
    -> PreparedImage?
  {
    let hex = Hex.encode(source.manifestDigest)
    let record = ImageRecord(
      manifestDigest: "sha256:\(hex)",
      configurationDigest: "sha256:\(Hex.encode(source.configurationDigest))", rootfs: key)
    let lock = try FileLock.wait(.exclusive, layout.lock)
    return try withExtendedLifetime(lock) { () throws(ImageError) in
      if let made, !Directory.exists(layout.rootfs(key)) {
        try Directory.publish(made, as: layout.rootfs(key))
      }
      guard let hold = try FileLock.hold(layout.rootfs(key)) else { return nil }
      try write(record, source, to: layout.manifest(hex))
      return try image(record, source.configuration, hold)
    }
  }

  private func write(_ record: ImageRecord, _ source: ImageSource, to path: String)
    throws(ImageError)
  {
    if Directory.exists(path) { return }
    let unfinished = try PrivateFolder(in: layout)
    let folder = "\(unfinished.path)/image"
    try Directory.create(folder)
    try layout.write(try StoreJSON.encode(record), to: "\(folder)/image.json")
    try layout.write(source.manifestBytes, to: "\(folder)/manifest.json")
    try layout.write(source.configurationBytes, to: "\(folder)/config.json")
    try Directory.sync(folder)
    try Directory.publish(folder, as: path)
  }

  /// The image of `record`, whose root file system is already held.
  func image(_ record: ImageRecord, _ configuration: ImageConfiguration, _ hold: FileLock)
    throws(ImageError) -> PreparedImage
  {
    let folder = layout.rootfs(record.rootfs)
    let rootfs = try ImageSource.decode(
      RootFileSystem.self, try layout.read("\(folder)/rootfs.json"), "\(folder)/rootfs.json")
    guard let salt = Hex.decode(rootfs.salt), let rootHash = Hex.decode(rootfs.rootHash) else {
      throw ImageError(.malformed, "\(folder)/rootfs.json: not hexadecimal")
    }
    let path = "\(folder)/rootfs.erofs"
    let size = try DataFile.reading(path).byteCount
    guard size == rootfs.sizeBytes else {
      throw ImageError(
        .truncated,
        "\(path): \(size) bytes, expected \(rootfs.sizeBytes); "
          + "remove the image and import it again")
    }
    let manifestPath = "\(folder)/\(StoreLayout.workloadManifest)"
    let workloadManifest =
      Directory.exists(manifestPath)
      ? try ArcaImageLayer.manifest(try layout.read(manifestPath), manifestPath) : nil
    return PreparedImage(
      manifestDigest: record.manifestDigest, configDigest: record.configurationDigest,
      config: configuration, rootfsPath: path, dataBlocks: rootfs.dataBlocks,
      hashStartBlock: rootfs.hashStartBlock, salt: salt, rootHash: rootHash,
      sizeBytes: rootfs.sizeBytes, passwd: try layout.read("\(folder)/passwd"),
      group: try layout.read("\(folder)/group"), workloadManifest: workloadManifest, hold: hold)
  }
}
