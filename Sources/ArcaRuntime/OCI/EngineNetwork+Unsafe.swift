import ArcaManifest
import ArcaTEE
import CArcaHost
import Glibc

/// The interfaces of the network namespace that an engine made, connected to taps for the guest.
///
/// Whatever comes in at an interface goes out at its tap, and the other way round, so that the
/// guest stands at the end of the wire with the interface's own addresses and routes. Where several
/// TEEs share the namespace, as in a pod, each gets all that comes in; see ``SharedInterface``.
struct EngineNetwork {
  /// One tap for each interface.
  private(set) var taps: [String] = []
  /// The hardware addresses of the interfaces, as text.
  private(set) var hardwareAddresses: [String] = []
  /// What the guest is to be told.
  private(set) var host = HostNetwork(interfaces: [], routes: [])

  private static let linksMax = 64
  private static let addressesMax = 128
  private static let routesMax = 512

  /// Joins the namespace of the launcher's process, for good, and connects its interfaces.
  ///
  /// - Parameters:
  ///   - launcher: The process.
  ///   - callsBroker: Whether the launcher connects to a key broker, in this namespace.
  ///   - joinsPod: Whether the guest is linked to those of its pod, too.
  /// - Returns: what the guest is given.
  /// - Throws: ``RuntimeError``: `state` where the kernel refuses, `unsupported` above the bounds.
  static func join(
    launcher: Int32, callsBroker: Bool, joinsPod: Bool
  ) throws(RuntimeError) -> EngineNetwork {
    let lock = try enter("/proc/\(launcher)/ns/net")
    defer { close(lock) }
    let (wires, others) = try links()
    var addresses = [arca_address](repeating: arca_address(), count: addressesMax)
    var routes = [arca_route](repeating: arca_route(), count: routesMax)
    // SAFETY: each call writes at most as many items as its array has.
    let addressCount = try unsafe check(
      arca_addresses(&addresses, Int32(addressesMax)), "addresses")
    let routeCount = try unsafe check(arca_routes(&routes, Int32(routesMax)), "routes")
    let shared = others.filter { !$0.name.isPodLink }
    let taken = others.map(\.name.place)
    guard let place = TapName.places.first(where: { !taken.contains($0) }) else {
      throw RuntimeError(
        .unsupported,
        "network: \(TapName.places.count) TEEs share this namespace already, the most there can be")
    }
    var network = EngineNetwork()
    for link in wires {
      let tap = TapName(place: place, interface: network.taps.count, launcher: launcher)
      try network.connect(
        link, tap, shared, addresses.prefix(addressCount).filter { $0.index == link.index },
        routes.prefix(routeCount).filter { $0.index == link.index })
      if callsBroker { try SharedInterface.admitLaunchers(link.index) }
    }
    if callsBroker { try network.choosePorts() }
    if joinsPod { try network.linkPod(TapName(podLinkAt: place, launcher: launcher)) }
    return network
  }

  /// Gives the guest an interface on a bridge of Arca's own, which those of its pod share.
  private mutating func linkPod(_ name: TapName) throws(RuntimeError) {
    // SAFETY: the string lives through the call.
    let tap = try Self.check(unsafe arca_tap_make(name.text, Self.podLinkMTU), name.text)
    // SAFETY: likewise.
    try Self.check(
      unsafe arca_bridge_attach(HostNetwork.podLink, Int32(tap)),
      "the pod's bridge, which needs the kernel's module bridge")
    // Locally administered, and of its place in the pod.
    let address: [UInt8] = [0x02, 0x61, 0x72, 0x63, 0x61, UInt8(name.place)]
    taps.append(name.text)
    hardwareAddresses.append(Self.text(hardware: address))
    host.interfaces.append(
      HostNetwork.Interface(
        name: HostNetwork.podLink, hardwareAddress: address, mtu: Self.podLinkMTU, addresses: []))
  }

  private static let podLinkMTU: UInt32 = 9000

