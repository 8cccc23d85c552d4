import ArcaKeyBroker
import ArgumentParser

/// `arca-kbs counter`: the generation counters that guard encrypted volumes against older copies.
struct CounterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "counter", abstract: "List and remove generation counters.",
    subcommands: [List.self, Remove.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the counters that were advanced.")

    @OptionGroup var option: FolderOption

    func run() async throws {
      for counter in try await option.broker().listCounters() {
        print("\(counter.path)\t\(counter.generation)")
      }
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put a counter back to 0, for a volume that is to be made anew.",
      discussion: """
        The volume that the counter belonged to is refused from then on, and its older copies are
        not found by the counter any more: remove the volume's key too.
        """)

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag") var path: String

    func run() async throws {
      guard try await option.broker().removeCounter(path, by: FolderOption.localName) else {
        throw CommandError("\(path): no such counter")
      }
    }
  }
}
