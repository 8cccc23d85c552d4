import Glibc

/// Whether `descriptor` is a regular file, to which writes never block for long.
func isRegularFile(_ descriptor: Int32) -> Bool {
  var status = stat()
  // SAFETY: fstat writes one stat structure.
  guard unsafe fstat(descriptor, &status) == 0 else { return false }
  return status.st_mode & S_IFMT == S_IFREG
}
