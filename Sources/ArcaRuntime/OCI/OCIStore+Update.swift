import ArcaTEE
import Foundation

extension OCIStore {
  private static let resourcesBytesMax = 1 << 20

  /// `update`: sets new limits for the outer container; what a running guest cannot follow is
  /// refused.
  ///
  /// - Throws: ``RuntimeError/Code/unsupported`` where less memory is asked for than the guest has.
  public func update(_ line: OCICommandLine) throws(RuntimeError) {
    let id = try line.id()
    let container = try find(id)
    var resources = try Self.resources(line)
    if !container.record.isSandbox {
      let launch: LaunchDescription
      do {
        launch = try LaunchDescription(
          decoding: try System.contents(container.folder + "/job/launch", max: 1 << 16))
      } catch {
        throw RuntimeError(error)
      }
      resources = try resources.leavingRoom(forGuestMiB: launch.memoryMiB)
    }
    let path = container.folder + "/resources"
    guard let bytes = try? JSONEncoder().encode(resources) else {
      throw RuntimeError(.state, "\(path): cannot be written")
    }
    try write(path, Array(bytes))
    try runtime().perform(
      ["update", "--resources", path, id], log: container.folder + "/outer.log")
  }

  /// What `--resources` names, or what the options of runc and crun say.
  private static func resources(_ line: OCICommandLine) throws(RuntimeError) -> OuterResources {
    guard let path = line.value("resources") else { return try OuterResources(options: line) }
    do {
      let bytes =
        path == "-"
        ? try FileHandle.standardInput.read(upToCount: resourcesBytesMax) ?? Data()
        : Data(try System.contents(path, max: resourcesBytesMax))
      return try JSONDecoder().decode(OuterResources.self, from: bytes)
    } catch {
      throw RuntimeError(.usage, "--resources \(path): not resources of a container: \(error)")
    }
  }
}
