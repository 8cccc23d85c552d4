/// A failure that a command reports in one sentence, without the usage text.
struct CommandError: Error, CustomStringConvertible {
  /// The thing, what was found, what was expected, what to do.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
