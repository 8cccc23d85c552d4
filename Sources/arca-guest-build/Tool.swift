import Foundation

/// Runs another program.
enum Tool {
  /// Runs `arguments` by way of `PATH`, feeds it `input`, and returns its standard output; what a
  /// quiet one says on standard error is dropped.
  static func run(
    _ arguments: [String], in folder: URL? = nil, input: Data? = nil, isQuiet: Bool = false
  ) throws(BuildError) -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["LC_ALL=C"] + arguments
    if let folder { process.currentDirectoryURL = folder }
    if isQuiet { process.standardError = FileHandle.nullDevice }
    let output = Pipe()
    process.standardOutput = output
    var source: URL?
    defer { if let source { try? FileManager.default.removeItem(at: source) } }
    do {
      if let input {
        // A file, so that neither side waits for the other.
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try input.write(to: file)
        source = file
        process.standardInput = try FileHandle(forReadingFrom: file)
      } else {
        process.standardInput = FileHandle.nullDevice
      }
      try process.run()
    } catch {
      throw BuildError(.tool, "\(arguments[0]) could not be started: \(error)")
    }
    let result = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BuildError(
        .tool,
        "\(arguments.joined(separator: " ")) ended with status \(process.terminationStatus)")
    }
    return result
  }

  /// The standard output of `arguments` as text.
  static func text(_ arguments: [String], in folder: URL? = nil) throws(BuildError) -> String {
    String(decoding: try run(arguments, in: folder), as: UTF8.self)
  }
}

/// Files and folders, with this module's errors.
enum Disk {
  static func read(_ file: URL) throws(BuildError) -> Data {
    do {
      return try Data(contentsOf: file)
    } catch {
      throw BuildError(.file, "\(file.path) could not be read: \(error)")
    }
  }

  static func write(_ content: Data, to file: URL) throws(BuildError) {
    do {
      try content.write(to: file, options: .atomic)
    } catch {
      throw BuildError(.file, "\(file.path) could not be written: \(error)")
    }
  }

  static func makeExecutable(_ file: URL) throws(BuildError) {
    do {
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    } catch {
      throw BuildError(.file, "\(file.path) could not be made executable: \(error)")
    }
  }

  static func makeFolder(_ folder: URL) throws(BuildError) {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw BuildError(.file, "\(folder.path) could not be made: \(error)")
    }
  }

  /// Every file below `folder` whose name `matches`.
  static func find(_ folder: URL, _ matches: (String) -> Bool) -> [URL] {
    let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    var found: [URL] = []
    while let file = walk?.nextObject() as? URL {
      if matches(file.lastPathComponent) { found.append(file) }
    }
    return found
  }
}
