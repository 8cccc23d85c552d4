import ArcaImage
import ArgumentParser
import Foundation

/// `arca image`: the cache of converted images.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image", abstract: "Manage the cache of converted images.",
    subcommands: [
      ImageImport.self, ImageBuild.self, ImageList.self, ImageInspect.self, ImageRemove.self,
      ImagePrune.self,
    ])
}

/// Converts an image into the cache: `arca image import`.
struct ImageImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Convert an image into the cache and print its digest.")

  @Argument(
    help: """
      Where the image is: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], a \
      path to one of these, docker://NAME, containers-storage:NAME, docker-daemon:NAME, or NAME.
      """)
  var image: String

  @Option(name: .shortAndLong, help: "A name for the image in the cache.")
  var name: String?

  @OptionGroup(title: "Signatures") var signatures: SignatureOptions

  @Flag(name: .shortAndLong, help: "Show no progress.")
  var quiet = false

  func run() throws {
    let store = try ImageStore()
    let meter = quiet ? nil : ProgressMeter()
    let prepared = try store.prepare(
      reference: image, showsTransfer: meter?.isTerminal ?? false, signatures: signatures.rules,
      progress: meter?.handler)
    meter?.finish()
    if let name { try store.setName(name, prepared.manifestDigest) }
    print(prepared.manifestDigest)
  }
}

/// Lists the cache: `arca image list`.
struct ImageList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the images in the cache.", aliases: ["ls"])

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let listings = try ImageStore().list()
    if json { return try printJSON(listings) }
    var rows = [["NAME", "DIGEST", "SIZE", "IN USE"]]
    for listing in listings {
      for name in listing.names.isEmpty ? ["<none>"] : listing.names {
        let digest = String(listing.digest.dropFirst("sha256:".count).prefix(12))
        rows.append([name, digest, decimalSize(listing.sizeBytes), listing.isInUse ? "yes" : "no"])
      }
    }
    printTable(rows)
  }
}

/// Describes an image in the cache: `arca image inspect`.
struct ImageInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Print what the cache knows of an image, as JSON.")

  @Argument(help: "A name, or a digest or the first 8 digits or more of one.")
  var image: String

  func run() throws {
    guard let found = try ImageStore().find(image) else {
      throw ImageError(.notFound, "no image '\(image)' in the cache; see arca image list")
    }
    try printJSON(ImageDescription(found))
  }
}

/// Removes images from the cache: `arca image remove`.
struct ImageRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove images from the cache; one that is absent is no error.",
    aliases: ["rm"])

  @Argument(help: "Names or digests.")
  var images: [String]

  func run() throws {
    let store = try ImageStore()
    for image in images where try store.remove(image) { print(image) }
  }
}

/// Removes images that have no name: `arca image prune`.
struct ImagePrune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Remove all images that have no name and are not in use.")

  func run() throws {
    print("freed \(decimalSize(try ImageStore().prune()))")
  }
}
