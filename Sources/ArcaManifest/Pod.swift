import ArcaBytes

/// The TEEs of a pod whose `localhost` is joined, port by port (docs/oci-runtime.md, "Pods").
public struct Pod: ManifestPart, Sendable, Equatable {
  /// How many members a pod has at least and at most.
  public static let members = 2...8
  /// How many ports one member may serve.
  public static let portsMax = 32
  /// The fewest bytes of the resource that ``key`` names.
  public static let keyBytesMin = 32

  /// Which of the members this workload is, from 0.
  public var place: Int
  /// For each member the TCP and UDP ports of the pod's 127.0.0.1 at which it listens; no port is
  /// served by two.
  public var ports: [[UInt16]]
  /// The key broker's resource (`kbs:///repository/type/tag`) from which the members' WireGuard keys
  /// are derived, or nil where they speak in clear.
  public var key: Text?

  init(_ fields: inout FieldReader) throws(ManifestError) {
    place = Int(try fields.unsigned("place", max: UInt8(Self.members.upperBound - 1)))
    ports = []
    for member in try fields.array("ports", max: Self.members.upperBound) {
      guard case .array(let values) = member, values.count <= Self.portsMax else {
        throw fields.fault(.value, "ports")
      }
      ports.append([])
      for value in values {
        guard case .unsigned(let number) = value, let port = UInt16(exactly: number), port > 0,
          !ports.contains(where: { $0.contains(port) })
        else { throw fields.fault(.value, "ports") }
        ports[ports.count - 1].append(port)
      }
    }
    guard Self.members.contains(ports.count), place < ports.count else {
      throw fields.fault(.value, "place")
    }
    key = try fields.optionalResource("key")
  }
}
