import ArcaBytes
import ArcaImage
import ArcaTEE
import ArcaWire
import Crypto
import Foundation

/// Exactly what is inside the TEE of one image on one kind: what its owner trusts besides the
/// processor.
public struct TrustedComputingBase: Codable, Sendable, Equatable {
  /// A file, with its size in bytes and its SHA-256 in hexadecimal.
  public struct File: Codable, Sendable, Equatable {
    /// The path in its archive or file system, or the name of a file that is booted.
    public let name: String
    /// Size in bytes.
    public let bytes: UInt64
    /// SHA-256, hexadecimal.
    public let sha256: String
  }

  /// A Debian package that the guest was made of.
  public struct Package: Codable, Sendable, Equatable {
    /// The package's name.
    public let name: String
    /// Its version.
    public let version: String
    /// SHA-256 of the package, or of a source package's description, hexadecimal.
    public let sha256: String
  }

  /// The workload's root file system.
  public struct Image: Codable, Sendable, Equatable {
    /// The root of its dm-verity tree, hexadecimal.
    public let rootHash: String
    /// Size of the EROFS image and its tree, in bytes.
    public let bytes: UInt64
    /// Its regular files, or nil where it is encrypted.
    public let files: [File]?
  }

  /// The kind of TEE.
  public let tee: String
  /// Whether it is simulated: then the host is trusted too.
  public let simulated: Bool
  /// The version of Arca.
  public let arcaVersion: String
  /// The workload digest, hexadecimal.
  public let workloadDigest: String
  /// What is booted: firmware where the kind has one, kernel, initrd; of an enclave, what is in it
  /// besides the image.
  public let booted: [File]
  /// The kernel's command line, without what depends on the launch; empty where there is no kernel.
  public let kernelCommandLine: String
  /// The options that a kernel of Arca's own was built with; Debian's are those of its package.
  public let kernelOptions: [String]?
  /// What lies in the initrd.
  public let initrd: [File]
  /// Lines of code of arca-init by module.
  public let linesOfCode: [String: Int]
  /// Packages of others that the guest is made of.
  public let packages: [Package]
  /// The messages that the host may send.
  public let hostMessages: [String]
  /// The devices that the guest is given, as QEMU is asked for them.
  public let devices: [String]
  /// The workload's root file system.
  public let image: Image

  /// Collects it from the installation's guest and a prepared image, for a kind that is a machine.
  public init(
    _ kind: LaunchKind, image prepared: PreparedImage, workload: [UInt8],
    _ installation: Installation
  ) throws(RuntimeError) {
    let release = try installation.release()
    tee = kind.rawValue
    simulated = kind.isSimulated
    arcaVersion = Installation.version
    workloadDigest = Hex.encode(workload)
    let archive = try Self.contents(installation.guest + "/initrd")
    let facts = kind.isSimulated ? nil : HostFacts(processorAndFirmwareOf: installation)
    var booted: [File] = []
    for path in try installation.firmware(for: kind, facts)
      + [installation.guest + "/" + kind.kernelFile]
    {
      booted.append(File(URL(fileURLWithPath: path).lastPathComponent, try Self.contents(path)))
    }
    self.booted = booted + [File("initrd", archive)]
    kernelCommandLine = String(
      decoding: try Self.contents(installation.guest + "/cmdline"), as: UTF8.self)
    kernelOptions = release.kernelOptions
    initrd = try Self.files(ofArchive: archive)
    linesOfCode = release.linesOfCode
    packages = release.kernelPackages + release.sourcePackages
    hostMessages = HostMessage.names
    devices = Self.devices(kind, try installation.guestDigests(for: kind))
    do {
      image = Image(
        rootHash: Hex.encode(prepared.rootHash), bytes: prepared.sizeBytes,
        files: try prepared.files()?.map {
          File(name: $0.path, bytes: $0.byteCount, sha256: Hex.encode($0.sha256))
        })
    } catch {
      throw RuntimeError(.state, error.detail)
    }
  }

  /// Lines of code of arca-init in all.
  public var linesOfCodeInAll: Int { linesOfCode.values.reduce(0, +) }

  static func contents(_ path: String) throws(RuntimeError) -> [UInt8] {
    guard let content = FileManager.default.contents(atPath: path) else {
      throw RuntimeError(.installation, "\(path): not found; run `make guest`, or set ARCA_LIB")
    }
    return [UInt8](content)
  }

  private static func devices(
    _ kind: LaunchKind, _ digests: LaunchDescription.GuestDigests
  ) -> [String] {
    let launch = LaunchDescription(
      kind: kind, expected: digests, hostData: [UInt8](repeating: 0, count: 32), vcpus: 1,
      memoryMiB: RunRequest.memoryMiBDefault, accelerator: .kvm, passesInput: true,
      hasTerminal: false)
    let arguments = QEMUOptions(launch, commandLine: "").arguments
    return zip(arguments, arguments.dropFirst()).compactMap { option, value in
      ["-machine", "-device", "-serial"].contains(option) ? value : nil
    }
  }

  /// The files of a newc archive (cpio(5): a magic number, 13 fields of 8 hexadecimal digits).
  package static func files(ofArchive archive: [UInt8]) throws(RuntimeError) -> [File] {
    var files: [File] = []
    var reader = ByteReader(archive)
    do {
      while reader.remaining > 0 {
        let head = try reader.array(110)
        func field(_ index: Int) -> Int? {
          Int(String(decoding: head[6 + index * 8..<14 + index * 8], as: UTF8.self), radix: 16)
        }
        guard let mode = field(1), let bytes = field(6), let nameBytes = field(11), nameBytes > 0
        else { break }
        let name = String(decoding: try reader.array(nameBytes).dropLast(), as: UTF8.self)
        try reader.skip(-reader.offset & 3)
        if name == "TRAILER!!!" { return files }
        let content = try reader.array(bytes)
        try reader.skip(min(-reader.offset & 3, reader.remaining))
        if mode & 0o170000 == 0o100000 { files.append(File(name, content)) }
      }
    } catch {
      throw RuntimeError(.installation, "initrd: no archive of the form newc: \(error)")
    }
    throw RuntimeError(.installation, "initrd: the archive has no end; run `make guest` again")
  }
}

extension TrustedComputingBase.File {
  init(_ name: String, _ content: [UInt8]) {
    self.init(
      name: name, bytes: UInt64(content.count),
      sha256: Hex.encode(Array(SHA256.hash(data: content))))
  }
}

extension HostMessage {
  /// The names of all messages, found by reading each frame that could be one.
  package static var names: [String] {
    var names: Set<String> = []
    let payloads: [[UInt8]] = [
      [], [1], [1, 0, 1, 0], [1, 0, 0, 0], [UInt8](repeating: 1, count: 64),
    ]
    for channel in 0...UInt8.max {
      guard let channel = Wire.Channel(rawValue: channel) else { continue }
      for type in 0...UInt8.max {
        for payload in payloads {
          for session in [0, 1] as [UInt8] {
            var frame = Frame(channel, type, payload)
            frame.session = session
            if let message = try? HostMessage(frame) { names.insert(message.name) }
          }
        }
      }
    }
    return names.sorted()
  }

  private var name: String {
    if case .toSession(_, let message) = self { return message.name }
    let text = "\(self)"
    return String(text.prefix { $0 != "(" })
  }
}
