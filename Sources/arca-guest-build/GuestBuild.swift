import ArgumentParser
import Foundation

/// Makes the files that every guest boots from.
@main
struct GuestBuild: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "arca-guest-build",
    abstract: "Make the guest's kernel, initrd and command line from Debian packages.")

  @Option(help: "The folder to write vmlinuz, vmlinux, initrd, cmdline and release.json to.")
  var output: String

  @Option(help: "The package: its sources of arca-init, and guest/ with the module list.")
  var package = "."

  @Option(help: "Where fetched kernel packages are kept and found again.")
  var cache = FileManager.default.homeDirectoryForCurrentUser.path + "/.cache/arca/guest"

  @Option(help: "Use this kernel package instead; may be given several times.")
  var kernelDeb: [String] = []

  @Flag(help: "Fetch the newest kernel even where one is kept.")
  var refresh = false

  @Flag(help: "Build the kernel from Debian's source with the options of guest/kernel.config.")
  var kernelSource = false

  func run() throws {
    let cache = URL(fileURLWithPath: cache)
    let mbedTLS = try MbedTLS(cache: cache, refresh: refresh)
    if kernelSource {
      let options = URL(fileURLWithPath: package).appending(path: "guest/kernel.config")
      let kernel = try SourceKernel(cache: cache, options: options, refresh: refresh)
      try build(from: kernel.folder, [kernel.package], mbedTLS, kernelOptions: kernel.options)
      return
    }
    let kernel =
      kernelDeb.isEmpty
      ? try DebianKernel(cache: cache, refresh: refresh)
      : DebianKernel(packages: kernelDeb.map { URL(fileURLWithPath: $0) })
    let unpacked = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: unpacked) }
    for package in kernel.packages {
      _ = try Tool.run(["dpkg-deb", "--extract", package.path, unpacked.path])
    }
    try build(from: unpacked, kernel.packages, mbedTLS)
  }

  private func build(
    from unpacked: URL, _ kernelPackages: [URL], _ mbedTLS: MbedTLS,
    kernelOptions: [String]? = nil
  ) throws(BuildError) {
    let images = Disk.find(unpacked) { $0.hasPrefix("vmlinuz") }
    guard let image = images.first, images.count == 1 else {
      throw BuildError(.package, "the packages hold \(images.count) kernels instead of one")
    }
    let package = URL(fileURLWithPath: package)
    let recipe = package.appending(path: "guest")
    let list = try Disk.read(recipe.appending(path: "modules"))
    let modules = try KernelModules(list: String(decoding: list, as: UTF8.self), kernel: unpacked)
    let commandLine = String(
      decoding: try Disk.read(recipe.appending(path: "cmdline")), as: UTF8.self)
    let bzImage = try Disk.read(image)
    let program = try InitProgram.build(package: package, mbedTLS: mbedTLS)
    let outputs = [
      // By itself for what has no initrd: an enclave.
      "arca-init": program.content,
      "vmlinuz": bzImage,
      "vmlinux": try BootImage.unpack(bzImage),
      "initrd": try initrd(program.content, modules),
      "cmdline": Data(commandLine.trimmingCharacters(in: .newlines).utf8),
    ]
    var packages: [Release.Package] = []
    for deb in kernelPackages { packages.append(try Release.Package(deb)) }
    let release = Release(
      arcaVersion: "0.1.0", kernelRelease: try kernelRelease(of: unpacked),
      kernelPackages: packages.sorted { $0.name < $1.name },
      sourcePackages: [try mbedTLS.releasePackage()], modules: modules.files.map(\.name),
      linesOfCode: try InitProgram.linesOfCode(package: package),
      cryptographyBytes: program.cryptographyBytes, kernelOptions: kernelOptions,
      files: outputs.mapValues(Release.File.init))
    let folder = URL(fileURLWithPath: output)
    try Disk.makeFolder(folder)
    for (name, content) in outputs { try Disk.write(content, to: folder.appending(path: name)) }
    try Disk.makeExecutable(folder.appending(path: "arca-init"))
    // Last, so that a folder with a release.json is whole.
    try Disk.write(try release.json(), to: folder.appending(path: "release.json"))
  }

  private func initrd(
    _ program: Data, _ modules: KernelModules
  ) throws(BuildError) -> Data {
    var archive = CPIOArchive()
    // The mount points that arca-init uses before it enters the workload's root.
    for folder in ["dev", "image", "modules", "proc", "root", "sys", "writes"] {
      archive.folder(folder)
    }
    archive.file("init", mode: 0o755, program)
    archive.file("volume", mode: 0o644, try VolumeTemplate.build())
    archive.file("modules/list", mode: 0o644, Data(modules.list.utf8))
    for (name, content) in modules.files {
      archive.file("modules/\(name).ko", mode: 0o644, content)
    }
    return archive.finished()
  }

  private func kernelRelease(of unpacked: URL) throws(BuildError) -> String {
    for parent in ["usr/lib/modules", "lib/modules"] {
      let folder = unpacked.appending(path: parent).path
      if let names = try? FileManager.default.contentsOfDirectory(atPath: folder),
        let name = names.first
      {
        return name
      }
    }
    throw BuildError(.package, "the packages hold no modules")
  }
}
