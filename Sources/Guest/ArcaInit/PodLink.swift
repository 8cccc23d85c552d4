import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// The interface that links this TEE with the others of its pod; see ``Pod``.
///
/// What goes out to a port of 127.0.0.1 that another member serves takes an interface to it, the
/// link itself or, with keys, WireGuard over it. What comes in there reaches the ports of
/// 127.0.0.1 that this member serves, and answers to what went out, and nothing else.
struct PodLink {
  private static let loopback: [UInt8] = [127, 0, 0, 1]
  private static let local: UInt32 = 255
  /// Table and port of the member at place 0; the others' follow.
  private static let firstTable: UInt32 = 1000
  private static let firstPort = 51_820
  /// What the kernel calls it (linux/wireguard.h, Self.wireGuard).
  private static let wireGuard: Text = "wireguard"
  /// What WireGuard adds to a packet, at most.
  private static let overheadBytes: UInt32 = 80

  let index: UInt32
  let mtu: UInt32

  /// - Parameters:
  ///   - pod: The members.
  ///   - secret: What their keys are derived from, or nil where they speak in clear.
  /// - Throws: ``InitError``: `environment`, with the errno.
  func join(_ pod: Pod, secret: [UInt8]?) throws(InitError) {
    try step(.environment, "pod") { () throws(SystemError) in
      try Network.addAddress(index, Self.outer(pod.place) + [24])
      for place in pod.ports.indices where place != pod.place {
        try reach(place, of: pod, secret)
      }
      // All that begins here and was not sent to a member.
      try Self.setRule(2, table: Self.local, isOutgoing: true)
      for port in pod.ports[pod.place] {
        try Self.setRule(3, table: Self.local, to: Self.loopback + [32], port: port)
      }
      try Self.setRule(4, table: Self.local, to: Self.inner(pod.place) + [32])
      try Self.setRule(5, table: nil, to: Self.loopback + [8])
      try Self.setRule(6, table: Self.local)
      // The kernel's own first rule, by which local addresses come before all else.
      try Self.setRule(0, table: Self.local, RTM_DELRULE)
    }
  }

  /// The address that a member has for the others' 127.0.0.1.
  private static func inner(_ place: Int) -> [UInt8] { [127, 96, 0, UInt8(place + 1)] }

  /// A member's address on the link.
  private static func outer(_ place: Int) -> [UInt8] { [169, 254, 96, UInt8(place + 1)] }

  private static func port(_ place: Int) -> UInt16 { UInt16(firstPort + place) }

  private func reach(_ place: Int, of pod: Pod, _ secret: [UInt8]?) throws(SystemError) {
    let table = Self.firstTable + UInt32(place)
    var (member, gateway) = (index, Self.outer(place))
    if let secret { (member, gateway) = (try secured(place, pod.place, secret), []) }
    // Packets with addresses of 127.0.0.0/8 may go in and out.
    try Network.setLink(member) {
      $0.nest(IFLA_AF_SPEC) {
        $0.nest(Int(AF_INET)) {
          $0.nest(IFLA_INET_CONF) {
            $0.add(IPV4_DEVCONF_ROUTE_LOCALNET, UInt32(1))
            $0.add(IPV4_DEVCONF_ACCEPT_LOCAL, UInt32(1))
          }
        }
      }
    }
    try Network.addRoute(member, Self.inner(place) + [32], by: gateway, table: Self.local)
    try Network.addRoute(
      member, [0, 0, 0, 0, 0], by: gateway, table: table, source: Self.inner(pod.place))
    for port in pod.ports[place] {
      try Self.setRule(1, table: table, to: Self.loopback + [32], port: port, isOutgoing: true)
    }
  }

  /// Which table says where packets go (ip-rule(8)), lower priorities first; nil: nowhere.
  ///
  /// A destination is an address with its prefix, or empty for any; port 0 is any; outgoing packets
  /// are those that begin here.
  private static func setRule(
    _ priority: UInt32, table: UInt32?, _ type: Int = RTM_NEWRULE, to destination: [UInt8] = [],
    port: UInt16 = 0, isOutgoing: Bool = false
  ) throws(SystemError) {
    let action = table == nil ? FR_ACT_BLACKHOLE : FR_ACT_TO_TBL
    var message = Netlink(
      type, NLM_F_CREATE | NLM_F_ACK,
      [UInt8(AF_INET), destination.last ?? 0, 0, 0, 0, 0, 0, UInt8(action), 0, 0, 0, 0])
    message.add(FRA_PRIORITY, priority)
    if let table { message.add(FRA_TABLE, table) }
    if !destination.isEmpty { message.add(FRA_DST, Array(destination.dropLast())) }
    if isOutgoing { message.add(FRA_IIFNAME, "lo") }
    if port > 0 { message.add(FRA_DPORT_RANGE, port.littleEndianBytes + port.littleEndianBytes) }
    try message.send()
  }