  private static func text(hardware address: [UInt8]) -> String {
    address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  /// Removes what TEEs that have gone left in the namespace at `path`, which the caller then is in.
  static func tidy(_ path: String) throws(RuntimeError) {
    let lock = try enter(path)
    defer { close(lock) }
    _ = try links()
  }

  /// Enters a namespace, and locks it: containers of one pod are made at the same time.
  private static func enter(_ path: String) throws(RuntimeError) -> Int32 {
    let namespace: Int32
    do {
      namespace = try System.open(path, O_RDONLY)
    } catch {
      throw RuntimeError(error)
    }
    do throws(RuntimeError) {
      try check(arca_lock(namespace, 1), "lock of \(path)")
      try check(arca_network_enter(namespace), path)
    } catch {
      close(namespace)
      throw error
    }
    return namespace
  }

  /// The interfaces that are there for guests, and the taps of those that live; others are removed.
  private static func links() throws(RuntimeError) -> ([arca_link], [SharedInterface.Tap]) {
    var links = [arca_link](repeating: arca_link(), count: linksMax)
    // SAFETY: the call writes at most as many items as the array has.
    let count = try unsafe check(arca_links(&links, Int32(linksMax)), "interfaces")
    let usable = links.prefix(count).filter { $0.is_ethernet != 0 && $0.is_up != 0 }
    let wires = usable.filter { TapName(text($0)) == nil && text($0) != HostNetwork.podLink }
    var taps: [SharedInterface.Tap] = []
    for link in usable {
      guard let name = TapName(text(link)) else { continue }
      let tap = SharedInterface.Tap(name: name, index: link.index)
      if name.isInUse {
        taps.append(tap)
      } else {
        try SharedInterface.forget(tap, wires: wires.map(\.index))
      }
    }
    if !taps.contains(where: \.name.isPodLink),
      let bridge = usable.first(where: { text($0) == HostNetwork.podLink })
    {
      try check(arca_link_remove(bridge.index), HostNetwork.podLink)
    }
    return (wires, taps)
  }

  /// Has this namespace's own kernel, and so the launcher, connect from ports that no guest uses.
  private func choosePorts() throws(RuntimeError) {
    let (path, ports) = ("/proc/sys/net/ipv4/ip_local_port_range", SharedInterface.launcherPorts)
    do {
      let file = try System.open(path, O_WRONLY)
      defer { close(file) }
      try System.writeAll(file, Array("\(ports.lowerBound) \(ports.upperBound)".utf8))
    } catch {
      throw RuntimeError(error)
    }
  }

  private mutating func connect(
    _ link: arca_link, _ name: TapName, _ others: [SharedInterface.Tap],
    _ addresses: [arca_address], _ routes: [arca_route]
  ) throws(RuntimeError) {
    // One place is the pod's link's.
    let interfacesMax = HostNetwork.interfacesMax - 1
    guard taps.count < interfacesMax else {
      throw RuntimeError(
        .unsupported, "network: more than \(interfacesMax) interfaces")
    }
    // SAFETY: the string lives through the call.
    let index = try Self.check(
      unsafe arca_tap_make(name.text, link.mtu), "\(name.text) for \(Self.text(link))")
    try SharedInterface.connect(
      SharedInterface.Tap(name: name, index: Int32(index)), wire: link.index, others: others)
    let hardware = Self.bytes(of: link.mac).prefix(6)
    taps.append(name.text)
    hardwareAddresses.append(Self.text(hardware: Array(hardware)))
    let place = UInt32(host.interfaces.count)
    host.interfaces.append(
      HostNetwork.Interface(
        name: Self.text(link), hardwareAddress: Array(hardware), mtu: link.mtu,
        // The guest makes the link-local one itself.
        addresses: addresses.filter { !($0.is_link_local != 0 && $0.bytes_count == 16) }.prefix(16)
          .map { Array(Self.bytes(of: $0.bytes).prefix(Int($0.bytes_count))) + [$0.prefix] }))
    // Gateways must be reachable before routes through them are set.
    for route in routes.sorted(by: { $0.has_gateway < $1.has_gateway })
    where host.routes.count < HostNetwork.routesMax {
      let count = Int(route.bytes_count)
      host.routes.append(
        HostNetwork.Route(
          interface: place,
          destination: Array(Self.bytes(of: route.destination).prefix(count)) + [route.prefix],
          gateway: route.has_gateway == 0
            ? [] : Array(Self.bytes(of: route.gateway).prefix(count))))
    }
  }

  @discardableResult
  static func check(_ result: Int32, _ what: String) throws(RuntimeError) -> Int {
    guard result >= 0 else {
      throw RuntimeError(.state, "network: \(what): \(systemReason(-result))")
    }
    return Int(result)
  }

  private static func text(_ link: arca_link) -> String {
    String(decoding: bytes(of: link.name).prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func bytes<Tuple>(of tuple: Tuple) -> [UInt8] {
    // SAFETY: a tuple of bytes is as long as its type, without padding.
    unsafe withUnsafeBytes(of: tuple) { unsafe Array($0) }
  }
}
