import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaRuntime
import ArgumentParser
import Foundation

/// Makes an Arca image: `arca image build`.
struct ImageBuild: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build",
    abstract: "Make an Arca image: an OCI image with its manifest, encrypted or not.",
    discussion: """
      Run this on the workload owner's machine. The image that it makes moves like any other
      (skopeo copy oci:OUTPUT docker://…), and runs by the manifest in it. Without --manifest, one
      is derived by the options, which are those of `arca run`.

      --encrypt needs a key broker in the manifest. The key is used for one image only: a second
      one under the same key would show which blocks the two have in common.
      """)

  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @Option(help: "The workload's manifest in place of a derived one.")
  var manifest: String?

  @Flag(help: "Encrypt the root file system.")
  var encrypt = false

  @Option(help: "A file of 64 random bytes (head -c 64 /dev/urandom > FILE).")
  var keyFile: String?

  @Option(help: "The broker's resource that will hold the key: kbs:///REPOSITORY/TYPE/TAG.")
  var keyUri: String?

  @Argument(help: "The image to take: a name, oci:FOLDER, docker-archive:FILE, docker://…")
  var source: String

  @Argument(help: "What to make: a folder or oci:FOLDER[:TAG], FILE.tar or oci-archive:FILE[:TAG].")
  var output: String

  @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
  var command: [String] = []

  func validate() throws {
    guard manifest == nil || command.isEmpty else {
      throw ValidationError("a command with --manifest: expected it in the manifest, process.args")
    }
    guard encrypt == (keyFile != nil), encrypt == (keyUri != nil) else {
      throw ValidationError("--encrypt, --key-file and --key-uri: expected all three or none")
    }
  }

  func run() throws {
    let output = try ImageOutput(output)
    let encryption = try encryption()
    let image = try prepareImage(source)
    let chosen: WorkloadManifest
    if let manifest {
      try workload.refuseOwnersOptions()
      chosen = try readManifest(manifest)
      try image.check(chosen)
    } else {
      chosen = try workload.derivedManifest(of: image, command)
    }
    let built = try ImageStore(dataDirectory: Installation().data)
      .build(image, manifest: chosen, encryption: encryption, to: output)
    print("image:           \(built.manifestDigest)")
    print("workload digest: \(Hex.encode(built.workloadManifest.digest))")
  }

  private func encryption() throws -> ImageEncryption? {
    guard let keyFile, let keyUri else { return nil }
    guard let handle = FileHandle(forReadingAtPath: keyFile),
      let key = try handle.read(upToCount: 65)
    else {
      throw CommandError("\(keyFile): cannot be read, expected a file of 64 bytes")
    }
    return try ImageEncryption(key: Array(key), keyURI: keyUri)
  }
}
