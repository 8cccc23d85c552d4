import ArcaTEE
import Foundation

/// Gramine as it is installed here: the programs that build an enclave and serve what runs in it.
public struct Gramine: Sendable, Equatable {
  /// Where distributions and Gramine's own build put it.
  private static let folders = [
    "/usr/lib/x86_64-linux-gnu/gramine", "/usr/lib64/gramine", "/usr/lib/gramine",
    "/usr/local/lib/x86_64-linux-gnu/gramine", "/usr/local/lib64/gramine",
  ]
  /// The environment variable that names another folder; empty, it names none.
  public static let variable = "ARCA_GRAMINE"
  /// The library that serves system calls, beneath any such folder.
  static let library = "libsysdb.so"

  /// The folder of the programs.
  public let folder: String

  /// Gramine in `folder`.
  package init(folder: String) { self.folder = folder }

  /// The Gramine that can run enclaves of `kind`, or nil.
  public static func find(
    for kind: LaunchKind, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Gramine? {
    let folders = environment[variable].map { $0.isEmpty ? [] : [$0] } ?? Self.folders
    let parts = [GramineParts(kind).loader, GramineParts(kind).platform, library]
    return folders.first { folder in
      parts.allSatisfy { FileManager.default.isReadableFile(atPath: "\(folder)/\($0)") }
    }
    .map(Gramine.init(folder:))
  }

  /// The files that a launch of `kind` uses, by their names beneath ``folder``.
  ///
  /// The loader is not inside: it builds the enclave, and what it builds is measured.
  func files(inside kind: LaunchKind) -> [String] { [GramineParts(kind).platform, Self.library] }
}
