import ArcaBytes
import ArcaManifest
import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation
import TEEAttestation
import TEEMeasurement

/// `arca sev`: the owner's and the host's part in the launch of a SEV-ES or SEV guest.
struct SEVCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sev",
    abstract: "Launch SEV-ES and SEV guests: their owner judges before the first instruction.",
    discussion: """
      These kinds have no evidence inside. Their owner agrees on keys with the platform, compares
      the launch's measurement, and only then gives out a secret:

        host   sevctl export --full chain.bin
        owner  arca sev session --chain chain.bin --output session
        host   arca run -d --name web --tee sev-es --session session IMAGE
        host   arca sev launch web --output launch.bin
        owner  arca sev secret session --launch launch.bin --measurement HEX --output packet.bin
        host   arca sev inject web packet.bin

      The host gives chain.bin and launch.bin to the owner; the owner gives session/dh-cert,
      session/session and packet.bin to the host. With the last command the guest starts.

      Where the workload's manifest names a key broker that is to judge, one command is enough:

        host   arca run --tee sev-es --sev-chain chain.bin IMAGE

      HEX is what `arca measure --tee sev-es IMAGE` prints; it covers the workload digest too, which
      is on the measured kernel command line.
      """,
    subcommands: [Session.self, Launch.self, Secret.self, Inject.self])

  /// The owner's keys, in the session's folder.
  struct OwnerKeys: Codable {
    let encryptionKey: String
    let integrityKey: String
    let policy: UInt32
  }

  /// `arca sev session`.
  struct Session: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Owner: verify a platform's certificates and agree on keys with it.")

    @Option(help: "PDH, PEK, OCA, CEK, ASK, ARK, as `sevctl export --full` writes them.")
    var chain: String

    @Option(help: "The guest policy; it must be the one of `arca run --policy`.")
    var policy = HexNumber(value: HardwareLaunch.DefaultPolicy.sevES)

    @Option(name: .shortAndLong, help: "The folder to write to; owner.json in it stays secret.")
    var output: String

    func run() throws {
      guard let content = FileManager.default.contents(atPath: chain) else {
        throw CommandError("\(chain): cannot be read")
      }
      guard let policy = UInt32(exactly: policy.value) else {
        throw ValidationError("--policy: expected 32 bits")
      }
      do {
        let verified = try SEVChain([UInt8](content))
        let session = try SEVSession(with: verified, policy: policy)
        let keys = OwnerKeys(
          encryptionKey: Hex.encode(session.encryptionKey),
          integrityKey: Hex.encode(session.integrityKey), policy: policy)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        try writeSecret([UInt8](try JSONEncoder().encode(keys)), output + "/owner.json")
        // QEMU reads both as Base64.
        try write(Array(base64(session.certificate).utf8), output + "/dh-cert")
        try write(Array(base64(session.blob).utf8), output + "/session")
        print("platform: AMD \(verified.product), its chain holds")
      } catch let error as AttestationError {
        throw CommandError(error.detail)
      }
    }
  }

  /// `arca sev launch`.
  struct Launch: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Host: write what the platform measured of a guest that waits.")

    @Argument(help: "The container.")
    var container: String

    @Option(name: .shortAndLong, help: "The file to write, for the owner.")
    var output: String

    func run() throws {
      let record = try ContainerStore(Installation()).find(container).sevLaunch()
      try write(record.encoded(), output)
    }
  }

  /// `arca sev secret`.
  struct Secret: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Owner: compare a launch's measurement, and pack secrets for the guest.",
      discussion: """
        Nothing is written where the measurement is not what is expected. With --resource, arca-init
        puts what the manifest asks for where the manifest says; such resources are in one entry of
        the table. With --secret, an entry is a file in the guest beneath
        /sys/kernel/security/secrets/coco, by its GUID. Either needs a guest's kernel with
        efi_secret; the firmware has room for 3072 bytes in all.
        """)

    @Argument(help: "The folder that `arca sev session` made.")
    var session: String

    @Option(help: "What `arca sev launch` wrote.")
    var launch: String

    @Option(help: "The launch digest that is expected, in hexadecimal.")
    var measurement: String

    @Option(help: "A resource of the manifest's: kbs:///a/b/c=FILE; repeatable.")
    var resource: [String] = []

    @Option(help: "A secret: GUID=FILE; repeatable.")
    var secret: [String] = []

    @Option(name: .shortAndLong, help: "The file to write, for the host.")
    var output: String

    func run() throws {
      guard let stored = FileManager.default.contents(atPath: session + "/owner.json"),
        let keys = try? JSONDecoder().decode(OwnerKeys.self, from: stored)
      else { throw CommandError("\(session)/owner.json: expected what `arca sev session` wrote") }
      guard let content = FileManager.default.contents(atPath: launch),
        let record = try? SEVLaunchRecord(decoding: [UInt8](content))
      else { throw CommandError("\(launch): expected what `arca sev launch` wrote") }
      do {
        let owner = try SEVSession(
          encryptionKey: Hex.decode(keys.encryptionKey) ?? [],
          integrityKey: Hex.decode(keys.integrityKey) ?? [], policy: keys.policy)
        let expected = try SEVLaunchMeasure(
          launchDigest: Hex.decode(measurement) ?? [], policy: keys.policy,
          api: (record.api[0], record.api[1], record.api[2]), nonce: Array(record.blob[32...]),
          integrityKey: owner.integrityKey)
        guard expected.blob == record.blob else {
          throw CommandError(
            "\(launch): LAUNCH_MEASURE is \(Hex.encode(record.blob[..<32])), expected "
              + "\(Hex.encode(expected.measurement)): the host booted something else, or under "
              + "another policy, or not with this session. Nothing was written")
        }
        let packed = try owner.secret(try table(), measurement: expected.measurement)
        let packet = SEVSecretPacket(header: packed.header, secret: packed.ciphertext)
        try write(packet.encoded(), output)
        print("the launch is the expected one")
      } catch let error as AttestationError {
        throw CommandError(error.detail)
      } catch let error as MeasurementError {
        throw CommandError(error.detail)
      }
    }

    private func table() throws -> [UInt8] {
      var entries = try secret.map { text in
        let (name, content) = try Self.read(text, "--secret", "GUID=FILE")
        guard let guid = SEVSecretTable.guid(name) else {
          throw ValidationError("--secret \(text): expected GUID=FILE")
        }
        return (guid: guid, content: content)
      }
      if !resource.isEmpty {
        entries.append(
          SEVSecretTable.entry(
            ofResources: try resource.map { text in
              let (name, content) = try Self.read(text, "--resource", "kbs:///a/b/c=FILE")
              guard let path = ResourceURI.path(name) else {
                throw ValidationError("--resource \(text): expected kbs:///a/b/c=FILE")
              }
              return (String(decoding: path, as: UTF8.self), content)
            }))
      }
      guard Set(entries.map(\.guid)).count == entries.count,
        Set(resource.map { $0.prefix { $0 != "=" } }).count == resource.count
      else { throw ValidationError("--secret, --resource: expected each name once") }
      let table = SEVSecretTable.encoded(entries)
      guard table.count <= SEVSecretTable.bytesMax else {
        throw CommandError(
          "secrets: \(table.count) bytes in all; the guest's firmware has room for "
            + "\(SEVSecretTable.bytesMax)")
      }
      return table
    }

    private static func read(
      _ text: String, _ option: String, _ form: String
    ) throws -> (name: String, content: [UInt8]) {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let content = FileManager.default.contents(atPath: parts[1]) else {
        throw ValidationError("\(option) \(text): expected \(form)")
      }
      return (parts[0], [UInt8](content))
    }
  }

  /// `arca sev inject`.
  struct Inject: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Host: hand the owner's packet to a guest that waits, which starts it.")

    @Argument(help: "The container.")
    var container: String

    @Argument(help: "What `arca sev secret` wrote.")
    var packet: String

    func run() throws {
      guard let content = FileManager.default.contents(atPath: packet),
        let packet = try? SEVSecretPacket(decoding: [UInt8](content))
      else { throw CommandError("\(packet): expected what `arca sev secret` wrote") }
      try ContainerStore(Installation()).find(container).inject(packet)
    }
  }
}
