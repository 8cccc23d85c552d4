import ArcaOCI
import ArcaRuntime
import Foundation
import Testing

@Suite struct NamespacePathsTests {
  private func namespace(_ type: String, _ path: String?) throws -> BundleSpec.Namespace {
    let object = ["type": type].merging(path.map { ["path": $0] } ?? [:]) { $1 }
    return try JSONDecoder().decode(
      BundleSpec.Namespace.self, from: JSONSerialization.data(withJSONObject: object))
  }

  @Test(arguments: [
    ("network", "net"), ("mount", "mnt"), ("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"),
    ("user", "user"), ("cgroup", "cgroup"),
  ])
  func aNamespaceOfTheTypeIsTaken(type: String, file: String) throws {
    try NamespacePaths.check([
      namespace(type, "/proc/self/ns/" + file), namespace(type, nil), namespace(type, ""),
    ])
  }

  @Test(arguments: [
    ("ipc", "/proc/self/ns/net"), ("network", "/proc/self/ns/ipc"), ("pid", "/proc/self/status"),
    ("uts", "/nowhere"), ("other", "/proc/self/ns/net"),
  ])
  func anythingElseIsRefused(type: String, path: String) throws {
    let namespaces = [try namespace(type, path)]
    #expect {
      try NamespacePaths.check(namespaces)
    } throws: {
      ($0 as? RuntimeError)?.code == .usage
    }
  }
}
