import Foundation

/// Runs programs for tests.
public enum Command {
  /// A program that ended with another status than 0.
  public struct Failure: Error, CustomStringConvertible {
    /// The command line, the status and what it printed.
    public let description: String
  }

  /// Runs `arguments`, found on the path, with `input`; returns standard output.
  public static func run(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
  ) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    let names = ["input", "output", "errors"].map { "\(folder.path)/\($0)" }
    try Data(input).write(to: URL(fileURLWithPath: names[0]))
    for name in names.dropFirst() { try Data().write(to: URL(fileURLWithPath: name)) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle(forReadingAtPath: names[0])
    process.standardOutput = FileHandle(forWritingAtPath: names[1])
    process.standardError = FileHandle(forWritingAtPath: names[2])
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let errors = try String(contentsOfFile: names[2], encoding: .utf8)
      throw Failure(
        description: "\(arguments.joined(separator: " ")): \(process.terminationStatus) \(errors)")
    }
    return Array(try Data(contentsOf: URL(fileURLWithPath: names[1])))
  }
}

/// A new empty folder, removed when the test process ends.
///
/// It does not go with its last reference: tests use paths, whose folder would then be gone as soon
/// as the optimiser finds the value itself unused.
public struct TemporaryFolder: Sendable {
  private static let base: String = {
    atexit { try? FileManager.default.removeItem(atPath: TemporaryFolder.path(of: getpid())) }
    return path(of: getpid())
  }()

  /// The folder's path.
  public let path: String

  /// Makes the folder.
  public init() throws {
    path = "\(Self.base)/\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  private static func path(of process: Int32) -> String {
    NSTemporaryDirectory() + "arca-test-\(process)"
  }
}
