import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation

/// `arca logs`: what a detached container has written.
struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Print a detached container's output and, to standard error, its errors.")

  @Flag(name: [.short, .long], help: "Go on until the container ends.")
  var follow = false

  @Argument(help: "The container's name or id.")
  var name: String

  func run() throws {
    let container = try ContainerStore(Installation()).find(name)
    guard let output = try? System.open(container.logs.output),
      let error = try? System.open(container.logs.error)
    else {
      throw CommandError("container \(name): it was not detached, so there are no logs")
    }
    while true {
      // Asked before copying, so that what was written just before the end is not missed.
      let hasEnded = container.state == .exited
      try copy(output, 1)
      try copy(error, 2)
      if !follow || hasEnded { return }
      usleep(100_000)
    }
  }

  private func copy(_ from: Int32, _ to: Int32) throws {
    var chunk: [UInt8] = []
    while case .bytes = try System.read(from, into: &chunk, max: 1 << 16) {
      try System.writeAll(to, chunk)
    }
  }
}
