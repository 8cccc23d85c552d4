import ArcaImage
import ArcaOCI
import ArcaTEE
import Foundation

/// The root of an enclave's workload, as mounts of the outer container.
///
/// Gramine mounts over it in the enclave. Without Gramine the outer container does: the image's
/// folder is mounted read-only, with the places to mount upon laid over it.
package struct EnclaveRoot {
  private static let devices = ["full", "null", "random", "urandom", "zero"]
  private static let links = [
    ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
  ]

  /// The capabilities by which the launcher enters the root and ends the workload, which it keeps
  /// to itself, and those by which arca-init places secrets and becomes the workload's user.
  static let standInCapabilities = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
    "CAP_SYS_CHROOT",
  ]

  /// What the launcher needs where Gramine serves the workload: to read files of any owner, which
  /// Gramine opens for the workload, and to end it.
  static let gramineCapabilities = ["CAP_DAC_OVERRIDE", "CAP_KILL"]

  let mounts: [RuntimeSpec.Mount]
  let capabilities: [String]

  /// What Gramine opens: its own files, the image's folder as it is, and what it reads about the
  /// machine.
  package init(folder: String, servedBy gramine: Gramine) {
    let plain = ["nosuid", "nodev", "noexec"]
    let bind = { (target: String, source: String) in
      RuntimeSpec.Mount(
        target, type: "bind", source: source, options: ["bind", "ro", "nosuid", "nodev"])
    }
    mounts = [
      RuntimeSpec.Mount("/sys", type: "sysfs", source: "sysfs", options: ["ro"] + plain),
      bind(OuterPath.gramine, gramine.folder), bind(OuterPath.enclaveRoot, folder),
    ]
    capabilities = Self.gramineCapabilities
  }

  /// What `arca-init` enters without Gramine; makes the places to mount upon in a new folder
  /// `points`.
  init(
    _ image: UnpackedImage, _ manifest: EnclaveManifest, program: String, points: String
  ) throws(RuntimeError) {
    capabilities = Self.standInCapabilities
    let root = OuterPath.enclaveRoot
    let plain = ["nosuid", "nodev", "noexec"]
    do {
      let maker = try PointMaker(root: image.folder, points: points)
      for path in ["/proc", "/dev"] + manifest.temporaries.map(\.path) { try maker.folder(path) }
      try maker.file(OuterPath.enclaveProgram)
      for name in Self.devices { try maker.file("/dev/" + name) }
      for (name, target) in Self.links {
        try FileManager.default.createSymbolicLink(
          atPath: "\(points)/dev/\(name)", withDestinationPath: target)
      }
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(points): the places to mount upon: \(error)")
    }
    mounts =
      [
        RuntimeSpec.Mount(
          root, type: "overlay", source: "overlay",
          options: ["ro", "nosuid", "nodev", "lowerdir=\(points):\(image.folder)"]),
        RuntimeSpec.Mount(root + "/proc", type: "proc", source: "proc", options: plain),
        RuntimeSpec.Mount(
          root + OuterPath.enclaveProgram, type: "bind", source: program,
          options: ["bind", "ro", "nosuid", "nodev"]),
      ]
      + Self.devices.map {
        RuntimeSpec.Mount(
          "\(root)/dev/\($0)", type: "bind", source: "/dev/" + $0,
          options: ["bind", "rw", "nosuid", "noexec"])
      }
      + manifest.temporaries.map {
        RuntimeSpec.Mount(
          root + $0.path, type: "tmpfs", source: "tmpfs",
          options: [
            "nosuid", "nodev", "size=\($0.bytes)", "mode=\(String($0.mode, radix: 8))",
          ])
      }
  }

  /// Folders and files that are laid over an image's, with the owners and modes that it has.
  private struct PointMaker {
    let root: String
    let points: String
    private let manager = FileManager.default

    init(root: String, points: String) throws {
      self.root = root
      self.points = points
      try manager.createDirectory(
        atPath: points, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    func folder(_ path: String) throws {
      var at = ""
      for part in path.split(separator: "/") {
        guard part != ".." else { throw RuntimeError(.manifest, "\(path): leads upwards") }
        at += "/" + part
        if manager.fileExists(atPath: points + at) { continue }
        try manager.createDirectory(
          atPath: points + at, withIntermediateDirectories: false,
          attributes: [.posixPermissions: 0o755])
        guard let known = try? manager.attributesOfItem(atPath: root + at) else { continue }
        guard known[.type] as? FileAttributeType == .typeDirectory else {
          throw RuntimeError(
            .manifest, "\(path): the image has \(at), which is no folder; mount elsewhere")
        }
        let kept: [FileAttributeKey] = [.posixPermissions, .ownerAccountID, .groupOwnerAccountID]
        try manager.setAttributes(known.filter { kept.contains($0.key) }, ofItemAtPath: points + at)
      }
    }

    func file(_ path: String) throws {
      try folder(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
      guard manager.createFile(atPath: points + path, contents: Data()) else {
        throw RuntimeError(.state, "\(points)\(path): cannot be made")
      }
    }
  }
}

extension OuterContainer {
  /// The container of an enclave that Gramine serves; `hardware` is nil in simulation.
  package init(
    id: String, folder: String, root: String, guest: String, enclave: EnclaveRoot,
    hardware: HostHardware?, simulatedKey: String?
  ) {
    self.init(
      id: id, folder: folder, root: root, guest: guest, rootFilesystem: "",
      simulatedKey: simulatedKey, hardware: hardware, accelerator: .tcg, enclave: enclave)
  }
}
