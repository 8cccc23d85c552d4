import Foundation
import Synchronization

/// A policy as the store keeps it: the text, and the release's reference values that it names.
public struct StoredPolicy: Sendable, Equatable {
  /// The record as it is stored: one JSON object.
  public let record: [UInt8]

  /// Reads `yaml`, whose reference values `file` gives by the names that the policy states.
  public init(
    yaml: String, referenceValues file: (String) -> [UInt8]?
  ) throws(KeyBrokerError) {
    var files: [StrictJSON.Member] = []
    _ = try ReleasePolicy(yaml: yaml) { name in
      guard let content = file(name) else { return nil }
      if !files.contains(where: { $0.name == name }) {
        files.append(.init(name, .string(Base64.encode(content, .standard))))
      }
      return content
    }
    record = Array(
      StrictJSON.members(("yaml", .string(yaml)), ("referenceValues", .object(files))).compact.utf8)
  }

  /// Reads the policy at `path`, whose reference values are in files beside it.
  public init(yaml: String, besideFile path: String) throws(KeyBrokerError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    try self.init(yaml: yaml) { name in
      FileManager.default.contents(atPath: folder.appendingPathComponent(name).path)
        .map { Array($0) }
    }
  }
}

extension StoredPolicy {
  /// Reads what the store has.
  init(record: [UInt8]) { self.record = record }

  /// The text, and the files that it names.
  func contents() throws(KeyBrokerError) -> (yaml: String, files: [String: [UInt8]]) {
    let json = try StrictJSON(parsing: record)
    guard let yaml = json["yaml"]?.text, case .object(let members)? = json["referenceValues"] else {
      throw KeyBrokerError(.corrupted, "stored policy: not in its form")
    }
    var files: [String: [UInt8]] = [:]
    for member in members {
      files[member.name] = member.value.text.flatMap { Base64.decode($0, .standard) }
    }
    return (yaml, files)
  }
}

extension ReleasePolicy {
  /// The policy that `stored` holds.
  public init(stored: StoredPolicy) throws(KeyBrokerError) {
    let (yaml, files) = try stored.contents()
    try self.init(yaml: yaml) { files[$0] }
  }
}

/// The policy in force, as the store has it; parsed once for each that is installed.
///
/// Without a policy, or with one that does not hold, nothing is released.
final class PolicySource: Sendable {
  private let parsed = Mutex<(record: [UInt8], policy: ReleasePolicy)?>(nil)

  /// The policy that `store` has now.
  func current(in store: any KeyBrokerStore) async throws(KeyBrokerError) -> ReleasePolicy {
    guard let record = try await store.policy() else {
      throw KeyBrokerError(
        .invalidPolicy, "no policy is installed; do so with arca-kbs policy install")
    }
    if let known = parsed.withLock({ $0?.record == record ? $0?.policy : nil }) { return known }
    let policy = try ReleasePolicy(stored: StoredPolicy(record: record))
    parsed.withLock { $0 = (record, policy) }
    return policy
  }
}
