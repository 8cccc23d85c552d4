import ArcaManifest
import ArcaWire
import CArcaGuest

/// Takes over the interfaces that the host gives; what comes over them is untrusted.
enum Network {
  /// - Returns: The link of the pod, where the host gives one.
  static func takeOver(_ network: HostNetwork) throws(InitError) -> PodLink? {
    var link: PodLink?
    var indexes: [Int32] = []
    for interface in network.interfaces {
      try step(.environment, "network: " + interface.name) { () throws(SystemError) in
        // SAFETY: the address and the C string live through the call.
        let index = try System.check(
          unsafe arca_interface_up(interface.hardwareAddress, interface.name, interface.mtu))
        for address in interface.addresses {
          // SAFETY: the call reads the bytes of the address alone, which live through it.
          _ = try System.check(
            unsafe arca_address_add(
              index, address, address.count - 1, UInt32(address[address.count - 1])))
        }
        indexes.append(index)
        if same(interface.name.utf8, HostNetwork.podLink.utf8) {
          link = PodLink(index: index, mtu: interface.mtu)
        }
      }
    }
    for route in network.routes {
      try step(.environment, "network: route") { () throws(SystemError) in
        let count = route.destination.count - 1
        let (index, prefix) = (indexes[Int(route.interface)], UInt32(route.destination[count]))
        try addRoute(
          index, table: UInt32(ARCA_TABLE_MAIN), route.destination, count, prefix,
          gateway: route.gateway.isEmpty ? nil : route.gateway)
      }
    }
    return link
  }
  static func addRoute(
    _ index: Int32, table: UInt32, _ destination: [UInt8], _ count: Int, _ prefix: UInt32,
    gateway: [UInt8]?, source: [UInt8]? = nil
  ) throws(SystemError) {
    // SAFETY: the call reads `count` bytes of each address, which live through it.
    _ = try System.check(
      unsafe arca_route_add(index, table, destination, count, prefix, gateway, source))
  }
}

/// The interface that links this TEE with the others of its pod; see ``Pod``.
///
/// What goes out to a port of 127.0.0.1 that another member serves takes an interface to it, the
/// link itself or, with keys, WireGuard over it. What comes in there reaches the ports of
/// 127.0.0.1 that this member serves, and answers to what went out, and nothing else.
struct PodLink {
  private static let loopback: [UInt8] = [127, 0, 0, 1]
  private static let local = UInt32(ARCA_TABLE_LOCAL)
  /// Table and port of the member at place 0; the others' follow.
  private static let firstTable: UInt32 = 1000
  private static let firstPort = 51_820
  /// What WireGuard adds to a packet, at most.
  private static let overheadBytes: UInt32 = 80

  let index: Int32
  let mtu: UInt32

  /// - Parameters:
  ///   - pod: The members.
  ///   - secret: What their keys are derived from, or nil where they speak in clear.
  /// - Throws: ``InitError``: `environment`, with the errno.
  func join(_ pod: Pod, secret: [UInt8]?) throws(InitError) {
    try step(.environment, "pod") { () throws(SystemError) in
      // SAFETY: the call reads 4 bytes of the address, which lives through it.
      _ = try System.check(unsafe arca_address_add(index, Self.outer(pod.place), 4, 24))
      for place in pod.ports.indices where place != pod.place {
        let member = try secret.map { (secret) throws(SystemError) in
          try secured(place, pod.place, secret)
        }
        try reach(place, by: member ?? index, gateway: member == nil ? Self.outer(place) : nil, pod)
      }
      // All that begins here and was not sent to a member.
      try addRule(2, Self.local, isOutgoing: true)
      for port in pod.ports[pod.place] { try addRule(3, Self.local, Self.loopback, 32, port) }
      try addRule(4, Self.local, Self.inner(pod.place), 32)
      try addRule(5, 0, Self.loopback, 8)
      try addRule(6, Self.local)
      _ = try System.check(arca_rule_remove_first())
    }
  }

  /// The address that a member has for the others' 127.0.0.1.
  private static func inner(_ place: Int) -> [UInt8] { [127, 96, 0, UInt8(place + 1)] }

  /// A member's address on the link.
  private static func outer(_ place: Int) -> [UInt8] { [169, 254, 96, UInt8(place + 1)] }

  private func reach(
    _ place: Int, by member: Int32, gateway: [UInt8]?, _ pod: Pod
  ) throws(SystemError) {
    let table = Self.firstTable + UInt32(place)
    _ = try System.check(arca_interface_admit_loopback(member))
    try Network.addRoute(
      member, table: Self.local, Self.inner(place), 4, 32, gateway: gateway)
    try Network.addRoute(
      member, table: table, Self.loopback, 4, 0, gateway: gateway, source: Self.inner(pod.place))
    for port in pod.ports[place] {
      try addRule(1, table, isOutgoing: true, Self.loopback, 32, port)
    }
  }

  private func addRule(
    _ priority: UInt32, _ table: UInt32, isOutgoing: Bool = false, _ destination: [UInt8] = [],
    _ prefix: UInt32 = 0, _ port: UInt16 = 0
  ) throws(SystemError) {
    // SAFETY: with a prefix the call reads 4 bytes of the destination, which lives through it.
    _ = try System.check(
      unsafe arca_rule_add(priority, table, isOutgoing ? 1 : 0, destination, prefix, port))
  }

  /// Makes the interface to the member at `place`, encrypted and authenticated by both keys.
  private func secured(
    _ place: Int, _ own: Int, _ secret: [UInt8]
  ) throws(SystemError) -> Int32 {
    var (theirKey, ownKey) = (try Self.key(place, secret), try Self.key(own, secret))
    defer {
      Crypto.wipe(&theirKey)
      Crypto.wipe(&ownKey)
    }
    var publicKey = [UInt8](repeating: 0, count: 32)
    // SAFETY: keys have 32 bytes and the address 4, and all of them live through the calls.
    let member = try System.check(
      unsafe arca_wireguard_make("\(HostNetwork.podLink)\(place)", mtu - Self.overheadBytes))
    _ = try System.check(unsafe arca_wireguard_public_key(member, theirKey, &publicKey))
    _ = try System.check(
      unsafe arca_wireguard_set(
        member, UInt16(Self.firstPort + place), ownKey, publicKey, Self.outer(place),
        UInt16(Self.firstPort + own)))
    return member
  }

  /// A member's private key: 32 bytes of SHA-384 over its place and the secret.
  private static func key(_ place: Int, _ secret: [UInt8]) throws(SystemError) -> [UInt8] {
    var input = Array("arca pod ".utf8) + [UInt8(place)] + secret
    defer { Crypto.wipe(&input) }
    guard var digest = Crypto.sha384(input) else { throw SystemError(errno: SystemError.io) }
    defer { Crypto.wipe(&digest) }
    return Array(digest.prefix(32))
  }
}
