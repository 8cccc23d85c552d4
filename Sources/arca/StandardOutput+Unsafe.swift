// SAFETY: standard output is a constant of the process, which nothing here assigns to.
@unsafe @preconcurrency import Glibc

/// Has the process end with status 1 and a line on standard error where something that it printed
/// could not be written.
///
/// `print` says nothing of that: on a full disk a file would be cut short, and the status be 0.
func checkOutputAtExit() {
  // SAFETY: the handler has no captures; standard output lives as long as the process.
  let handler: @convention(c) () -> Void = {
    var reason = "an earlier write failed"
    if unsafe fflush(stdout) != 0 {
      // SAFETY: strerror returns a NUL-terminated string, copied at once.
      reason = unsafe String(cString: strerror(errno))
    } else if unsafe ferror(stdout) == 0 {
      return
    }
    let line = Array("Error: standard output cannot be written: \(reason)\n".utf8)
    // SAFETY: write reads inside the array, which outlives the call.
    _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    _exit(1)
  }
  _ = atexit(handler)
}
