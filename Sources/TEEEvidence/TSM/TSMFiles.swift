import ArcaBytes

/// The files that ``TSMReport``, ``GramineQuote`` and ``LaunchSecrets`` use: the kernel's, or a
/// test's stand-in.
public protocol TSMFiles {
  /// Why a file could not be used; an `errno` by its number.
  associatedtype Failure: Error
  /// Makes the folder of a new report.
  mutating func makeFolder(_ path: Text) throws(Failure)
  /// Removes it.
  mutating func removeFolder(_ path: Text) throws(Failure)
  /// Removes a file.
  mutating func removeFile(_ path: Text) throws(Failure)
  /// Writes all of `content` in one call.
  mutating func write(_ path: Text, _ content: [UInt8]) throws(Failure)
  /// Reads to the end, at most `bytesMax` bytes.
  mutating func read(_ path: Text, bytesMax: Int) throws(Failure) -> [UInt8]
}

/// Why no evidence was had.
public enum TSMFault<Failure: Error>: Error {
  /// A file could not be used; the text names it.
  case file(Text, Failure)
  /// Another driver, or another kind of attestation, is there; its name.
  case provider([UInt8])
  /// `generation` is not a number, or shows another's writes.
  case generation
  /// A file holds nothing, or more than it may.
  case size
}

extension TSMFiles {
  /// Reads `name` in `folder`, which may hold so many bytes.
  mutating func read(
    _ name: Text, in folder: Text, _ counts: ClosedRange<Int>
  ) throws(TSMFault<Failure>) -> [UInt8] {
    let content: [UInt8]
    do {
      content = try read("\(folder)/\(name)", bytesMax: counts.upperBound + 1)
    } catch {
      throw .file(name, error)
    }
    guard counts.contains(content.count) else { throw .size }
    return content
  }

  mutating func write(
    _ name: Text, in folder: Text, _ content: [UInt8]
  ) throws(TSMFault<Failure>) {
    do { try write("\(folder)/\(name)", content) } catch { throw .file(name, error) }
  }
}
