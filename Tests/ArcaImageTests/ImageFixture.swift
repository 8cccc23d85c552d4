import ArcaImage
import ArcaOCI
import ArcaTestSupport
import Foundation
import Testing

/// Builds an image in a folder, converts it, and unpacks the result.
struct ImageFixture {
  let folder: TemporaryFolder
  let writer: OCILayoutWriter
  let store: ImageStore

  init(limits: ImageLimits = .init()) throws {
    folder = try TemporaryFolder()
    writer = try OCILayoutWriter("\(folder.path)/layout")
    store = try ImageStore(dataDirectory: "\(folder.path)/data", limits: limits)
  }

  var reference: String { "oci:\(writer.folder)" }

  /// Converts an image of `layers`.
  @discardableResult
  func convert(_ layers: [[UInt8]], packing: OCILayoutWriter.Packing = .plain) throws
    -> PreparedImage
  {
    try writer.index([try writer.image(layers: layers, packing: packing)])
    return try store.prepare(reference: reference)
  }

  /// The code of the error that converting an image of `layers` throws.
  func refusal(of layers: [[UInt8]]) throws -> ImageError.Code? {
    try writer.index([try writer.image(layers: layers)])
    return refusal()
  }

  /// The code of the error that converting the layout as it is throws; nothing may be left over.
  func refusal() -> ImageError.Code? {
    do {
      _ = try store.prepare(reference: reference)
      return nil
    } catch {
      for name in ["rootfs", "manifests", "tmp"] {
        let path = "\(folder.path)/data/images/\(name)"
        let left = try? FileManager.default.contentsOfDirectory(atPath: path)
        #expect(left == [], "left in \(name)")
      }
      return error.code
    }
  }

  /// Unpacks the image's file system with the tools of erofs-utils; returns the new folder.
  func extract(_ image: PreparedImage) throws -> String {
    let target = "\(folder.path)/extracted-\(UUID().uuidString)"
    _ = try Command.run(["fsck.erofs", "--extract=\(target)", "--preserve", image.rootfsPath])
    return target
  }

  /// What dump.erofs says of the inode at `path`.
  func describe(_ path: String, in image: PreparedImage, _ options: [String] = []) throws -> String
  {
    let output = try Command.run(["dump.erofs", "--path=\(path)"] + options + [image.rootfsPath])
    return String(decoding: output, as: UTF8.self)
  }

  /// What every image has beside its own files, since engines would add it.
  static let added = [
    "dev": "/", "proc": "/", "sys": "/", "etc": "/", "etc/hosts": "", "etc/hostname": "",
    "etc/resolv.conf": "", "etc/mtab": "-> /proc/mounts",
  ]

  /// The paths and contents of all files in an image, folders without content, and without what
  /// every image has.
  func contents(_ image: PreparedImage) throws -> [String: String] {
    let root = try extract(image)
    var found: [String: String] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
      let full = "\(root)/\(path)"
      let attributes = try FileManager.default.attributesOfItem(atPath: full)
      switch attributes[.type] as? FileAttributeType {
      case .typeDirectory: found[path] = "/"
      case .typeSymbolicLink:
        found[path] = "-> " + (try FileManager.default.destinationOfSymbolicLink(atPath: full))
      case .typeRegular: found[path] = try String(contentsOfFile: full, encoding: .utf8)
      default: found[path] = "?"
      }
    }
    return found.filter { Self.added[$0.key] != $0.value }
  }
}

/// A layer of the files in `files`.
func layer(_ files: [(String, String)]) -> [UInt8] {
  var tar = TarWriter()
  for (path, content) in files { tar.add(path, content: Array(content.utf8)) }
  return tar.finished()
}
