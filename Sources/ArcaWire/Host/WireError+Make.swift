// What hosts put together; a guest is compiled without this file.

extension WireError {
  /// Names the frame that was refused and why.
  public init(_ code: Code, channel: UInt8, type: UInt8) {
    self.init(code: code, channel: channel, type: type)
  }
}
