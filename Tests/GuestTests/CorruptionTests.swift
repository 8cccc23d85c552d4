import ArcaManifest
import ArcaWire
import Foundation
import Testing

extension GuestTests {
  /// A disk that is not what the manifest names.
  @Suite struct CorruptionTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    func run(disk file: URL?, _ args: [String]) throws -> GuestMachine.Outcome {
      try withGuest(disk: file) { try $0.run(disk.manifest(args)) }
    }

    @Test func aFlippedBitInAFileIsCaughtWhenItIsRead() throws {
      let file = try disk.corrupted(at: try disk.offset(ofBlob: 700_000))
      let outcome = try run(disk: file, ["sh", "-c", "echo up; sha256sum /blob; echo went on"])
      expectFailure(outcome.last, .corruption)
    }

    @Test func aFlippedBitInTheTreeIsCaughtWhenItIsUsed() throws {
      // A leaf of the tree holds the digests of 128 blocks; the first leaf follows the root block.
      let block = try disk.offset(ofBlob: 700_000) / 4096
      let leaf = Int(disk.root.hashStartBlock) + 1 + block / 128
      let file = try disk.corrupted(at: leaf * 4096 + block % 128 * 32)
      let outcome = try run(disk: file, ["sha256sum", "/blob"])
      // The same leaf may cover the program, which then does not even start.
      if case .failure(.rootFilesystem, _)? = outcome.last { return }
      expectFailure(outcome.last, .corruption)
    }

    @Test func aBadSuperblockOrTreeOrRootHashStopsTheMount() throws {
      let superblock = try disk.corrupted(at: 1024)
      expectFailure(try run(disk: superblock, ["true"]).last, .rootFilesystem)
      let tree = try disk.corrupted(at: Int(disk.root.hashStartBlock) * 4096)
      expectFailure(try run(disk: tree, ["true"]).last, .rootFilesystem)
      var manifest = disk.manifest(["true"])
      manifest.rootFilesystem.rootHash[0] ^= 1
      let message = try withGuest(disk: disk.file) { try $0.open(manifest) }
      expectFailure(message, .rootFilesystem)
    }

    @Test func aMissingOrShortDiskIsNamed() throws {
      expectFailure(try run(disk: nil, ["true"]).last, .rootFilesystem)
      let short = disk.file.deletingLastPathComponent().appending(path: "short")
      try Data(contentsOf: disk.file).prefix(1 << 16).write(to: short)
      expectFailure(try run(disk: short, ["true"]).last, .rootFilesystem)
    }
  }
}
