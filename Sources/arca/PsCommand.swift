import ArcaBytes
import ArcaRuntime
import ArgumentParser
import Foundation

/// `arca ps`: the containers.
struct PsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "List the running containers.")

  @Flag(name: [.short, .long], help: "List those that have ended as well.")
  var all = false

  @Flag(help: "Print JSON.")
  var json = false

  private struct Row: Encodable {
    let id: String
    let name: String
    let image: String
    let command: [String]
    let tee: String
    let state: String
    let exitStatus: UInt8?
    let error: String?
    let workloadDigest: String
    let createdSeconds: UInt64
  }

  func run() throws {
    let rows = try ContainerStore(Installation()).list().compactMap { container -> Row? in
      let state = container.state
      guard all || state != .exited else { return nil }
      let record = container.record
      let result = container.result
      return Row(
        id: record.id, name: record.name, image: record.image, command: record.args,
        tee: record.tee.rawValue, state: state.rawValue, exitStatus: result?.exitStatus,
        error: result?.error.map(describe), workloadDigest: Hex.encode(record.workloadDigest),
        createdSeconds: record.createdSeconds)
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(rows), as: UTF8.self))
      return
    }
    var table = [["ID", "NAME", "IMAGE", "TEE", "STATE", "COMMAND"]]
    for row in rows {
      let state = row.exitStatus.map { "exited (\($0))" } ?? row.state
      table.append(
        [row.id, row.name, row.image, row.tee, state, row.command.joined(separator: " ")])
    }
    for line in table {
      let cells = zip(line, table[0].indices).map { cell, column in
        let width = table.map { $0[column].count }.max() ?? 0
        return cell.padding(toLength: width, withPad: " ", startingAt: 0)
      }
      print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
    }
  }
}
