import Foundation

/// Runs another program to its end.
package enum ChildProcess {
  /// How a program ended.
  package struct Result: Sendable {
    /// The exit status, or 128 plus the signal.
    package let status: Int32
    /// The end of what it wrote to standard error, on one line.
    package let errorText: String
  }

  /// Runs `program`, found on the path unless it has a slash, without standard input.
  ///
  /// With `showsOutput`, what the program prints goes to standard error as it comes; with `output`,
  /// to that new file.
  package static func run(
    _ program: String, _ arguments: [String], showsOutput: Bool, output: String? = nil
  ) throws(ImageError) -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.environment = ProcessInfo.processInfo.environment
      .merging(["LC_ALL": "C"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    let errors = Pipe()
    process.standardOutput = showsOutput ? FileHandle.standardError : FileHandle.nullDevice
    if let output {
      let file = try DataFile.creating(output)
      process.standardOutput = FileHandle(
        fileDescriptor: dup(file.descriptor), closeOnDealloc: true)
    }
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
    let errorBytes = collector.wait()
    process.waitUntilExit()
    if process.terminationStatus == 127, process.terminationReason == .exit {
      throw ImageError(.toolFailed, "\(program) is not installed; install its Debian package")
    }
    let lines = String(decoding: errorBytes.suffix(2000), as: UTF8.self)
      .split(separator: "\n").suffix(3)
    return Result(
      status: process.terminationStatus + (process.terminationReason == .exit ? 0 : 128),
      errorText: lines.joined(separator: " "))
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