  // MARK: - WireGuard

  /// Makes the interface to the member at `place`, encrypted and authenticated by both keys.
  private func secured(
    _ place: Int, _ own: Int, _ secret: [UInt8]
  ) throws(SystemError) -> UInt32 {
    let name = "\(HostNetwork.podLink)\(place)"
    try Network.setLink(0, flags: NLM_F_CREATE | NLM_F_EXCL) {
      $0.add(IFLA_IFNAME, name)
      $0.add(IFLA_MTU, mtu - Self.overheadBytes)
      $0.nest(IFLA_LINKINFO) { $0.add(IFLA_INFO_KIND, Self.wireGuard) }
    }
    let member = try Network.index(of: name)
    var control = Netlink(Int(GENL_ID_CTRL), 0, [UInt8(CTRL_CMD_GETFAMILY), 1, 0, 0])
    control.add(CTRL_ATTR_FAMILY_NAME, Self.wireGuard)
    let found = try Netlink.find(
      CTRL_ATTR_FAMILY_ID, in: try control.send(by: NETLINK_GENERIC))
    func request(_ command: Int, _ flags: Int32) -> Netlink {
      var message = Netlink(Int(found.littleEndian), flags, [UInt8(command), 1, 0, 0])
      message.add(number(WGDEVICE_A_IFINDEX), member)
      return message
    }
    var (theirKey, ownKey) = (try Self.key(place, secret), try Self.key(own, secret))
    defer {
      Crypto.wipe(&theirKey)
      Crypto.wipe(&ownKey)
    }
    // The kernel tells the public key of the private one that an interface has.
    var theirs = request(number(WG_CMD_SET_DEVICE), NLM_F_ACK)
    theirs.add(number(WGDEVICE_A_PRIVATE_KEY), theirKey)
    try theirs.send(by: NETLINK_GENERIC)
    var answer = try request(number(WG_CMD_GET_DEVICE), NLM_F_DUMP).send(by: NETLINK_GENERIC)
    defer { Crypto.wipe(&answer) }
    let peer = try Netlink.find(number(WGDEVICE_A_PUBLIC_KEY), in: answer)
    var ours = request(number(WG_CMD_SET_DEVICE), NLM_F_ACK)
    ours.add(number(WGDEVICE_A_PRIVATE_KEY), ownKey)
    ours.add(number(WGDEVICE_A_LISTEN_PORT), Self.port(place))
    ours.nest(number(WGDEVICE_A_PEERS)) {
      $0.nest(0) {
        $0.add(number(WGPEER_A_PUBLIC_KEY), peer)
        $0.add(
          number(WGPEER_A_ENDPOINT), System.address(Self.outer(place), Self.port(own)))
        // All that comes from this peer, since nothing but its packets takes this interface.
        $0.nest(number(WGPEER_A_ALLOWEDIPS)) {
          $0.nest(0) {
            $0.add(number(WGALLOWEDIP_A_FAMILY), UInt16(AF_INET))
            $0.add(number(WGALLOWEDIP_A_IPADDR), [0, 0, 0, 0])
            $0.add(number(WGALLOWEDIP_A_CIDR_MASK), UInt8(0))
          }
        }
      }
    }
    try ours.send(by: NETLINK_GENERIC)
    return member
  }

  /// A member's private key: 32 bytes of SHA-384 over its place and the secret.
  private static func key(_ place: Int, _ secret: [UInt8]) throws(SystemError) -> [UInt8] {
    var input = [UInt8](ascii: "arca pod ") + [UInt8(place)] + secret
    defer { Crypto.wipe(&input) }
    guard var digest = Crypto.sha384(input) else { throw SystemError(errno: EIO) }
    defer { Crypto.wipe(&digest) }
    return Array(digest.prefix(32))
  }
}
