import ArcaTEE

/// The control group of a process, in whatever versions the host has mounted.
package struct ControlGroup {
  private static let fileBytesMax = 1 << 18

  /// The group's folder in the hierarchy of each controller of version 1.
  private var folders: [String: String] = [:]
  /// The group's folder in the one hierarchy of version 2.
  private var unified: String?

  /// The group of the process whose `/proc/PID/cgroup` is `membership`.
  ///
  /// - Parameters:
  ///   - membership: Lines `NUMBER:CONTROLLERS:PATH`; version 2 has number 0 and no controller.
  ///   - mounts: The caller's own `/proc/self/mountinfo`, which says where the hierarchies are.
  package init(membership: String, mounts: String) {
    var points: [String: (root: String, point: String)] = [:]
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else {
        continue
      }
      let place = (root: String(fields[3]), point: String(fields[4]))
      switch fields[dash + 1] {
      case "cgroup2": points[""] = place
      case "cgroup":
        for option in fields[dash + 3].split(separator: ",") { points[String(option)] = place }
      default: continue
      }
    }
    for line in membership.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      for name in fields[1].split(separator: ",", omittingEmptySubsequences: false) {
        guard let place = points[String(name)] else { continue }
        let folder = place.point + Self.below(place.root, String(fields[2]))
        if name.isEmpty { unified = folder } else { folders[String(name)] = folder }
      }
    }
  }

  /// What of `path` is beneath the part of the hierarchy that is mounted.
  private static func below(_ root: String, _ path: String) -> String {
    if root == "/" { return path }
    return path == root || path.hasPrefix(root + "/") ? String(path.dropFirst(root.count)) : path
  }

  /// Whether the controller is one of version 2.
  func isUnified(_ controller: String) -> Bool { folders[controller] == nil }

  /// The names of the controller's files.
  func names(_ controller: String) -> [String] {
    (folders[controller] ?? unified).map { System.names(in: $0) } ?? []
  }

  /// The text of a file of the controller's, or nil where there is none.
  func text(_ controller: String, _ file: String) -> String? {
    guard let folder = folders[controller] ?? unified,
      let bytes = try? System.contents("\(folder)/\(file)", max: Self.fileBytesMax)
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The number in a file, where `max` is the largest there is; nil where there is none.
  func number(_ controller: String, _ file: String) -> UInt64? {
    guard let text = text(controller, file) else { return nil }
    let word = text.prefix { !$0.isWhitespace }
    return word == "max" ? .max : UInt64(word)
  }

  /// The lines `NAME NUMBER` of a file.
  func table(_ controller: String, _ file: String) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for line in (text(controller, file) ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let number = UInt64(words[1]) else { continue }
      result[String(words[0])] = number
    }
    return result
  }

  /// How many processes of the group the kernel has killed for want of memory.
  package var memoryKills: UInt64 {
    table("memory", isUnified("memory") ? "memory.events" : "memory.oom_control")["oom_kill"] ?? 0
  }
}
