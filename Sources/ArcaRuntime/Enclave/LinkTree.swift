import Foundation

/// The folders and symbolic links of a root file system, and where the links lead within it.
package struct LinkTree: Sendable {
  /// Where a path leads.
  package struct Place: Equatable, Sendable {
    /// The path without links.
    package let path: String
    /// Whether a link named it from the root, which the host's kernel would take for its own, or
    /// climbed above it.
    package let leavesRoot: Bool

    /// A place of these parts.
    package init(path: String, leavesRoot: Bool) {
      self.path = path
      self.leavesRoot = leavesRoot
    }
  }

  private static let stepsMax = 4096

  /// The target of each link, by the link's path.
  package let links: [String: String]
  /// The paths of the folders, without the root itself.
  package let folders: Set<String>

  /// A tree of these.
  package init(links: [String: String], folders: Set<String>) {
    self.links = links
    self.folders = folders
  }

  /// What is in `folder` on the host.
  package init(of folder: String) throws(RuntimeError) {
    let manager = FileManager.default
    guard let found = manager.enumerator(atPath: folder) else {
      throw RuntimeError(.state, "\(folder): cannot be listed")
    }
    var links: [String: String] = [:]
    var folders: Set<String> = []
    while let name = found.nextObject() as? String {
      switch found.fileAttributes?[.type] as? FileAttributeType {
      case .typeDirectory?: folders.insert("/" + name)
      case .typeSymbolicLink?:
        do {
          links["/" + name] = try manager.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
        } catch {
          throw RuntimeError(.state, "\(folder)/\(name): \(error)")
        }
      default: break
      }
    }
    self.init(links: links, folders: folders)
  }

  /// Where `path` leads with every link followed, or nil where links lead in a circle.
  package func place(of path: String) -> Place? {
    var rest = Array(path.split(separator: "/").map(String.init).reversed())
    var at: [String] = []
    var leavesRoot = false
    var steps = 0
    while let part = rest.popLast() {
      steps += 1
      guard steps < Self.stepsMax else { return nil }
      if part == "." { continue }
      if part == ".." {
        if at.isEmpty { leavesRoot = true }
        at = at.dropLast()
        continue
      }
      at.append(part)
      guard let target = links["/" + at.joined(separator: "/")] else { continue }
      if target.hasPrefix("/") {
        leavesRoot = true
        at = []
      } else {
        at.removeLast()
      }
      rest += target.split(separator: "/").map(String.init).reversed()
    }
    return Place(path: "/" + at.joined(separator: "/"), leavesRoot: leavesRoot)
  }
}
