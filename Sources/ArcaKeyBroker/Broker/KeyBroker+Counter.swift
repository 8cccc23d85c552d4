import Foundation

/// What a caller asks of a generation counter: the members of the query.
public struct CounterRequest: Sendable, Equatable {
  /// No counter is higher, so that a store may keep it as a signed number of 64 bits.
  public static let generationMax = UInt64(Int64.max)
  /// Characters of a nonce: 16 bytes or more in base64url or hexadecimal.
  public static let nonceBytes = 22...86

  /// What the caller made at random for this call; the answer repeats it.
  public let nonce: String
  /// From which number to which the counter is to go, or nil where it is only read.
  public let advance: (expected: UInt64, next: UInt64)?

  /// Reads the query of a call: `nonce`, and for an advance `expected` and `next`, each once.
  public init(query: String, advances: Bool) throws(KeyBrokerError) {
    let names = advances ? ["expected", "next", "nonce"] : ["nonce"]
    var members: [String: String] = [:]
    for member in query.split(separator: "&", omittingEmptySubsequences: false) {
      let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, names.contains(String(parts[0])),
        members.updateValue(String(parts[1]), forKey: String(parts[0])) == nil
      else { throw Self.fault("the members \(names.joined(separator: ", ")), each once") }
    }
    guard let nonce = members["nonce"], Self.nonceBytes.contains(nonce.utf8.count),
      nonce.utf8.allSatisfy({ ResourcePath.isPartCharacter($0) && $0 != 0x2E })
    else { throw Self.fault("a nonce of \(Self.nonceBytes) characters of base64url") }
    self.nonce = nonce
    guard advances else {
      advance = nil
      return
    }
    guard let expected = members["expected"].flatMap(Self.generation),
      let next = members["next"].flatMap(Self.generation), expected < next
    else { throw Self.fault("expected < next, decimal, at most \(Self.generationMax)") }
    advance = (expected, next)
  }

  /// Compares every member.
  public static func == (left: Self, right: Self) -> Bool {
    left.nonce == right.nonce && left.advance?.expected == right.advance?.expected
      && left.advance?.next == right.advance?.next
  }

  private static func generation(_ text: String) -> UInt64? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(text),
      number <= generationMax, "\(number)" == text
    else { return nil }
    return number
  }

  private static func fault(_ expected: String) -> KeyBrokerError {
    KeyBrokerError(.malformed, "counter query: expected \(expected)")
  }
}

extension KeyBroker {
  /// The JWE (flattened JSON) with the counter of `path` after the call, for the attester of
  /// `session`, or of the session that the bearer token `token` names.
  ///
  /// Whoever may have the resource at `path` may use its counter. An advance and each refusal are
  /// in the audit log; a reading that is answered is not, since it discloses no secret.
  public func counter(
    _ path: String, query: String, advances: Bool, session id: String?, token: String?
  ) async throws(KeyBrokerError) -> String {
    let now = clock()
    let session = try await attestedSession(id, token, at: now)
    var trail = Self.trail(session, path)
    do throws(KeyBrokerError) {
      let path = try ResourcePath(path)
      let request = try CounterRequest(query: query, advances: advances)
      let (attested, grant) = try await authorize(path, session, at: now)
      trail += Self.details(grant)
      let generation: UInt64
      if let (expected, next) = request.advance {
        trail.append(.init("from", .number(expected)))
        trail.append(.init("to", .number(next)))
        let event = AuditEvent(.counter, at: now, trail)
        guard try await store.advance(path, from: expected, to: next, audit: event) else {
          throw KeyBrokerError(.counterConflict, "\(path): its counter is not \(expected)")
        }
        generation = next
      } else {
        generation = try await store.generation(path)
      }
      let answer = StrictJSON.members(
        ("generation", .number(generation)), ("nonce", .string(request.nonce)))
      return try JWE.encrypt(Data(answer.compact.utf8), to: attested.key).json
    } catch {
      trail.append(.init("reasons", .string(error.detail)))
      try await store.append(AuditEvent(.counter, refusal: error.code, at: now, trail))
      throw error
    }
  }

  /// Every counter that was advanced, by path.
  public func listCounters() async throws(KeyBrokerError) -> [GenerationCounter] {
    try await store.generations()
  }

  /// Puts the counter at `path` back to 0 for the administrator `name`; false where it is 0.
  public func removeCounter(_ path: String, by name: String) async throws(KeyBrokerError) -> Bool {
    let path = try ResourcePath(path)
    let event = AuditEvent(
      .counter, at: clock(),
      [
        .init("call", .string("remove")), .init("path", .string(path.description)),
        .init("by", .string(name)),
      ])
    return try await store.removeGeneration(path, audit: event)
  }
}
