import ArcaBytes
import Crypto
import Foundation
import TEEAttestation

/// Something that the audit log keeps.
public struct AuditEvent: Sendable, Equatable {
  /// What happened.
  public enum Action: String, Sendable {
    /// An attestation that was accepted or refused.
    case attest
    /// A request for a resource, released or refused.
    case release
    /// A resource set, shown, listed or removed by an administrator.
    case resource
    /// A generation counter advanced, removed or refused.
    case counter
    /// A policy installed.
    case policy
    /// A master key made and taken into use.
    case rotate
    /// A backup or a restoration.
    case backup
  }

  /// What happened.
  public let action: Action
  /// `ok`, or the code of the refusal.
  public let outcome: String
  /// More about it, in the order in which it is written; never a secret.
  public let details: [StrictJSON.Member]
  /// When, in seconds since 1970.
  public let time: Int64

  /// Creates an event; without `refusal` it is a success.
  public init(
    _ action: Action, refusal: KeyBrokerError.Code? = nil, at time: Int64,
    _ details: [StrictJSON.Member]
  ) {
    self.action = action
    outcome = refusal?.rawValue ?? "ok"
    self.time = time
    self.details = details
  }

  /// The event as one line of JSON.
  public var text: String {
    StrictJSON.members(
      ("time", .string(VerificationTime(unixSeconds: time).text)),
      ("action", .string(action.rawValue)), ("outcome", .string(outcome)),
      ("details", .object(details))
    ).compact
  }
}

/// One entry of the audit log, chained to the one before it.
public struct AuditEntry: Sendable, Equatable {
  /// The hash before the first entry: 32 zero bytes.
  public static let origin = [UInt8](repeating: 0, count: 32)

  /// 1 for the first entry, one more for each that follows.
  public let sequence: Int64
  /// The event, one line of JSON.
  public let text: String
  /// SHA-256 of the previous hash, the sequence number (64 bits, big-endian) and the text.
  public let hash: [UInt8]

  /// An entry as read; nothing about its hash is known.
  public init(sequence: Int64, text: String, hash: [UInt8]) {
    self.sequence = sequence
    self.text = text
    self.hash = hash
  }

  /// The entry that records `event` after the entry `previous`.
  public init(_ event: AuditEvent, after previous: AuditEntry?) {
    sequence = (previous?.sequence ?? 0) + 1
    text = event.text
    hash = Self.hash(text, sequence, after: previous?.hash ?? Self.origin)
  }

  static func hash(_ text: String, _ sequence: Int64, after previous: [UInt8]) -> [UInt8] {
    var input = previous
    for shift in stride(from: 56, through: 0, by: -8) {
      input.append(UInt8(truncatingIfNeeded: sequence >> Int64(shift)))
    }
    return Array(SHA256.hash(data: Data(input + Array(text.utf8))))
  }
}

/// Checks the audit log's chain.
///
/// A chain shows that no entry was changed, removed from the middle or put in. That none was cut
/// off at the end shows only by comparing its head with one that was noted elsewhere.
public struct AuditChain: Sendable {
  /// How many entries have been checked.
  public private(set) var count: Int64 = 0
  /// The last entry's hash.
  public private(set) var head = AuditEntry.origin

  /// Starts before the first entry.
  public init() {}

  /// Checks the next entry.
  public mutating func check(_ entry: AuditEntry) throws(KeyBrokerError) {
    guard entry.sequence == count + 1 else {
      throw KeyBrokerError(
        .auditChain, "audit log: expected entry \(count + 1), found \(entry.sequence)")
    }
    guard entry.hash == AuditEntry.hash(entry.text, entry.sequence, after: head) else {
      throw KeyBrokerError(.auditChain, "audit log: entry \(entry.sequence) was changed")
    }
    count = entry.sequence
    head = entry.hash
  }

  /// Checks the whole log of `store`; with `noted`, the hash in hexadecimal must be one of its
  /// entries', so that a log cut off before that entry is found.
  public static func verify(
    _ store: any KeyBrokerStore, containing noted: String? = nil
  ) async throws(KeyBrokerError) -> AuditChain {
    var chain = AuditChain()
    var isFound = noted == nil
    while true {
      let entries = try await store.auditEntries(from: chain.count + 1, limit: 1000)
      if entries.isEmpty { break }
      for entry in entries {
        try chain.check(entry)
        isFound = isFound || Hex.encode(chain.head) == noted
      }
    }
    guard isFound else {
      throw KeyBrokerError(.auditChain, "audit log: no entry has the noted head; it was cut off")
    }
    return chain
  }
}
