// What hosts put together; a guest is compiled without this file.

extension BytesError {
  /// Creates an error found at `offset`.
  public init(_ code: Code, at offset: Int) {
    self.init(code: code, offset: offset)
  }
}
