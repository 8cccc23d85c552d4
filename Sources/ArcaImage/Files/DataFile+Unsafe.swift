import Glibc

/// Bytes that can be read at any offset.
package protocol ByteSource: Sendable {
  /// How many bytes there are.
  var byteCount: UInt64 { get }
  /// What the bytes are, for error messages.
  var name: String { get }
  /// Reads up to `count` bytes at `offset`; fewer only at the end.
  func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8]
}

/// An open regular file that is read and written at given offsets; closed with the last reference.
package final class DataFile: ByteSource, Sendable {
  /// The path it was opened by, for error messages.
  package let name: String
  let descriptor: Int32

  /// Takes over `descriptor`.
  init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  deinit { close(descriptor) }

  /// Opens `path` for reading; a final symbolic link is followed.
  package static func reading(_ path: String) throws(ImageError) -> DataFile {
    // Without O_NONBLOCK a FIFO in a layout would hold this process up for ever.
    // SAFETY: open copies the NUL-terminated path and keeps no pointer.
    let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open", path) }
    return DataFile(descriptor: descriptor, name: path)
  }

  /// Creates `path`, which must not exist, readable and writable for its owner alone.
  package static func creating(_ path: String) throws(ImageError) -> DataFile {
    // SAFETY: open copies the NUL-terminated path and keeps no pointer.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("create", path) }
    return DataFile(descriptor: descriptor, name: path)
  }

  /// A file without a name in `directory`, gone when it is closed, however this process ends.
  package static func unnamed(in directory: String) throws(ImageError) -> DataFile {
    // O_TMPFILE would do this in one step, but not every file system has it.
    let path = "\(directory)/spool-\(UInt64.random(in: 0...UInt64.max))"
    let file = try creating(path)
    // SAFETY: unlink copies the NUL-terminated path and keeps no pointer.
    guard unsafe unlink(path) == 0 else { throw .system("remove the name of", path) }
    return file
  }

  /// The file's size now, in bytes; 0 where it cannot be told.
  package var byteCount: UInt64 {
    let end = lseek(descriptor, 0, SEEK_END)
    return end < 0 ? 0 : UInt64(end)
  }

  package func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8] {
    guard let start = off_t(exactly: offset), count > 0 else { return [] }
    var failed = false
    // SAFETY: pread writes at most `count - done` bytes after the first `done` of the new array.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      while done < count, let base = buffer.baseAddress {
        let got = unsafe pread(descriptor, base + done, count - done, start + off_t(done))
        if got < 0 && Glibc.errno == EINTR { continue }
        failed = got < 0
        if got <= 0 { return }
        done += got
      }
    }
    if failed { throw .system("read", name) }
    return bytes
  }

  /// Writes all of `bytes` at `offset`.
  package func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(ImageError) {
    guard let start = off_t(exactly: offset) else {
      throw ImageError(.limitExceeded, "\(name): offset \(offset) is too large")
    }
    // SAFETY: pwrite reads only inside the slice, which outlives the call.
    let done = unsafe bytes.withUnsafeBytes { (buffer) -> Bool in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        let put = unsafe pwrite(descriptor, base + done, buffer.count - done, start + off_t(done))
        if put < 0 && Glibc.errno == EINTR { continue }
        if put < 0 { return false }
        done += put
      }
      return true
    }
    if !done { throw .system("write", name) }
  }

  /// Makes what was written survive a crash of the machine.
  package func sync() throws(ImageError) {
    guard fsync(descriptor) == 0 else { throw .system("write to disk", name) }
  }
}

/// A part of another source.
package struct ByteRange: ByteSource {
  let source: any ByteSource
  let start: UInt64
  package let byteCount: UInt64
  package let name: String

  package func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8] {
    guard offset < byteCount else { return [] }
    let bounded = Int(min(UInt64(max(0, count)), byteCount - offset))
    return try source.read(at: start + offset, count: bounded)
  }
}

extension ImageError {
  /// The error of the system call that has just failed while doing `action` to `path`.
  static func system(_ action: String, _ path: String) -> ImageError {
    let number = Glibc.errno
    // SAFETY: strerror returns a NUL-terminated string that is copied at once.
    let text = unsafe String(cString: strerror(number))
    let full = number == ENOSPC || number == EDQUOT
    let code: Code = full ? .noSpace : number == ENOENT ? .notFound : .system
    let advice = full ? "; free space or choose another place with ARCA_DATA" : ""
    return ImageError(code, "cannot \(action) \(path): \(text)\(advice)", errno: number)
  }
}
