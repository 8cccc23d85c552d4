import ArcaManifestText
import ArcaOCI
import Foundation

extension OCIStore {
  /// What of the bundle of `create` or `run` is left out, where the specification has a runtime say
  /// so rather than refuse it; nothing where the bundle cannot be read.
  public func warnings(_ line: OCICommandLine) -> [String] {
    let bundle = URL(fileURLWithPath: line.value("bundle") ?? ".").path
    guard let spec = try? BundleSpec(bundle: bundle) else { return [] }
    return (spec.process?.capabilities?.bounding ?? []).filter {
      LinuxNames.capability($0) == nil
    }.map { "process.capabilities: \($0) is left out: no capability is called so" }
  }
}
