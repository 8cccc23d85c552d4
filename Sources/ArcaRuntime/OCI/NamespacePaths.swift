import ArcaOCI
import ArcaTEE
import CArcaHost
import Foundation

/// The namespaces that a bundle names by paths.
package enum NamespacePaths {
  /// The flags of clone(2), by the names of the specification.
  private static let kinds: [String: Int32] = [
    "time": 0x80, "mount": 0x2_0000, "cgroup": 0x200_0000, "uts": 0x400_0000, "ipc": 0x800_0000,
    "user": 0x1000_0000, "pid": 0x2000_0000, "network": 0x4000_0000,
  ]

  /// Refuses a path that is no namespace of the type that stands beside it.
  ///
  /// The outer container joins the network's alone, but a bundle that is wrong about another is no
  /// less wrong (runtime-spec, "Namespaces").
  package static func check(_ namespaces: [BundleSpec.Namespace]) throws(RuntimeError) {
    for namespace in namespaces {
      guard let path = namespace.path, !path.isEmpty else { continue }
      let descriptor: Int32
      do {
        descriptor = try System.open(path)
      } catch {
        throw RuntimeError(.usage, "namespaces: \(namespace.type): \(describe(error))")
      }
      defer { close(descriptor) }
      let found = arca_namespace_kind(descriptor)
      guard found == kinds[namespace.type] else {
        let name = kinds.first { $0.value == found }?.key
        throw RuntimeError(
          .usage,
          "namespaces: \(path): expected a namespace of the type \(namespace.type), found "
            + (name.map { "one of the type \($0)" } ?? "none"))
      }
    }
  }
}
