import ArcaRuntime
import ArgumentParser

/// `arca stop`: the stop signal, then the end.
struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "Ask a container to stop by its stop signal, and end it where it does not.")

  @Option(
    name: [.customShort("t"), .customLong("time")], help: "Seconds to wait before ending it.")
  var seconds = 10

  @Argument(help: "The containers' names or ids.")
  var names: [String]

  func run() throws {
    let store = try ContainerStore(Installation())
    for name in names {
      try store.stop(try store.find(name), timeoutSeconds: max(0, seconds))
      print(name)
    }
  }
}
