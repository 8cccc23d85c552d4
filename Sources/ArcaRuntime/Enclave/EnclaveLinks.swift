import ArcaImage
import ArcaTEE

/// What a Gramine manifest must say of the symbolic links of an image.
///
/// Gramine leaves links to its host and then asks for the hash of the name that was opened. So a
/// link to a file is trusted as a file of its own, with the hash of what it leads to. A link to a
/// folder is a mount of that folder, as is a link that the host would follow out of the root.
package struct EnclaveLinks {
  private static let mountsMax = 4096

  /// Links to files, each as the file it leads to.
  package private(set) var files: [TrustedFiles.File] = []
  /// What is mounted at the path of a link: the path that it leads to.
  package private(set) var mounts: [String: String] = [:]
  /// Links into what is mounted in the enclave's memory: they get memory of their own.
  package private(set) var temporaries: [String] = []

  /// The links of `tree`, whose files are `files`, apart from what lies beneath `temporaries`.
  package init(
    _ tree: LinkTree, files: [RootFile], apartFrom temporaries: [String]
  ) throws(RuntimeError) {
    let known = Dictionary(files.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    var mounted: [(link: String, target: String)] = []
    for link in tree.links.keys.sorted() where !Self.lies(link, in: temporaries) {
      guard let place = tree.place(of: link) else { continue }
      if Self.lies(place.path, in: temporaries) {
        if temporaries.contains(place.path) || tree.folders.contains(place.path) {
          self.temporaries.append(link)
        }
      } else if let file = known[place.path] {
        if place.leavesRoot {
          mounted.append((link, place.path))
        } else {
          self.files.append(TrustedFiles.File(path: link, sha256: file.sha256))
        }
      } else if tree.folders.contains(place.path), !Self.lies(link, in: [place.path]) {
        mounted.append((link, place.path))
      }
    }
    try mount(mounted)
  }

  /// Mounts all of `links`, and each once more wherever a mounted folder shows it again.
  private mutating func mount(
    _ links: [(link: String, target: String)]
  ) throws(RuntimeError) {
    var waiting = links
    while let (path, target) = waiting.popLast() {
      guard mounts[path] == nil else { continue }
      mounts[path] = target
      guard mounts.count <= Self.mountsMax else {
        throw RuntimeError(
          .unsupported,
          "the image's symbolic links need more than \(Self.mountsMax) mounts in an enclave; use a "
            + "TEE of another kind, or an image with fewer links to folders")
      }
      for (link, end) in links
      where Self.lies(link, in: [target]) && link != target && !Self.lies(path, in: [end]) {
        waiting.append((path + link.dropFirst(target.count), end))
      }
    }
  }

  /// Whether `path` is one of `folders` or lies beneath one.
  private static func lies(_ path: String, in folders: [String]) -> Bool {
    folders.contains { path == $0 || path.hasPrefix($0 + "/") }
  }
}
