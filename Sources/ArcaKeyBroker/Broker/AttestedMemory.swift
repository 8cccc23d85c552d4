import Synchronization

/// Keeps what this broker's latest sessions were attested with as it was read, so that a resource
/// need not read it again.
///
/// The store's record counts: what is kept for another one, byte for byte, is not taken.
final class AttestedMemory: Sendable {
  /// Sessions kept at most.
  static let countMax = 512

  private let known = Mutex<[String: (record: [UInt8], attested: Attested)]>([:])

  /// Keeps `attested`, which the store has as `record`.
  func remember(_ attested: Attested, as record: [UInt8], ofSession id: String) {
    known.withLock {
      if $0.count >= Self.countMax { $0 = [:] }
      $0[id] = (record, attested)
    }
  }

  /// What `session` was attested with, by its record.
  func attested(_ session: SessionRecord) throws(KeyBrokerError) -> Attested {
    let record = session.attestation ?? []
    if let known = known.withLock({ $0[session.id] }), known.record == record {
      return known.attested
    }
    return try Attested(stored: record)
  }
}
