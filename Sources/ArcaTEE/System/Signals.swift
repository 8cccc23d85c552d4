import Glibc

/// Makes a write to a pipe without readers an error instead of a signal.
func ignoreBrokenPipes() {
  signal(SIGPIPE, SIG_IGN)
}
