import ArcaTEE
import Foundation

/// Where the containers are that engines made, and how the outer ones are reached.
public struct OCIStore: Sendable {
  let installation: Installation
  /// The engine's `--root`, or a folder of Arca's own.
  let root: String
  let isSystemd: Bool

  /// The store of a command line.
  public init(_ line: OCICommandLine, _ installation: Installation) throws(RuntimeError) {
    self.installation = installation
    root = line.value("root") ?? installation.state + "/runtime"
    isSystemd = line.has("systemd-cgroup") || line.value("cgroup-manager") == "systemd"
    guard geteuid() == 0 else {
      throw RuntimeError(.unsupported, "expected to be root; outer containers need it")
    }
    try makeFolder(root)
  }

  func folder(_ id: String) -> String { "\(root)/\(id)" }

  /// The runtime that makes the outer containers.
  func runtime() throws(RuntimeError) -> OCIRuntime {
    try OCIRuntime(root: root + "/.outer", isSystemd: isSystemd)
  }

  /// The container, or an error that says that there is none.
  func find(_ id: String) throws(RuntimeError) -> OCIContainer {
    guard let bytes = try? System.contents(folder(id) + "/record", max: 1 << 20) else {
      // The words are those that engines look for.
      throw RuntimeError(.notFound, "container \(id) does not exist")
    }
    do {
      return OCIContainer(
        record: try OCIContainerRecord(decoding: bytes), folder: folder(id))
    } catch {
      throw RuntimeError(error)
    }
  }

  /// Every container, by id.
  func list() -> [OCIContainer] {
    System.names(in: root).sorted().compactMap { $0.hasPrefix(".") ? nil : try? find($0) }
  }
}

/// A container that an engine made.
struct OCIContainer {
  let record: OCIContainerRecord
  let folder: String

  var status: LaunchStatus? {
    guard let bytes = try? System.contents(folder + "/run/status", max: 1 << 16) else { return nil }
    return try? LaunchStatus(decoding: bytes)
  }

  /// Where the launcher takes requests of `exec`.
  var requests: String { folder + "/run/requests" }
}

/// What is written down of a container when it is made.
struct OCIContainerRecord {
  var id: String
  var bundle: String
  var createdSeconds: UInt64
  var workloadDigest: [UInt8]
  var tee: String
  var isSandbox: Bool
  /// The path of the network namespace that it joined; empty where it has one of its own.
  var network: String
  /// Names of annotations and, at the same places, their values.
  var annotationNames: [String]
  var annotationValues: [String]

  func encoded() -> [UInt8] {
    RecordWriter()
      .text("id", id).text("bundle", bundle).unsigned("createdSeconds", createdSeconds)
      .bytes("workloadDigest", workloadDigest).text("tee", tee).bool("isSandbox", isSandbox)
      .text("network", network).texts("annotationNames", annotationNames).texts(
        "annotationValues", annotationValues
      )
      .encoded()
  }

  init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "container record")
    id = try record.text("id")
    bundle = try record.text("bundle")
    createdSeconds = try record.unsigned("createdSeconds")
    workloadDigest = try record.bytes("workloadDigest")
    tee = try record.text("tee")
    isSandbox = try record.bool("isSandbox")
    network = try record.text("network")
    annotationNames = try record.texts("annotationNames")
    annotationValues = try record.texts("annotationValues")
  }

  init(id: String, bundle: String, annotations: [String: String]) {
    self.id = id
    self.bundle = bundle
    createdSeconds = UInt64(max(0, Date().timeIntervalSince1970))
    workloadDigest = []
    tee = ""
    isSandbox = false
    network = ""
    annotationNames = annotations.keys.sorted()
    annotationValues = annotations.sorted { $0.key < $1.key }.map(\.value)
  }

  var annotations: [String: String] {
    Dictionary(zip(annotationNames, annotationValues), uniquingKeysWith: { $1 })
  }
}
