// What the guest says is read by hosts alone; a guest is compiled without this file.

extension GuestMessage {
  /// Interprets a frame that came from the guest.
  public init(_ frame: Frame) throws(WireError) {
    let message = try GuestMessage(ignoringSessionOf: frame)
    switch message {
    case .started, .exit, .failure, .output, .outputEnd, .inputCredit:
      self = frame.session == 0 ? message : .ofSession(frame.session, message)
    default:
      guard frame.session == 0 else { throw frame.fault(.reserved) }
      self = message
    }
  }

  private init(ignoringSessionOf frame: Frame) throws(WireError) {
    switch (frame.channel, frame.type) {
    case (.control, 1): self = try frame.empty(.ready)
    case (.control, 3): self = try frame.empty(.started)
    case (.control, 4): self = .exit(try frame.payload(1...1)[0])
    case (.control, 5):
      let payload = try frame.payload(1...1 + Wire.textBytesMax)
      guard let code = GuestFailure(rawValue: payload[0]) else { throw frame.fault(.value) }
      self = .failure(code, detail: Array(payload.dropFirst()))
    case (.control, 7): self = .evidence(frame.payload)
    case (.control, 8): self = .eventLog(frame.payload)
    case (.standardOutput, 1), (.standardError, 1):
      self = .output(frame.channel, try frame.payload(1...Wire.streamBytesMax))
    case (.standardOutput, 2), (.standardError, 2):
      self = try frame.empty(.outputEnd(frame.channel))
    case (.standardInput, 3): self = .inputCredit(try frame.creditBytes())
    default: try self.init(relayed: frame)
    }
  }
}
