/// Where an image is to be found.
public enum ImageReference: Equatable, Sendable {
  /// An OCI image layout in a folder: `oci:/path[:tag]`.
  case layout(path: String, tag: String?)
  /// An OCI image layout in a tar file: `oci-archive:/path[:tag]`.
  case layoutArchive(path: String, tag: String?)
  /// What `docker save` writes: `docker-archive:/path[:name:tag]`.
  case dockerArchive(path: String, tag: String?)
  /// A path whose kind is found out by looking: `/path`, `./path` or `../path`.
  case path(String)
  /// A source that skopeo copies from, in skopeo's own words, such as `docker://name`.
  case remote(String)
  /// A name that the cache may know, or else a registry: `name[:tag]` or `sha256:…`.
  case name(String)

  private static let remoteTransports = ["docker://", "containers-storage:", "docker-daemon:"]

  /// Parses what a user writes.
  public init(_ text: String) throws(ImageError) {
    guard !text.isEmpty, !text.utf8.contains(0), !text.hasPrefix("-") else {
      throw ImageError(.invalidReference, "'\(text)' is not a reference to an image")
    }
    if let rest = text.droppingPrefix("oci:") {
      let (path, tag) = Self.split(rest)
      self = .layout(path: path, tag: tag)
    } else if let rest = text.droppingPrefix("oci-archive:") {
      let (path, tag) = Self.split(rest)
      self = .layoutArchive(path: path, tag: tag)
    } else if let rest = text.droppingPrefix("docker-archive:") {
      let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      self = .dockerArchive(
        path: String(parts.first ?? ""), tag: parts.count > 1 ? String(parts[1]) : nil)
    } else if Self.remoteTransports.contains(where: text.hasPrefix) {
      self = .remote(text)
    } else if text.hasPrefix("/") || text.hasPrefix("./") || text.hasPrefix("../") || text == "." {
      self = .path(text)
    } else {
      self = .name(text)
    }
  }

  /// The reference in skopeo's words.
  var skopeoName: String {
    get throws(ImageError) {
      switch self {
      case .remote(let text): text
      case .name(let name): "docker://\(name)"
      case .layout(let path, let tag): "oci:\(path)" + (tag.map { ":\($0)" } ?? "")
      case .layoutArchive(let path, let tag):
        "oci-archive:\(path)" + (tag.map { ":\($0)" } ?? "")
      case .dockerArchive(let path, let tag):
        "docker-archive:\(path)" + (tag.map { ":\($0)" } ?? "")
      case .path(let path):
        throw ImageError(
          .invalidReference,
          "'\(path)': a signature policy needs to know what kind of image it is; write "
            + "oci:\(path) or oci-archive:\(path)")
      }
    }
  }

  private static func split(_ text: String) -> (String, String?) {
    guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("/") else {
      return (text, nil)
    }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }

  /// The name under which an image is kept: a name without a tag or digest gets `:latest`.
  static func canonicalName(_ name: String) -> String {
    if name.contains("@") { return name }
    let last = name.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    return last.contains(":") ? name : name + ":latest"
  }
}

extension String {
  /// What follows `prefix`, or nil where the string does not start with it.
  func droppingPrefix(_ prefix: String) -> String? {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
  }
}
