import ArcaKeyBroker
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
      TokenCommand.self, AuditCommand.self, RotateCommand.self, BackupCommand.self,
    ])

  /// Runs the command that the arguments name; whatever it makes is for its owner alone.
  static func main() async {
    umask(0o077)
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
    return try BrokerConfiguration(yaml: String(decoding: content, as: UTF8.self))
  }

  /// Opens the store.
  func store() throws -> SQLiteStore { try SQLiteStore(path: folder.database) }

  /// Puts the broker of the folder together.
  func broker(
    report: @escaping @Sendable (AttestationError) -> Void = { note("collateral: \($0.detail)") }
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
      store: try store(), keys: try MasterKeys(folder: folder.masterKeys),
      judge: try EvidenceJudge(
        dangerouslyAcceptingSimulatedEvidence: configuration.dangerouslyAcceptSimulatedEvidence,
        simulatedRoots: roots),
      policy: PolicySource(path: folder.policy),
      tokens: try folder.tokenIssuer(configuration.issuer),
      endorsements: BrokerCollateral(
        folder: folder.collateral, sources: configuration.sources, clock: clock, report: report),
      limits: configuration.limits, clock: clock)
  }
}
