import ArcaBytes
import ArcaTEE
import ArcaWire
import Testing

@Suite("What the guest may say, and when")
struct GuestSessionTests {
  private func bytes(_ messages: [GuestMessage]) -> [UInt8] {
    var writer = ByteWriter()
    for message in messages { message.frame.write(to: &writer) }
    return writer.bytes
  }

  private func running() throws -> GuestSession {
    var session = GuestSession()
    _ = try session.receive(bytes([.ready, .started]))
    return session
  }

  private func code(_ session: inout GuestSession, _ encoded: [UInt8]) -> TEEError.Code? {
    do {
      _ = try session.receive(encoded)
      return nil
    } catch {
      return error.code
    }
  }

  @Test("A start in one piece, and byte by byte, means the same")
  func pieces() throws {
    let encoded = bytes([.ready, .evidenceRequest([UInt8](repeating: 7, count: 64)), .started])
    var whole = GuestSession()
    #expect(try whole.receive(encoded).count == 3)
    var split = GuestSession()
    var count = 0
    for byte in encoded { count += try split.receive([byte]).count }
    #expect(count == 3)
    #expect(split.isRunning)
  }

  @Test("Messages out of order end the session")
  func order() throws {
    for early: [GuestMessage] in [
      [.started], [.exit(0)], [.output(.standardOutput, [1])], [.ready, .ready],
      [.ready, .started, .started], [.evidenceRequest(.init(repeating: 0, count: 64))],
      [.ready, .started, .exit(0), .evidenceRequest(.init(repeating: 0, count: 64))],
      [.evidence([1])], [.eventLog([1])], [.ready, .started, .evidence([1])],
    ] {
      var session = GuestSession()
      #expect(code(&session, bytes(early)) == .wire)
    }
    var ended = try running()
    #expect(code(&ended, bytes([.exit(3)])) == nil)
    #expect(code(&ended, bytes([.output(.standardOutput, [1])])) == .wire)
  }

  @Test("Output beyond the window ends the session; consuming opens it again")
  func credit() throws {
    let piece = GuestMessage.output(
      .standardOutput, [UInt8](repeating: 1, count: Wire.streamBytesMax))
    let pieces = Int(Wire.windowBytes) / Wire.streamBytesMax
    var session = try running()
    for _ in 0..<pieces { #expect(code(&session, bytes([piece])) == nil) }
    var greedy = session
    #expect(code(&greedy, bytes([piece])) == .wire)
    session.consumed(Int(Wire.windowBytes), of: .standardOutput)
    #expect(code(&session, bytes([piece])) == nil)
  }

  @Test("The relayed connection is opened once, after the start, and used while it is open")
  func relay() throws {
    let open = GuestMessage.brokerOpen(host: [97], port: 443)
    for wrong: [GuestMessage] in [
      [open], [.ready, open, open], [.ready, .brokerData([1])], [.ready, .brokerEnd],
      [.ready, .brokerCredit(1)], [.ready, open, .brokerData([1])],
    ] {
      var session = GuestSession()
      #expect(code(&session, bytes(wrong)) == .wire)
    }
    var session = GuestSession()
    #expect(code(&session, bytes([.ready, open])) == nil)
    let isOpen = session.relay.answer(isOpen: true)
    #expect(isOpen)
    let piece = GuestMessage.brokerData([UInt8](repeating: 1, count: Wire.streamBytesMax))
    for _ in 0..<Int(Wire.windowBytes) / Wire.streamBytesMax {
      #expect(code(&session, bytes([piece])) == nil)
    }
    var greedy = session
    #expect(code(&greedy, bytes([piece])) == .wire)
    var generous = session
    #expect(code(&generous, bytes([.brokerCredit(1)])) == .wire)
    #expect(code(&session, bytes([.brokerEnd])) == nil)
    #expect(code(&session, bytes([.brokerData([1])])) == .wire)
  }

  @Test("Input stays within what the guest has granted")
  func input() throws {
    var session = try running()
    var sent = 0
    while session.inputBytesMax > 0 {
      let count = session.inputBytesMax
      session.sendInput([UInt8](repeating: 0, count: count))
      sent += count
    }
    #expect(sent == Int(Wire.windowBytes))
    #expect(code(&session, bytes([.inputCredit(4096)])) == nil)
    #expect(session.inputBytesMax == 4096)
    #expect(code(&session, bytes([.inputCredit(Wire.windowBytes)])) == .wire)
  }

  @Test("Failures of the guest keep their names and podman's exit statuses")
  func failures() {
    for (failure, code, status): (GuestFailure, TEEError.Code, UInt8) in [
      (.commandNotFound, .commandNotFound, 127),
      (.commandNotExecutable, .commandNotExecutable, 126),
      (.identity, .manifestChanged, 125), (.corruption, .rootFilesystemChanged, 125),
      (.hostInput, .guest, 125), (.keyBroker, .keyBroker, 125), (.secret, .secret, 125),
      (.keyBrokerIdentity, .keyBrokerIdentity, 125), (.keyBrokerRefused, .keyBrokerRefused, 125),
    ] {
      var session = GuestSession()
      do {
        _ = try session.receive(bytes([.ready, .failure(failure, detail: [27, 65])]))
        Issue.record("\(failure) was accepted")
      } catch {
        #expect(error.code == code)
        #expect(error.exitStatus == status)
        // A terminal must not obey the guest.
        #expect(!error.detail.utf8.contains(27))
      }
    }
  }
}
