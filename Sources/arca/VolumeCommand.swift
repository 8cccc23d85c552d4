import ArcaRuntime
import ArgumentParser

/// `arca volume`: disks that guests encrypt.
struct VolumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "volume",
    abstract: "Manage volumes: storage that lasts, encrypted by the guests that use it.",
    discussion: """
      A volume is named by a workload's manifest, together with the key broker's resource that
      holds its key. The guest formats it when it is used for the first time; this machine never
      sees its key or what is in it.
      """,
    subcommands: [
      VolumeCreate.self, VolumeList.self, VolumeInspect.self, VolumeRemove.self,
    ])
}

/// `arca volume create`.
struct VolumeCreate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make an empty volume.")

  @Option(help: "How large its disk is, 64m to 1t; the tags of encryption take about 1 % of it.")
  var size: ByteSize

  @Argument(help: "The name that manifests give it: a to z, 0 to 9 and -.")
  var name: String

  func run() throws {
    try VolumeStore(Installation()).create(name, sizeBytes: size.bytes)
    print(name)
  }
}

/// `arca volume list`.
struct VolumeList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the volumes.", aliases: ["ls"])

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let volumes = try VolumeStore(Installation()).list()
    if json { return try printJSON(volumes) }
    var rows = [["NAME", "SIZE", "USED", "IN USE"]]
    for volume in volumes {
      rows.append([
        volume.name, decimalSize(volume.sizeBytes), decimalSize(volume.usedBytes),
        volume.isInUse ? "yes" : "no",
      ])
    }
    printTable(rows)
  }
}

/// `arca volume inspect`.
struct VolumeInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Print what this machine knows of a volume, as JSON.")

  @Argument(help: "The volume's name.")
  var name: String

  func run() throws {
    try printJSON(try VolumeStore(Installation()).find(name))
  }
}

/// `arca volume remove`.
struct VolumeRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove volumes and what is in them; one that is absent is no error.",
    aliases: ["rm"])

  @Argument(help: "The volumes' names.")
  var names: [String]

  func run() throws {
    let store = VolumeStore(Installation())
    for name in names where try store.remove(name) { print(name) }
  }
}
