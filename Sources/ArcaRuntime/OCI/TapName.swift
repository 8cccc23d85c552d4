/// The name of a tap, which says whose it is: `arca`, the TEE's place in the namespace, `.`, the
/// interface's number, `-`, the launcher's process.
package struct TapName: Equatable {
  /// One digit, so that a name fits the kernel's 15 bytes.
  package static let places = 0..<8

  package let place: Int
  package let interface: Int
  package let launcher: Int32

  /// Above every ``HostNetwork/interfacesMax``, and one digit.
  private static let podLink = 9

  /// The end of the link of a pod's TEEs.
  package init(podLinkAt place: Int, launcher: Int32) {
    self.init(place: place, interface: Self.podLink, launcher: launcher)
  }

  package var isPodLink: Bool { interface == Self.podLink }

  package init(place: Int, interface: Int, launcher: Int32) {
    self.place = place
    self.interface = interface
    self.launcher = launcher
  }

  /// Reads a name; nil where it is no tap of Arca's.
  package init?(_ name: String) {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].hasPrefix("arca"), let launcher = Int32(parts[1]) else {
      return nil
    }
    let numbers = parts[0].dropFirst(4).split(separator: ".", omittingEmptySubsequences: false)
    guard numbers.count == 2, let place = Int(numbers[0]), let interface = Int(numbers[1]),
      Self.places.contains(place)
    else { return nil }
    self.init(place: place, interface: interface, launcher: launcher)
  }

  package var text: String { "arca\(place).\(interface)-\(launcher)" }

  /// Whether the launcher lives, in the namespace that the calling thread is in.
  package var isInUse: Bool {
    let own = fileStatus("/proc/thread-self/ns/net")?.inode
    return own != nil && fileStatus("/proc/\(launcher)/ns/net")?.inode == own
  }
}
