import ArcaBytes
import ArcaKeyBroker
import ArgumentParser
import Foundation
import TEEAttestation

/// `arca-kbs token`: administrators' tokens, and the broker's own.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make administrators' tokens; check the broker's tokens.",
    subcommands: [Admin.self, Verify.self])

  struct Admin: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a token for administration over HTTPS (Authorization: Bearer …).")

    @OptionGroup var option: FolderOption
    @Option(help: "The administrator's private key, PEM, P-256 or Ed25519; default: the folder's.")
    var key: String?
    @Option(help: "The administrator's name, for the audit log.") var name = "admin"
    @Option(help: "How long the token is valid, in seconds; at most two hours.")
    var seconds: UInt64 = 600

    func run() throws {
      let pem = try PrivateFile.read(key ?? option.folder.administratorKey)
      print(
        try Administrators.token(
          name: name, seconds: seconds, at: Int64(Date().timeIntervalSince1970),
          with: JWSPrivateKey(pem: String(decoding: pem, as: UTF8.self))))
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say whether a token is one of this broker's, and for which session.")

    @OptionGroup var option: FolderOption
    @Argument(help: "The file with the token; - for standard input.") var file: String

    func run() throws {
      let issuer = try option.folder.tokenIssuer(try option.readConfiguration().issuer)
      let token = String(decoding: try readInput(file), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let session = try issuer.session(
        ofToken: token, at: Int64(Date().timeIntervalSince1970))
      print("a token of this broker, session \(session)")
    }
  }
}

/// `arca-kbs audit`: the audit log.
struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Show the audit log and verify its chain.",
    subcommands: [Verify.self, Show.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Verify the chain and print its length and head.",
      discussion: """
        Note the head elsewhere: with --head, a log that was cut off after that entry is found too.
        """)

    @OptionGroup var option: FolderOption
    @Option(help: "A head noted before; the log must hold it.") var head: String?

    func run() async throws {
      let chain = try await AuditChain.verify(await option.store(), containing: head)
      print("\(chain.count) entries, head \(Hex.encode(chain.head))")
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print entries, one a line.")

    @OptionGroup var option: FolderOption
    @Option(help: "The first entry to print.") var from: Int64 = 1

    func run() async throws {
      let store = try await option.store()
      var next = max(1, from)
      while true {
        let entries = try await store.auditEntries(from: next, limit: 1000)
        guard let last = entries.last else { return }
        for entry in entries { print("\(entry.sequence)\t\(entry.text)") }
        next = last.sequence + 1
      }
    }
  }
}

/// `arca-kbs rotate`: a new master key.
struct RotateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate",
    abstract: "Make a new master key and wrap every resource's key under it.",
    discussion: """
      The old key stays until you remove it: backups made before need it. A broker that is
      running reads the new key when it meets it.
      """)

  @OptionGroup var option: FolderOption

  func run() async throws {
    let broker = try await option.broker()
    let id = try option.keyring().make()
    try await broker.rotate(by: FolderOption.localName)
    print("master key \(id) is in use")
  }
}
