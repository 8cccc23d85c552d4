import ArcaBytes
import ArcaManifest
import Foundation
import Testing

/// A root file system of Debian's static busybox, with its verity tree behind it.
struct TestDisk {
  let file: URL
  let root: RootFilesystem

  /// What `/blob` holds: a mebibyte that stands nowhere else in the image.
  static let blob = Data(
    (0..<1 << 18).flatMap { index -> [UInt8] in
      let word = UInt32(index) &* 2_654_435_761
      return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
    })

  static let shared: Result<TestDisk, any Error> = Result { try TestDisk() }

  private init() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    let tree = folder.appending(path: "root")
    for name in ["bin", "tmp"] {
      try FileManager.default.createDirectory(
        at: tree.appending(path: name), withIntermediateDirectories: true)
    }
    let bin = tree.appending(path: "bin")
    try run(["cp", "/bin/busybox", bin.path])
    for name in [
      "cat", "grep", "head", "hostname", "id", "ls", "mount", "ps", "sh", "sha256sum", "sleep",
      "stty", "touch", "true", "tty", "wc", "yes",
    ] {
      try run(["ln", "-s", "busybox", bin.appending(path: name).path])
    }
    try Self.blob.write(to: tree.appending(path: "blob"))
    try Data("text".utf8).write(to: tree.appending(path: "text"))
    let image = folder.appending(path: "image")
    let uuid = "00000000-0000-0000-0000-000000000001"
    try run(["mkfs.erofs", "-T0", "-U\(uuid)", image.path, tree.path])
    let blocks = (try Data(contentsOf: image).count + 4095) / 4096
    try run(["truncate", "-s", "\(blocks * 4096)", image.path])
    let salt = [UInt8](repeating: 7, count: 32)
    let report = try run([
      "veritysetup", "format", "--no-superblock", "--hash-offset=\(blocks * 4096)",
      "--salt=\(Hex.encode(salt))", "--data-blocks=\(blocks)", image.path, image.path,
    ])
    let line = try #require(report.split(separator: "\n").first { $0.hasPrefix("Root hash:") })
    let rootHash = line.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)
    file = image
    root = RootFilesystem(
      rootHash: try #require(Hex.decode(rootHash)), salt: salt, dataBlocks: UInt64(blocks),
      hashStartBlock: UInt64(blocks), writableBytes: 1 << 24)
  }

  /// A copy of the disk with one bit changed at `offset`.
  func corrupted(at offset: Int) throws -> URL {
    var content = try Data(contentsOf: file)
    content[offset] ^= 1
    let copy = file.deletingLastPathComponent().appending(path: "corrupted-\(offset)")
    try content.write(to: copy)
    return copy
  }

  /// Where in the image the blob's byte `index` is.
  func offset(ofBlob index: Int) throws -> Int {
    let content = try Data(contentsOf: file)
    let found = try #require(content.range(of: Self.blob[index..<index + 512]))
    return found.lowerBound
  }

  /// A manifest that runs `args` with what a container usually may.
  func manifest(_ args: [String]) -> WorkloadManifest {
    WorkloadManifest(
      rootFilesystem: root,
      process: WorkloadProcess(
        args: args, env: ["PATH=/bin", "A=b"], capabilities: 0x8004_05fb, noNewPrivileges: false),
      hostname: "box",
      hostMay: HostRules(attachTerminal: true, sendInput: true, receiveOutput: true))
  }
}

/// Runs `arguments` and returns their output; throws where they fail.
@discardableResult
func run(_ arguments: [String]) throws -> String {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"] + arguments
  let output = Pipe()
  process.standardOutput = output
  try process.run()
  let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  try #require(process.terminationStatus == 0, "\(arguments) failed")
  return text
}
