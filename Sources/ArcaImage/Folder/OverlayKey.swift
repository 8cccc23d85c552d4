import ArcaBytes
import Crypto
import Foundation
import Glibc

/// Recognises a root file system by the layers of the overlay that it is, without reading them.
///
/// Engines keep a layer's folder for as long as an image has it and do not change what is in it. A
/// layer with nothing but what engines add (Docker's init layer, the container's own upper folder)
/// is described by its names and modes instead, since it is new for each container.
///
/// The key only chooses what is converted: what a guest runs is bound by the root hash.
struct OverlayKey {
  private static let entriesMax = 64

  /// The digest of the layers' identities; nil where the overlay has been written to.
  let key: [UInt8]?
  /// What podman added to account files.
  let accounts: EngineAccounts

  /// Looks at what is mounted at `path`; nil where that is no overlay.
  init?(_ path: String) {
    guard let options = Self.overlayOptions(path), let upper = options["upperdir"],
      let lower = options["lowerdir"]
    else { return nil }
    let layers = lower.split(separator: ":").map(String.init)
    guard layers.allSatisfy({ $0.hasPrefix("/") }) else { return nil }
    let folders = layers.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path }
    accounts = EngineAccounts(upper: upper, lower: folders)
    key = Self.key(upper, folders, accounts)
  }

  private static func key(
    _ upper: String, _ layers: [String], _ accounts: EngineAccounts
  ) -> [UInt8]? {
    var hash = SHA256()
    hash.update(data: Array("arca overlay \(ErofsWriter.formatVersion)\n".utf8))
    guard let own = listing(of: upper, without: accounts.layersFiles) else { return nil }
    hash.update(data: own)
    for layer in layers {
      guard let bytes = listing(of: layer) ?? identity(of: layer) else { return nil }
      hash.update(data: bytes)
    }
    return Array(hash.finalize())
  }

  /// The options of the topmost overlay mounted at `path`.
  private static func overlayOptions(_ path: String) -> [String: String]? {
    guard let text = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else {
      return nil
    }
    var found: [String: String]?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ").map(String.init)
      guard fields.count > 6, fields[4] == path, let dash = fields.firstIndex(of: "-") else {
        continue
      }
      found = nil
      guard dash + 3 < fields.count, fields[dash + 1] == "overlay" else { continue }
      var options: [String: String] = [:]
      for option in fields[dash + 3].split(separator: ",") {
        let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
        if pair.count == 2 { options[pair[0]] = pair[1] }
      }
      found = options
    }
    return found
  }

  private static func identity(of folder: String) -> [UInt8]? {
    guard let status = try? FileMetadata(folder) else { return nil }
    return Array(
      "layer \(status.device) \(status.inode) \(status.changedNanoseconds)\n".utf8)
  }

  /// Names and modes of a layer that holds only what engines add; nil for any other.
  private static func listing(
    of folder: String, without passed: [String: String] = [:]
  ) -> [UInt8]? {
    var text = "added\n"
    var pending = [(folder, "")]
    var left = entriesMax
    while let (path, relative) = pending.popLast() {
      guard let names = try? Directory.names(path),
        let attributes = try? FileMetadata.attributes(path),
        !attributes.keys.contains(where: {
          String(decoding: $0, as: UTF8.self).hasSuffix(".opaque")
        })
      else { return nil }
      for name in names {
        left -= 1
        let place = "\(relative)/\(name)"
        if passed[place] != nil { continue }
        guard left >= 0, let status = try? FileMetadata("\(path)/\(name)") else { return nil }
        if status.type == S_IFDIR {
          pending.append(("\(path)/\(name)", place))
        } else if !EngineFiles.isAdded(Array(place.utf8)) || status.type == S_IFCHR {
          return nil
        }
        text += "\(place) \(status.mode) \(status.uid) \(status.gid)\n"
      }
    }
    return Array(text.utf8)
  }
}
