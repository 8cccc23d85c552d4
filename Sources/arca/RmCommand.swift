import ArcaRuntime
import ArgumentParser

/// `arca rm`: forget containers that have ended.
struct RmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm", abstract: "Remove containers that have ended.")

  @Flag(name: [.short, .long], help: "End a container that still runs.")
  var force = false

  @Argument(help: "The containers' names or ids.")
  var names: [String]

  func run() throws {
    let store = try ContainerStore(Installation())
    for name in names {
      let container = try store.find(name)
      if force { try store.kill(container) }
      try store.remove(container)
      print(name)
    }
  }
}
