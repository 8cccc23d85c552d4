import ArcaRuntime
import ArgumentParser
import Foundation

/// `arca tcb`: exactly what is inside the TEE.
struct TCBCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tcb",
    abstract: "List exactly what is inside the TEE for an image.",
    discussion: """
      Every file with size and SHA-256, Arca's own lines of code by module, the packages of others,
      the messages that the host may send and the devices that it gives. The options are those of
      `arca run`. What the processor's maker brings is not listed; in simulation the host is trusted
      besides.
      """)

  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @Option(help: "The kind of TEE; the default is that of `arca run`.")
  var tee: String?

  @Option(help: "The workload's manifest in place of a derived one.")
  var manifest: String?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Print an SPDX 2.3 document; its time is SOURCE_DATE_EPOCH where that is set.")
  var spdx = false

  @Argument(help: "The image: a name, oci:FOLDER, docker-archive:FILE, docker://…")
  var image: String

  @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
  var command: [String] = []

  func run() throws {
    let installation = Installation()
    let kind = try launchKind(tee, installation)
    let prepared = try prepareImage(image)
    let own =
      try manifest.map { try readManifest($0) } ?? workload.derivedManifest(of: prepared, command)
    let base = try withExtendedLifetime(prepared) {
      kind.isEnclave
        ? try TrustedComputingBase(enclave: kind, own, image: prepared, installation)
        : try TrustedComputingBase(kind, image: prepared, workload: own.digest, installation)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    if spdx {
      let epoch = ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"].flatMap(Double.init)
      let created = epoch.map(Date.init(timeIntervalSince1970:)) ?? Date()
      print(String(decoding: try encoder.encode(base.spdx(created: created)), as: UTF8.self))
    } else if json {
      print(String(decoding: try encoder.encode(base), as: UTF8.self))
    } else {
      show(base)
    }
  }

  private func show(_ base: TrustedComputingBase) {
    print("TEE: \(base.tee)\(base.simulated ? " (simulated: the host is trusted too)" : "")")
    print("workload digest: \(base.workloadDigest)")
    section(base.initrd.isEmpty ? "in the enclave" : "booted", base.booted)
    if !base.kernelCommandLine.isEmpty {
      print("  kernel command line: \(base.kernelCommandLine)")
    }
    if let options = base.kernelOptions {
      print("  kernel options (\(options.count)): \(options.joined(separator: " "))")
    }
    if !base.initrd.isEmpty { section("initrd", base.initrd) }
    print("\nArca's own code: \(base.linesOfCodeInAll) lines")
    for (module, lines) in base.linesOfCode.sorted(by: { $0.key < $1.key }) {
      print("  \(column("\(lines)", 8)) \(module)")
    }
    print("\npackages of others: \(base.packages.count)")
    for package in base.packages { print("  \(package.name) \(package.version)") }
    print("\nmessages from the host: \(base.hostMessages.count)")
    print("  \(base.hostMessages.joined(separator: " "))")
    if !base.devices.isEmpty { print("\ndevices") }
    for device in base.devices { print("  \(device)") }
    if let files = base.image.files {
      section("image, root hash \(base.image.rootHash)", files)
    } else {
      print("\nimage, root hash \(base.image.rootHash): encrypted, \(base.image.bytes) bytes")
    }
    let others = base.packages.count { !$0.name.hasPrefix("linux-") }
    print("\nbeside CNCF Confidential Containers (docs/tcb.md)       Arca      CoCo")
    for (what, ours, theirs) in [
      ("own lines of code", base.linesOfCodeInAll, "82,252"),
      ("packages of others besides the kernel", others, "911"),
      ("what the host may call or send", base.hostMessages.count, "44"),
    ] {
      let name = what + String(repeating: " ", count: 44 - what.count)
      print("  \(name)\(column("\(ours)", 13))\(column(theirs, 10))")
    }
  }

  private func section(_ title: String, _ files: [TrustedComputingBase.File]) {
    print("\n\(title): \(files.count) files, \(files.reduce(0) { $0 + $1.bytes }) bytes")
    for file in files { print("  \(file.sha256) \(column("\(file.bytes)", 12)) \(file.name)") }
  }

  private func column(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
