/// Why the guest could not be built.
struct BuildError: Error, CustomStringConvertible {
  /// The kind of fault.
  enum Code {
    /// A tool that is needed is missing or failed.
    case tool
    /// No Debian mirror or no suitable kernel package was found.
    case package
    /// The kernel is not a bzImage, or packed in a way that is not known.
    case kernel
    /// A module is missing, or listed before one that it needs.
    case module
    /// A file could not be read or written.
    case file
  }

  let code: Code
  let detail: String

  var description: String { detail }

  init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }
}
