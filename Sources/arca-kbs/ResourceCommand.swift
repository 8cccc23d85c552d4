import ArcaKeyBroker
import ArgumentParser
import Foundation
import TEEAttestation

/// `arca-kbs resource`: the resources in the store, worked on where the broker's files are.
struct ResourceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resource", abstract: "Set, show, list and remove resources.",
    subcommands: [Set.self, Get.self, List.self, Delete.self])

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Store a file as a resource.")

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag") var path: String
    @Argument(help: "The file with the content; - for standard input.") var file: String

    func run() async throws {
      var content = try readInput(file)
      defer { content.resetBytes(in: 0..<content.count) }
      try await option.broker().setResource(path, to: content, by: FolderOption.localName)
    }
  }

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a resource's content to standard output; the audit log keeps it.")

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag") var path: String

    func run() async throws {
      guard
        var content = try await option.broker().revealResource(path, by: FolderOption.localName)
      else { throw CommandError("\(path): no such resource") }
      defer { content.resetBytes(in: 0..<content.count) }
      try FileHandle.standardOutput.write(contentsOf: content)
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List resources, with size, master key and time, never the content.")

    @OptionGroup var option: FolderOption

    func run() async throws {
      for resource in try await option.broker().listResources() {
        let time = VerificationTime(unixSeconds: resource.updated).text
        print("\(resource.path)\t\(resource.size) bytes\tkey \(resource.keyID)\t\(time)")
      }
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove a resource.")

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag") var path: String

    func run() async throws {
      guard try await option.broker().deleteResource(path, by: FolderOption.localName) else {
        throw CommandError("\(path): no such resource")
      }
    }
  }
}

/// The content of `path`, or of standard input for `-`.
func readInput(_ path: String) throws -> Data {
  if path == "-" { return try FileHandle.standardInput.readToEnd() ?? Data() }
  guard let content = FileManager.default.contents(atPath: path) else {
    throw CommandError("\(path): cannot be read")
  }
  return content
}
