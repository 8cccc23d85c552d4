import ArcaBytes
import ArcaManifest
import ArcaManifestText
import ArgumentParser
import Foundation

/// `arca manifest`: the workload manifest and its digest.
struct ManifestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manifest",
    abstract: "Derive, show, check and measure workload manifests.",
    discussion: """
      A workload manifest says what may run, and is decided by the workload's owner. It is written
      in YAML or JSON; its deterministic CBOR is what the TEE is given, and the SHA-256 of that is
      the workload digest.
      """,
    subcommands: [Derive.self, Show.self, Check.self, Digest.self])

  struct Derive: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the manifest that an image gets where it is run without one.",
      discussion: """
        The options are those of `arca run`. Change what is printed and give it to `arca run
        --manifest` to let the host do more, or less.
        """)

    @OptionGroup var workload: WorkloadOptions

    @Option(help: "The form to print: yaml, json or cbor.")
    var format = ManifestFormat.yaml

    @Argument(help: "The image: a name, oci:FOLDER, docker-archive:FILE, docker://…")
    var image: String

    @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
    var command: [String] = []

    func run() throws {
      try format.write(try workload.derivedManifest(of: try prepareImage(image), command))
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print a manifest in another form.")

    @Argument(help: "A manifest in YAML, JSON or CBOR; - for standard input.")
    var file: String

    @Option(help: "The form to print: yaml, json or cbor.")
    var format = ManifestFormat.yaml

    func run() throws {
      try format.write(try readManifest(file))
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say whether a manifest is one, and what in it is not.")

    @Argument(help: "A manifest in YAML, JSON or CBOR; - for standard input.")
    var file: String

    func run() throws {
      let manifest = try readManifest(file)
      print("\(file): a workload manifest, digest \(Hex.encode(manifest.digest))")
    }
  }

  struct Digest: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print a manifest's workload digest.")

    @Argument(help: "A manifest in YAML, JSON or CBOR; - for standard input.")
    var file: String

    func run() throws {
      print(Hex.encode(try readManifest(file).digest))
    }
  }
}

/// The forms of a manifest.
enum ManifestFormat: String, ExpressibleByArgument, CaseIterable {
  case yaml, json, cbor

  /// Writes `manifest` in this form to standard output.
  func write(_ manifest: WorkloadManifest) throws {
    let data =
      switch self {
      case .yaml: Data(try ManifestText.yaml(manifest).utf8)
      case .json: Data(try ManifestText.json(manifest).utf8)
      case .cbor: Data(manifest.encoded())
      }
    try FileHandle.standardOutput.write(contentsOf: data)
  }
}

/// Reads a manifest in any of its forms from `path`, or from standard input for `-`.
func readManifest(_ path: String) throws -> WorkloadManifest {
  let data: Data
  if path == "-" {
    data = try FileHandle.standardInput.readToEnd() ?? Data()
  } else {
    guard let content = FileManager.default.contents(atPath: path) else {
      throw CommandError("\(path): cannot be read")
    }
    data = content
  }
  guard data.count <= WorkloadManifest.bytesMax else {
    throw CommandError(
      "\(path): found \(data.count) bytes, expected at most \(WorkloadManifest.bytesMax)")
  }
  // A CBOR map starts with a byte that no YAML or JSON text starts with.
  if let first = data.first, first >> 5 == 5 {
    do {
      return try WorkloadManifest(decoding: Array(data))
    } catch {
      throw CommandError("\(path): \(ManifestText.describe(error))")
    }
  }
  do {
    return try ManifestText.parse(String(decoding: data, as: UTF8.self))
  } catch {
    throw CommandError("\(path): \(error)")
  }
}
