import ArcaBytes

/// A file that the host writes before the start: untrusted, and only where the manifest allows it.
public struct HostFile: ManifestPart, Sendable, Equatable {
  /// How many files a host may hand in.
  public static let countMax = 256

  /// Absolute path.
  public var path: Text
  /// Its mode, at most 0o777.
  public var mode: UInt32
  /// Its owner.
  public var uid: UInt32
  /// Its group.
  public var gid: UInt32
  /// What it holds.
  public var content: [UInt8]

  init(_ fields: inout FieldReader) throws(ManifestError) {
    path = try fields.cleanPath("path")
    mode = try fields.unsigned("mode", max: 0o777)
    uid = try fields.id("uid")
    gid = try fields.id("gid")
    content = try fields.bytes("content", max: 1 << 20)
  }
}

/// A folder of the host's that the guest mounts: untrusted while it runs, and only where the
/// manifest allows it.
public struct HostFolder: ManifestPart, Sendable, Equatable {
  /// How many folders a host may share.
  public static let countMax = 16

  /// Absolute path at which the guest mounts it.
  public var path: Text
  /// Whether the workload cannot write to it.
  public var isReadOnly: Bool

  init(_ fields: inout FieldReader) throws(ManifestError) {
    path = try fields.cleanPath("path")
    isReadOnly = try fields.bool("readOnly")
  }
}

/// The network that the host gives the guest: untrusted, as any network is.
public struct HostNetwork: ManifestPart, Sendable, Equatable {
  /// How many interfaces a host may hand in, a pod's link among them.
  public static let interfacesMax = 9
  /// The name of the interface that links a pod's TEEs.
  public static let podLink = "arca-pod"
  /// How many routes a host may hand in.
  public static let routesMax = 64

  /// The interfaces.
  public var interfaces: [Interface]
  /// The routes, in the order in which they are to be set.
  public var routes: [Route]

  /// An interface, found by its hardware address.
  public struct Interface: ManifestPart, Sendable, Equatable {
    /// The name that it gets, 1 to 15 bytes.
    public var name: Text
    /// Its hardware address, 6 bytes.
    public var hardwareAddress: [UInt8]
    /// Its largest packet, 68 to 65,535 bytes; of a pod's link at least 1,280, since what encrypts
    /// it takes some of them.
    public var mtu: UInt32
    /// Addresses, each 4 or 16 bytes followed by the length of the prefix.
    public var addresses: [[UInt8]]

    init(_ fields: inout FieldReader) throws(ManifestError) {
      name = try fields.text("name", max: 15)
      guard !name.utf8.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "/") })
      else { throw fields.fault(.value, "name") }
      hardwareAddress = try fields.bytes("mac", min: 6, max: 6)
      let isPodLink = name.utf8.elementsEqual(HostNetwork.podLink.utf8)
      mtu = try fields.unsigned("mtu", min: isPodLink ? 1280 : 68, max: 65_535)
      addresses = []
      for item in try fields.array("addresses", max: 16) {
        guard case .bytes(let address) = item, isPrefixedAddress(address) else {
          throw fields.fault(.value, "addresses")
        }
        addresses.append(address)
      }
    }
  }

  /// A route.
  public struct Route: ManifestPart, Sendable, Equatable {
    /// The interface's place in the list.
    public var interface: UInt32
    /// 4 or 16 bytes followed by the length of the prefix.
    public var destination: [UInt8]
    /// 4 or 16 bytes as the destination has, or none where it is on the link.
    public var gateway: [UInt8]

    init(_ fields: inout FieldReader) throws(ManifestError) {
      interface = try fields.unsigned("interface", max: 255)
      destination = try fields.bytes("destination", max: 17)
      gateway = try fields.bytes("gateway", max: 16)
      guard isPrefixedAddress(destination),
        gateway.isEmpty || gateway.count == destination.count - 1
      else { throw fields.fault(.value, "destination") }
    }
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    interfaces = try fields.parts("interfaces", max: Self.interfacesMax)
    routes = try fields.parts("routes", max: Self.routesMax)
    for route in routes where Int(route.interface) >= interfaces.count {
      throw fields.fault(.value, "routes")
    }
  }
}

/// Whether `bytes` are an IPv4 or IPv6 address with the length of its prefix behind.
private func isPrefixedAddress(_ bytes: [UInt8]) -> Bool {
  bytes.count == 5 && bytes[4] <= 32 || bytes.count == 17 && bytes[16] <= 128
}
