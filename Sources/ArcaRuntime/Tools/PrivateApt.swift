import ArcaTEE
import Foundation

/// apt with sources, lists, cache and package state of its own, in a folder that is thrown away.
struct PrivateApt {
  /// Suites that have QEMU 10.1 or later and both firmwares, the preferred one first.
  private static let suites = ["forky", "sid"]
  private static let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

  /// The suite that was found.
  let suite: String
  private let folder: String
  private let options: [String]

  /// Reads the lists of the first suite that the system's own mirror has.
  init(folder: String, progress: (String) -> Void) throws(RuntimeError) {
    self.folder = folder
    let site = try Self.mirror()
    for part in ["lists/partial", "cache/archives/partial"] { try makeFolder("\(folder)/\(part)") }
    options = [
      "-q", "-o", "Dir::Etc::sourcelist=\(folder)/sources.list", "-o", "Dir::Etc::sourceparts=-",
      "-o", "Dir::State=\(folder)", "-o", "Dir::State::Lists=\(folder)/lists",
      "-o", "Dir::State::status=\(folder)/status", "-o", "Dir::Cache=\(folder)/cache",
      "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1",
      "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64",
    ]
    var failure = ""
    for suite in Self.suites {
      progress("reading the lists of \(suite) on \(site)")
      let source = "deb [signed-by=\(Self.keyring)] \(site) \(suite) main\n"
      do {
        try System.replace(folder + "/sources.list", with: Array(source.utf8))
        try System.replace(folder + "/status", with: [])
        _ = try runTool(
          ["/usr/bin/apt-get"] + options + ["-o", "APT::Update::Error-Mode=any", "update"])
        self.suite = suite
        return
      } catch {
        failure = "\(error)"
      }
    }
    throw RuntimeError(
      .installation, "tools: none of \(Self.suites.joined(separator: ", ")) on \(site): \(failure)")
  }

  /// Downloads `packages` with all that they depend on, and returns the files.
  ///
  /// apt checks each against the suite's signed lists.
  func download(
    _ packages: [String], progress: (String) -> Void
  ) throws(RuntimeError) -> [String] {
    progress("fetching \(packages.joined(separator: ", ")) and what they need")
    _ = try runTool(
      ["/usr/bin/apt-get"] + options
        + ["--yes", "--no-install-recommends", "--download-only", "install"] + packages)
    let archives = folder + "/cache/archives"
    let files = System.names(in: archives).filter { $0.hasSuffix(".deb") }.sorted()
    guard !files.isEmpty else {
      throw RuntimeError(.installation, "tools: apt fetched no package of \(suite)")
    }
    return files.map { "\(archives)/\($0)" }
  }

  /// The mirror of Debian's own archive that the system uses.
  private static func mirror() throws(RuntimeError) -> String {
    let format = "$(ORIGIN)|$(LABEL)|$(SITE)"
    let lines =
      (try? runTool([
        "/usr/bin/apt-get", "indextargets", "--format", format, "Created-By: Packages",
      ])) ?? ""
    for line in lines.split(separator: "\n") {
      let fields = line.split(separator: "|", omittingEmptySubsequences: false)
      if fields.count == 3, fields[0] == "Debian", fields[1] == "Debian" {
        return String(fields[2])
      }
    }
    throw RuntimeError(
      .installation,
      "tools: apt's sources name no Debian archive; on another distribution install QEMU 10.1 or "
        + "later and OVMF's AmdSev and TDX builds")
  }
}
