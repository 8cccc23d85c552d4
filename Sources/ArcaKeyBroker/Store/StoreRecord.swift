import ArcaBytes

/// A record of a store that a backup holds.
///
/// Sessions are none: a restored nonce would count twice.
public enum StoreRecord: Sendable, Equatable {
  /// A resource, sealed.
  case resource(SealedResource)
  /// A generation counter.
  case counter(GenerationCounter)
  /// The policy in force.
  case policy([UInt8])
  /// An entry of the audit log.
  case audit(AuditEntry)

  /// The record as one JSON object.
  var json: StrictJSON {
    func text(_ bytes: [UInt8]) -> StrictJSON { .string(Base64.encode(bytes, .standard)) }
    switch self {
    case .resource(let resource):
      return .members(
        ("resource", .string(resource.path.description)), ("keyID", .string(resource.keyID)),
        ("wrappedKey", text(resource.wrappedKey)), ("box", text(resource.box)),
        ("updated", .number(UInt64(max(0, resource.updated)))))
    case .counter(let counter):
      return .members(
        ("counter", .string(counter.path.description)), ("generation", .number(counter.generation)))
    case .policy(let record): return .members(("policy", text(record)))
    case .audit(let entry):
      return .members(
        ("audit", .number(UInt64(max(0, entry.sequence)))), ("text", .string(entry.text)),
        ("hash", text(entry.hash)))
    }
  }

  /// Reads what ``json`` wrote.
  init(_ json: StrictJSON) throws(KeyBrokerError) {
    func octets(_ name: String) throws(KeyBrokerError) -> [UInt8] {
      guard let bytes = json[name]?.text.flatMap({ Base64.decode($0, .standard) }) else {
        throw KeyBrokerError(.corrupted, "stored record: \(name) is not base64")
      }
      return bytes
    }
    func number(_ name: String) throws(KeyBrokerError) -> Int64 {
      guard let number = json[name]?.whole, number <= UInt64(Int64.max) else {
        throw KeyBrokerError(.corrupted, "stored record: \(name) is not a number of 63 bits")
      }
      return Int64(number)
    }
    if let path = json["resource"]?.text, let keyID = json["keyID"]?.text {
      self = .resource(
        SealedResource(
          path: try ResourcePath(path), keyID: keyID, wrappedKey: try octets("wrappedKey"),
          box: try octets("box"), updated: try number("updated")))
    } else if let path = json["counter"]?.text {
      self = .counter(
        GenerationCounter(
          path: try ResourcePath(path), generation: UInt64(try number("generation"))))
    } else if json["policy"] != nil {
      self = .policy(try octets("policy"))
    } else if let text = json["text"]?.text {
      self = .audit(
        AuditEntry(sequence: try number("audit"), text: text, hash: try octets("hash")))
    } else {
      throw KeyBrokerError(.corrupted, "stored record: of no known kind")
    }
  }
}
