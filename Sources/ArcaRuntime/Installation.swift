import ArcaBytes
import ArcaImage
import ArcaTEE
import Foundation

/// Where Arca's files are on this machine.
public struct Installation: Sendable {
  /// The version of this program.
  public static let version = "0.1.0"

  /// What lasts: images, the outer container's root, the simulated vendor.
  public package(set) var data: String
  /// What lasts until the machine stops: containers.
  public let state: String
  /// The guest and the launcher.
  public let library: String

  /// Takes `ARCA_DATA`, `ARCA_STATE` and `ARCA_LIB`, else the usual places.
  public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    data = ImageStore.defaultDataDirectory
    let runtime = environment["XDG_RUNTIME_DIR"] ?? "/tmp/arca-\(geteuid())"
    state =
      environment["ARCA_STATE"] ?? (ImageStore.isMachinesRoot ? "/run/arca" : runtime + "/arca")
    library =
      environment["ARCA_LIB"]
      ?? URL(fileURLWithPath: Self.program).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "lib/arca").path
  }

  /// The program that runs.
  static var program: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
  }

  /// The folder of the guest.
  public var guest: String { library + "/guest" }
  /// The launcher's program file.
  var launcher: String { library + "/arca-launcher" }
  /// The keys and certificates of the simulated AMD.
  public var simulatedAMDFolder: String { data + "/simulated-amd" }
  /// The keys, certificates and collateral of the simulated Intel.
  public var simulatedIntelFolder: String { data + "/simulated-intel" }

  /// What the guest's `release.json` records.
  func release() throws(RuntimeError) -> GuestRelease {
    let path = guest + "/release.json"
    guard let content = FileManager.default.contents(atPath: path) else {
      throw RuntimeError(
        .installation,
        "\(path): not found; expected the guest's release there: run `make guest`, or set ARCA_LIB")
    }
    guard let release = try? JSONDecoder().decode(GuestRelease.self, from: content) else {
      throw RuntimeError(
        .installation, "\(path): expected what this version writes; run `make guest` again")
    }
    return release
  }

  /// The digests of the guest's files that its `release.json` records and `kind` boots.
  public func guestDigests(for kind: LaunchKind) throws(RuntimeError)
    -> LaunchDescription.GuestDigests
  {
    let release = try release()
    if kind.isEnclave, let program = release.digest(of: kind.kernelFile) {
      return LaunchDescription.GuestDigests(enclaveProgram: program)
    }
    guard let kernel = release.digest(of: kind.kernelFile),
      let initrd = release.digest(of: "initrd"),
      let commandLine = release.digest(of: "cmdline")
    else {
      throw RuntimeError(
        .installation,
        "\(guest)/release.json: expected SHA-256 digests of \(kind.kernelFile), initrd and "
          + "cmdline; run `make guest` again"
      )
    }
    return LaunchDescription.GuestDigests(
      kernel: kernel, initrd: initrd, commandLine: commandLine)
  }
}

extension Installation {
  /// The kernel modules in the guest's initrd.
  var guestModules: Set<String> {
    Set((try? release())?.modules ?? [])
  }

  /// Refuses to hand secrets to a guest whose kernel cannot show them to it.
  func requireLaunchSecrets() throws(RuntimeError) {
    let release = try release()
    guard
      release.modules.contains("efi_secret")
        || release.kernelOptions?.contains("CONFIG_EFI_SECRET=y") == true
    else {
      throw RuntimeError(
        .unsupported,
        "secrets at the launch: the guest's kernel has no efi_secret, as Debian's cloud kernels "
          + "do not; `make guest-kernel` builds one that has")
    }
  }

  /// Refuses to share folders where nothing can serve them.
  func requireFolderSharing() throws(RuntimeError) {
    guard FolderServer.programs.contains(where: { isAccessible($0, X_OK) }) else {
      throw RuntimeError(
        .installation,
        "folders of the host: found none of \(FolderServer.programs.joined(separator: ", ")); "
          + "install virtiofsd, which in Debian 12 comes with qemu-system-x86")
    }
  }
}

/// What the guest was made of, as `release.json` beside it says.
struct GuestRelease: Decodable {
  struct File: Decodable {
    let sha256: String
  }

  let files: [String: File]
  let modules: [String]
  let kernelPackages: [TrustedComputingBase.Package]
  let sourcePackages: [TrustedComputingBase.Package]
  let linesOfCode: [String: Int]
  let kernelOptions: [String]?

  func digest(of name: String) -> [UInt8]? {
    guard let digest = files[name].flatMap({ Hex.decode($0.sha256) }), digest.count == 32 else {
      return nil
    }
    return digest
  }
}
