/// One entry of a tar stream, with everything that extended headers say already applied.
package struct TarEntry: Sendable {
  /// What an entry is.
  package enum Kind: Equatable, Sendable {
    case file
    case directory
    case symbolicLink
    case hardLink
    case characterDevice
    case blockDevice
    case fifo
  }

  /// Bytes of a file that are present in the stream; what no extent covers is zero.
  package struct Extent: Equatable, Sendable {
    /// Where in the file the bytes belong.
    package var fileOffset: UInt64
    /// Where in the source the bytes are.
    package var sourceOffset: UInt64
    /// How many bytes.
    package var byteCount: UInt64
  }

  /// The name as written, before any check.
  package var path: [UInt8] = []
  package var kind = Kind.file
  /// The low 12 bits of the mode.
  package var permissions: UInt16 = 0
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  /// Whole seconds since 1970, rounded down.
  package var modified: Int64 = 0
  /// A file's size in bytes, holes included.
  package var byteCount: UInt64 = 0
  /// The target of a symbolic or hard link as written.
  package var linkTarget: [UInt8] = []
  package var deviceMajor: UInt32 = 0
  package var deviceMinor: UInt32 = 0
  /// Extended attributes by full name, such as `security.capability`.
  package var attributes: [[UInt8]: [UInt8]] = [:]
  /// A file's content, by ascending file offset, without overlaps.
  package var extents: [Extent] = []
}
