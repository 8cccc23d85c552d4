import ArcaRuntime
import ArgumentParser

/// `arca tools`: QEMU and firmware of Arca's own, for systems whose QEMU is too old.
struct ToolsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tools",
    abstract: "Fetch QEMU and firmware for hardware TEEs, without touching the system's.",
    subcommands: [Fetch.self, List.self])

  /// `arca tools fetch`.
  struct Fetch: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetch them from a newer Debian suite.",
      discussion: """
        TDX takes QEMU 10.1 or later, SEV-SNP 9.1, and both take firmware builds that older suites
        lack. apt fetches them with sources and lists of its own from the mirror that the system
        uses, checks their signatures, and they are unpacked beneath Arca's data folder. QEMU runs
        there through its own suite's dynamic loader; nothing is installed.
        """)

    @Flag(help: "Fetch the newest even where some are there.")
    var refresh = false

    func run() throws {
      let tree = ToolTree(Installation())
      let tools = try tree.fetch(anew: refresh) { complain($0) }
      print(tools.folder)
    }
  }

  /// `arca tools list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print what was fetched: suite, packages and their SHA-256.")

    func run() throws {
      guard let tools = ToolTree(Installation()).current else {
        throw CommandError("no tools: `arca tools fetch` fetches them")
      }
      try printJSON(tools.record)
    }
  }
}
