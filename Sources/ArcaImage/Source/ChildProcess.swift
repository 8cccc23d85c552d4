import Foundation

/// Runs another program to its end.
package enum ChildProcess {
  /// How a program ended.
  package struct Result: Sendable {
    /// The exit status, or 128 plus the signal.
    package let status: Int32
    /// What it wrote to standard output.
    package let output: [UInt8]
    /// The end of what it wrote to standard error, on one line.
    package let errorText: String
  }

  /// Runs `program`, found on the path unless it has a slash, without standard input.
  ///
  /// `environment` is set on top of this process's own; with `showsOutput`, what the program prints
  /// goes to standard error as it comes.
  package static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    showsOutput: Bool = false
  ) throws(ImageError) -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.environment = ProcessInfo.processInfo.environment
      .merging(["LC_ALL": "C"]) { $1 }.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = showsOutput ? FileHandle.standardError : output
    process.standardError = errors
    do {
      try process.run()
    } catch {
      throw ImageError(.toolFailed, "cannot start \(program): \(error)")
    }
    let collector = Collector()
    let drain = Thread {
      collector.finish(with: errors.fileHandleForReading, showing: showsOutput)
    }
    drain.start()
    let printed =
      showsOutput ? Data() : (try? output.fileHandleForReading.readToEnd()) ?? Data()
    let errorBytes = collector.wait()
    process.waitUntilExit()
    if process.terminationStatus == 127, process.terminationReason == .exit {
      throw ImageError(.toolFailed, "\(program) is not installed; install its Debian package")
    }
    let lines = String(decoding: errorBytes.suffix(2000), as: UTF8.self)
      .split(separator: "\n").suffix(3)
    return Result(
      status: process.terminationStatus + (process.terminationReason == .exit ? 0 : 128),
      output: Array(printed), errorText: lines.joined(separator: " "))
  }

  /// Gathers one stream on a thread of its own, so that neither pipe can fill up.
  private final class Collector: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var bytes: [UInt8] = []

    func finish(with handle: FileHandle, showing: Bool) {
      while let data = try? handle.read(upToCount: 65_536), !data.isEmpty {
        bytes = Array((bytes + data).suffix(65_536))
        if showing { FileHandle.standardError.write(data) }
      }
      done.signal()
    }

    func wait() -> [UInt8] {
      done.wait()
      return bytes
    }
  }
}

extension ChildProcess {
  /// What `program` prints to standard output; another exit status than 0 is an error.
  static func output(_ program: String, _ arguments: [String]) throws(ImageError) -> String {
    let result = try run(program, arguments)
    guard result.status == 0 else {
      throw ImageError(
        .toolFailed, "\(program) ended with status \(result.status): \(result.errorText)")
    }
    return String(decoding: result.output, as: UTF8.self)
  }
}
