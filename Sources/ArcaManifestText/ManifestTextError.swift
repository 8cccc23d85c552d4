/// Why a manifest's text, an image's configuration or an option was refused.
public struct ManifestTextError: Error, Sendable, CustomStringConvertible {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// Neither YAML nor JSON.
    case syntax
    /// A field that the schema does not know.
    case unknownField
    /// A field is missing, or holds a value that it may not.
    case invalidField
    /// A user or group name that the image's passwd or group file does not have.
    case unknownUser
    /// Neither the image nor the command line names a program.
    case noCommand
    /// An option's value cannot be read.
    case invalidOption
  }

  /// The kind of fault.
  public let code: Code
  /// What was found, what was expected, and what to do.
  public let detail: String

  /// Names what was refused and why.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// The detail, for people.
  public var description: String { detail }
}
