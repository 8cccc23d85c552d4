import Foundation
import Synchronization

/// The policy in force, read from its file and read again when the file changes.
///
/// A file that is missing or not a policy means that nothing is released.
public final class PolicySource: Sendable {
  private struct State {
    var stamp: Date?
    var result: Result<ReleasePolicy, KeyBrokerError>?
  }

  /// Path of the policy; the reference values that it names are beside it.
  public let path: String
  private let state = Mutex(State())

  /// A policy in the file at `path`.
  public init(path: String) {
    self.path = path
  }

  /// The policy in force.
  public func current() throws(KeyBrokerError) -> ReleasePolicy {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    let stamp = attributes?[.modificationDate] as? Date
    let known = state.withLock { $0.stamp == stamp && stamp != nil ? $0.result : nil }
    let result = known ?? load()
    if known == nil {
      state.withLock {
        $0.stamp = stamp
        $0.result = result
      }
    }
    return try result.get()
  }

  /// Reads `yaml` as a policy whose reference values are beside the file.
  public func parse(_ yaml: String) throws(KeyBrokerError) -> ReleasePolicy {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    return try ReleasePolicy(yaml: yaml) { name in
      FileManager.default.contents(atPath: folder.appendingPathComponent(name).path)
        .map { Array($0) }
    }
  }

  /// Puts `yaml` in force once it has proved to be a policy.
  public func install(_ yaml: String) throws(KeyBrokerError) {
    _ = try parse(yaml)
    do {
      try Data(yaml.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw KeyBrokerError(.invalidPolicy, "\(path): cannot be written: \(error)")
    }
    state.withLock { $0.stamp = nil }
  }

  private func load() -> Result<ReleasePolicy, KeyBrokerError> {
    guard let content = FileManager.default.contents(atPath: path),
      let yaml = String(data: content, encoding: .utf8)
    else {
      return .failure(KeyBrokerError(.invalidPolicy, "\(path): cannot be read as UTF-8 text"))
    }
    do throws(KeyBrokerError) {
      return .success(try parse(yaml))
    } catch {
      return .failure(error)
    }
  }
}
