import ArcaManifest

extension ManifestOptions {
  /// Sets the pod whose `localhost` is shared, from the texts of options or annotations.
  ///
  /// - Parameters:
  ///   - members: `NAME` or `NAME=PORT[,PORT…]` each, in an order that all members have.
  ///   - name: The workload's own among them.
  ///   - key: The resource of the members' keys, or nil for clear text.
  /// - Throws: ``ManifestTextError/Code/invalidOption``.
  public mutating func setPod(
    members: [String], name: String, key: String?
  ) throws(ManifestTextError) {
    var names: [String] = []
    var ports: [[UInt16]] = []
    for member in members {
      let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let numbers = parts.dropFirst().first?.split(separator: ",", omittingEmptySubsequences: false)
      let served = numbers?.map { UInt16($0) } ?? []
      guard !parts[0].isEmpty, !names.contains(String(parts[0])), !served.contains(nil) else {
        throw ManifestTextError(
          .invalidOption, "pod member \(member): expected NAME or NAME=PORT[,PORT…], each name once"
        )
      }
      names.append(String(parts[0]))
      ports.append(served.compactMap(\.self))
    }
    guard let place = names.firstIndex(of: name) else {
      throw ManifestTextError(
        .invalidOption,
        "pod: found no member `\(name)`, expected one of \(names.joined(separator: ", "))")
    }
    pod = Pod(place: place, ports: ports, key: key)
  }
}
