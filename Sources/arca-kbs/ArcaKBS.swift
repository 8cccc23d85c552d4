import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import ArcaKeyBrokerPKCS11
import ArcaKeyBrokerSQLite
import ArgumentParser
import Foundation
import TEEAttestation

/// The command line of the key broker.
@main
struct ArcaKBS: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "arca-kbs",
    abstract: "A key broker: releases secrets to TEEs that prove what they are.",
    discussion: """
      Speaks the key broker protocol of CNCF Confidential Containers. A folder holds all of a
      broker: configuration, keys, store and policy. What the policy does not name is released to
      nobody.
      """,
    subcommands: [
      InitCommand.self, ServeCommand.self, ResourceCommand.self, PolicyCommand.self,
      CounterCommand.self, PinCommand.self, TokenCommand.self, AuditCommand.self,
      RotateCommand.self, BackupCommand.self, RestoreCommand.self,
    ])

  /// Runs the command that the arguments name; whatever it makes is for its owner alone.
  static func main() async {
    umask(0o077)
    checkOutputAtExit()
    await main(nil)
  }
}

/// A failure that a command reports in one sentence, without the usage text.
struct CommandError: Error, CustomStringConvertible {
  /// The thing, what was found, what was expected, what to do.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Writes one line to standard error.
func note(_ line: String) {
  try? FileHandle.standardError.write(contentsOf: Data("\(line)\n".utf8))
}

/// The broker's folder, as every command takes it.
struct FolderOption: ParsableArguments {
  @Option(name: [.short, .customLong("folder")], help: "The broker's folder.")
  var path = "/etc/arca-kbs"

  var folder: BrokerFolder { BrokerFolder(path: path) }

  /// The name that the audit log gives whoever works on the folder itself.
  static let localName = "local"

  /// Reads the configuration.
  func readConfiguration() throws -> BrokerConfiguration {
    guard let content = FileManager.default.contents(atPath: folder.configuration) else {
      throw CommandError("\(folder.configuration): cannot be read; make it with arca-kbs init")
    }
    return try BrokerConfiguration(yaml: String(decoding: content, as: UTF8.self), in: folder)
  }

  /// Opens the store; the embedded one stays in use until the process ends.
  func store(creates: Bool = false) async throws -> any KeyBrokerStore {
    guard creates || !FileManager.default.fileExists(atPath: folder.unfinished) else {
      throw CommandError("\(folder.path): arca-kbs init was broken off; run it again")
    }
    if let service = try readConfiguration().etcd { return try await EtcdStore(service) }
    try FolderLock.hold(folder.lock, exclusively: false)
    return try SQLiteStore(path: folder.database, creates: creates)
  }

  /// The master keys, in the token or in files.
  func keyring() throws -> any MasterKeyring {
    if let token = try readConfiguration().token { return try TokenKeyring(token) }
    return try MasterKeyFiles(folder: folder.masterKeys)
  }

  /// Puts the broker of the folder together.
  func broker(
    report: @escaping @Sendable (AttestationError) -> Void = { note("collateral: \($0.detail)") }
  ) async throws -> KeyBroker { try broker(over: try await store(), report: report) }

  /// Puts the broker of the folder together over a store that is open.
  func broker(
    over store: any KeyBrokerStore, report: @escaping @Sendable (AttestationError) -> Void
  ) throws -> KeyBroker {
    let configuration = try readConfiguration()
    let clock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    var roots: [[UInt8]] = []
    for name in configuration.simulatedRoots {
      guard let root = FileManager.default.contents(atPath: folder.file(name)) else {
        throw CommandError("\(folder.file(name)): simulated root cannot be read")
      }
      roots.append(Array(root))
    }
    return KeyBroker(
      store: store, keys: MasterKeys(try keyring()),
      judge: try EvidenceJudge(
        dangerouslyAcceptingSimulatedEvidence: configuration.dangerouslyAcceptSimulatedEvidence,
        simulatedRoots: roots),
      tokens: try folder.tokenIssuer(configuration.issuer),
      endorsements: BrokerCollateral(
        folder: folder.collateral, sources: configuration.sources, clock: clock, report: report),
      limits: configuration.limits, clock: clock)
  }
}
