/// Why an image could not be read, converted or found.
public struct ImageError: Error, Equatable, Sendable {
  /// The kind of fault; tests and callers compare this, never a text.
  public enum Code: String, Sendable {
    /// A reference to an image that cannot be parsed.
    case invalidReference
    /// No image of that name, tag, digest or platform.
    case notFound
    /// A digest differs from the bytes it describes.
    case digestMismatch
    /// A size differs from the bytes it describes, or data ends before its stated end.
    case truncated
    /// A media type, compression, digest algorithm or tar entry type that Arca does not know.
    case unsupported
    /// Bytes that do not follow their format.
    case malformed
    /// A path or link of a layer that would leave the root file system or pass through a link.
    case unsafePath
    /// A limit of ``ImageLimits`` was passed.
    case limitExceeded
    /// What is to be written is there already.
    case alreadyExists
    /// A key, or the name of one, that cannot be used.
    case invalidKey
    /// The image is not signed as the policy demands.
    case signature
    /// A layer is encrypted, so that it cannot be converted.
    case encrypted
    /// The image is held by a running container.
    case inUse
    /// The disk is full or the quota used up.
    case noSpace
    /// A system call failed; ``ImageError/errno`` says how.
    case system
    /// Another program that Arca needs is missing or failed.
    case toolFailed
  }

  /// The kind of fault.
  public let code: Code
  /// What is concerned, what was found, what was expected, and what helps.
  public let detail: String
  /// The system's error number, or 0 where none is involved.
  public let errno: Int32

  /// Creates an error.
  public init(_ code: Code, _ detail: String, errno: Int32 = 0) {
    self.code = code
    self.detail = detail
    self.errno = errno
  }
}

extension ImageError: CustomStringConvertible {
  /// One line for people.
  public var description: String { detail }
}

/// Upper bounds that keep a hostile or broken image from using up the machine.
public struct ImageLimits: Equatable, Sendable {
  /// The most that all layers of an image together may hold once decompressed: 32 GiB.
  public var uncompressedBytesMax: UInt64 = 32 << 30
  /// The largest apparent size of one file, holes included: 1 TiB.
  public var fileBytesMax: UInt64 = 1 << 40
  /// The most tar entries in all layers of an image: 4 million.
  public var entriesMax = 4_000_000
  /// The most layers of an image.
  public var layersMax = 512
  /// The largest index, manifest or configuration: 8 MiB.
  public var documentBytesMax: UInt64 = 8 << 20

  /// The default limits.
  public init() {}
}
