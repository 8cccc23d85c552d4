import ArcaBytes

/// A file that the host writes before the start: untrusted, and only where the manifest allows it.
public struct HostFile: Sendable, Equatable {
  /// How many files a host may hand in.
  public static let countMax = 256

  /// Absolute path.
  public var path: String
  /// Its mode, at most 0o777.
  public var mode: UInt32
  /// Its owner.
  public var uid: UInt32
  /// Its group.
  public var gid: UInt32
  /// What it holds.
  public var content: [UInt8]

  /// A file of these parts.
  public init(path: String, mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, content: [UInt8]) {
    self.path = path
    self.mode = mode
    self.uid = uid
    self.gid = gid
    self.content = content
  }

  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    path = try fields.cleanPath("path")
    mode = UInt32(try fields.unsigned("mode", max: 0o777))
    uid = UInt32(try fields.unsigned("uid", max: 0xffff_fffe))
    gid = UInt32(try fields.unsigned("gid", max: 0xffff_fffe))
    content = try fields.bytes("content", max: 1 << 20)
    try fields.expectEnd()
  }
}

/// A folder of the host's that the guest mounts: untrusted while it runs, and only where the
/// manifest allows it.
public struct HostFolder: Sendable, Equatable {
  /// How many folders a host may share.
  public static let countMax = 16

  /// Absolute path at which the guest mounts it.
  public var path: String
  /// Whether the workload cannot write to it.
  public var isReadOnly: Bool

  /// A folder of these parts.
  public init(path: String, isReadOnly: Bool) {
    self.path = path
    self.isReadOnly = isReadOnly
  }

  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    path = try fields.cleanPath("path")
    isReadOnly = try fields.bool("readOnly")
    try fields.expectEnd()
  }
}

/// The network that the host gives the guest: untrusted, as any network is.
public struct HostNetwork: Sendable, Equatable {
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
  public struct Interface: Sendable, Equatable {
    /// The name that it gets, 1 to 15 bytes.
    public var name: String
    /// Its hardware address, 6 bytes.
    public var hardwareAddress: [UInt8]
    /// Its largest packet, 68 to 65,535 bytes.
    public var mtu: UInt32
    /// Addresses, each 4 or 16 bytes followed by the length of the prefix.
    public var addresses: [[UInt8]]

    /// An interface of these parts.
    public init(name: String, hardwareAddress: [UInt8], mtu: UInt32, addresses: [[UInt8]]) {
      self.name = name
      self.hardwareAddress = hardwareAddress
      self.mtu = mtu
      self.addresses = addresses
    }
  }

  /// A route.
  public struct Route: Sendable, Equatable {
    /// The interface's place in the list.
    public var interface: UInt32
    /// 4 or 16 bytes followed by the length of the prefix.
    public var destination: [UInt8]
    /// 4 or 16 bytes as the destination has, or none where it is on the link.
    public var gateway: [UInt8]

    /// A route of these parts.
    public init(interface: UInt32, destination: [UInt8], gateway: [UInt8]) {
      self.interface = interface
      self.destination = destination
      self.gateway = gateway
    }
  }

  /// A network of these parts.
  public init(interfaces: [Interface], routes: [Route]) {
    self.interfaces = interfaces
    self.routes = routes
  }

  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    interfaces = []
    routes = []
    for item in try fields.array("interfaces", max: Self.interfacesMax) {
      interfaces.append(try Interface(try FieldReader(item, path: fields.name("interfaces"))))
    }
    for item in try fields.array("routes", max: Self.routesMax) {
      let route = try Route(try FieldReader(item, path: fields.name("routes")))
      guard Int(route.interface) < interfaces.count else { throw fields.fault(.value, "routes") }
      routes.append(route)
    }
    try fields.expectEnd()
  }
}

extension HostNetwork.Interface {
  fileprivate init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    name = try fields.text("name", max: 15)
    guard !name.utf8.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "/") })
    else { throw fields.fault(.value, "name") }
    hardwareAddress = try fields.bytes("mac", max: 6)
    guard hardwareAddress.count == 6 else { throw fields.fault(.value, "mac") }
    mtu = UInt32(try fields.unsigned("mtu", max: 65_535))
    guard mtu >= 68 else { throw fields.fault(.value, "mtu") }
    addresses = []
    for item in try fields.array("addresses", max: 16) {
      guard case .bytes(let address) = item, isPrefixedAddress(address) else {
        throw fields.fault(.value, "addresses")
      }
      addresses.append(address)
    }
    try fields.expectEnd()
  }
}

extension HostNetwork.Route {
  fileprivate init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    interface = UInt32(try fields.unsigned("interface", max: 255))
    destination = try fields.bytes("destination", max: 17)
    gateway = try fields.bytes("gateway", max: 16)
    guard isPrefixedAddress(destination),
      gateway.isEmpty || gateway.count == destination.count - 1
    else { throw fields.fault(.value, "destination") }
    try fields.expectEnd()
  }
}

/// Whether `bytes` are an IPv4 or IPv6 address with the length of its prefix behind.
private func isPrefixedAddress(_ bytes: [UInt8]) -> Bool {
  bytes.count == 5 && bytes[4] <= 32 || bytes.count == 17 && bytes[16] <= 128
}
