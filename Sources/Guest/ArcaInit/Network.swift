import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Takes over the interfaces that the host gives; what comes over them is untrusted.
enum Network {
  private static let folder = "/sys/class/net"

  /// - Returns: The link of the pod, where the host gives one.
  static func takeOver(_ network: HostNetwork) throws(InitError) -> PodLink? {
    var link: PodLink?
    var indexes: [UInt32] = []
    for interface in network.interfaces {
      let index = try attempt(.environment, "network: \(interface.name)", takeOver(interface))
      indexes.append(index)
      if interface.name.utf8.elementsEqual(HostNetwork.podLink.utf8) {
        link = PodLink(index: index, mtu: interface.mtu)
      }
    }
    for route in network.routes {
      try attempt(
        .environment, "network: route",
        addRoute(indexes[Int(route.interface)], route.destination, by: route.gateway))
    }
    return link
  }

  /// Names the interface with the hardware address, brings it up, and returns its index.
  private static func takeOver(_ interface: HostNetwork.Interface) throws(SystemError) -> UInt32 {
    let found = try File.find(in: folder, by: "address") { text in
      let digits = text.filter { Digits.value($0) != nil }
      return Hex.decode("\(digits)") == interface.hardwareAddress
    }
    // The loopback interface's address is zero, which a host may name too.
    guard let found, !found.utf8.elementsEqual(ascii: "lo") else {
      throw SystemError(errno: ENODEV)
    }
    let index = try index(of: found)
    try setLink(index) {
      $0.add(IFLA_MTU, interface.mtu)
      $0.add(IFLA_IFNAME, interface.name)
    }
    for address in interface.addresses { try addAddress(index, address) }
    return index
  }

  static func index(of interface: Text) throws(SystemError) -> UInt32 {
    let text = try File.read("\(folder)/\(interface)/ifindex", bytesMax: 16)
    return UInt32(Digits.number(text.filter { $0 > 0x20 }, digitsMax: 9) ?? 0)
  }

  /// Brings an interface up, with what else `attributes` adds; 0 is one that they name.
  static func setLink(
    _ index: UInt32, flags: Int32 = 0, _ attributes: (inout Netlink) -> Void = { _ in }
  ) throws(SystemError) {
    let up = UInt32(IFF_UP).littleEndianBytes
    var message = Netlink(
      RTM_NEWLINK, flags | NLM_F_ACK, [0, 0, 0, 0] + index.littleEndianBytes + up + up)
    attributes(&message)
    try message.send()
  }

  /// Adds an address of 4 or 16 bytes, behind which stands the length of its prefix.
  static func addAddress(_ index: UInt32, _ prefixed: [UInt8]) throws(SystemError) {
    let address = Array(prefixed.dropLast())
    var message = Netlink(
      RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK,
      [family(address), prefixed[address.count], UInt8(IFA_F_NODAD), 0] + index.littleEndianBytes)
    message.add(IFA_LOCAL, address)
    message.add(IFA_ADDRESS, address)
    try message.send()
  }

  /// Adds a route to an address with its prefix, by a gateway where that is not empty.
  static func addRoute(
    _ index: UInt32, _ prefixed: [UInt8], by gateway: [UInt8], table: UInt32 = 254,
    source: [UInt8] = []
  ) throws(SystemError) {
    let destination = Array(prefixed.dropLast())
    let scope = gateway.isEmpty ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
    var message = Netlink(
      RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK,
      [
        family(destination), prefixed[destination.count], 0, 0, 0, UInt8(RTPROT_BOOT),
        UInt8(number(scope)), UInt8(RTN_UNICAST), 0, 0, 0, 0,
      ])
    message.add(number(RTA_TABLE), table)
    message.add(number(RTA_OIF), index)
    for (type, address) in [(RTA_DST, destination), (RTA_GATEWAY, gateway), (RTA_PREFSRC, source)]
    where !address.isEmpty { message.add(number(type), address) }
    try message.send()
  }

  private static func family(_ address: [UInt8]) -> UInt8 {
    UInt8(address.count == 4 ? AF_INET : AF_INET6)
  }
}
