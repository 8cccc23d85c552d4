import CArcaHost

/// How the taps of one or several TEEs hang on an interface of the namespace that they share.
///
/// All of them have the interface's addresses, as the containers of a pod do. Filters on the
/// interface give each TEE everything that comes in, and a guest in which nobody listens on a port
/// is kept from saying so, since another one may. The kernel does all of it, and no port has to be
/// declared.
enum SharedInterface {
  /// A TEE's end of the wire.
  struct Tap {
    let name: TapName
    let index: Int32
  }

  // Priorities of filters; the kernel asks the lowest first. Each IP version has one of its own.
  private static let silence: Int32 = 10
  private static let launchers: Int32 = 20
  private static let copies: Int32 = 100
  private static let neighbors: Int32 = 150
  private static let rest: Int32 = 200

  /// The ports from which launchers connect; guests use others unless a workload picks one of them.
  static let launcherPorts: ClosedRange<UInt16> = 0xf000...0xf0ff

  /// ETH_P_ALL.
  private static let any: UInt16 = 0x0003
  /// ETH_P_ARP.
  private static let addressResolution: UInt16 = 0x0806

  /// Connects `tap` to the interface `wire`, to which `others` may be connected already.
  static func connect(_ tap: Tap, wire: Int32, others: [Tap]) throws(RuntimeError) {
    for index in [wire, tap.index] {
      try EngineNetwork.check(arca_ingress_open(index), "filters of \(tap.name.text)")
    }
    try add(on: tap.index, rest, any, [], to: wire)
    if tap.name.place == 0 {
      try shareNeighbors(wire, tap)
      try add(on: wire, rest, any, [], to: tap.index)
    } else {
      try add(on: wire, copies + Int32(tap.name.place), any, [], to: tap.index, .goesOn)
    }
    if !others.isEmpty { for shared in others + [tap] { try quieten(shared.index) } }
  }

  /// Leaves to the namespace's own kernel what answers a launcher's connection to its key broker.
  static func admitLaunchers(_ wire: Int32) throws(RuntimeError) {
    let first = UInt32(launcherPorts.lowerBound)
    for version in [IPVersion.four, .six] {
      let priority = launchers + version.place
      try EngineNetwork.check(arca_filter_remove(wire, priority), "filters")
      for transport in [version.tcp, version.udp] {
        try add(
          on: wire, priority, version.ethernetProtocol,
          transport + [match(version.headerBytes, first, ~UInt32(launcherPorts.count - 1) & 0xffff)]
        )
      }
    }
  }

  /// Lets the namespace's own kernel hear of its neighbours as well: it has the same addresses, of
  /// the protocols and of the hardware, so that its answers are the guest's.
  private static func shareNeighbors(_ wire: Int32, _ tap: Tap) throws(RuntimeError) {
    try add(on: wire, neighbors, addressResolution, [], to: tap.index, .passes)
    // Neighbor Solicitation and Advertisement (RFC 4861, section 4).
    for type: UInt32 in [135, 136] {
      try add(
        on: wire, neighbors + 1, IPVersion.six.ethernetProtocol,
        IPVersion.six.icmp + [match(IPVersion.six.headerBytes, type << 24, 0xff00_0000)],
        to: tap.index, .passes)
    }
  }

  /// Removes what a TEE that has gone left.
  static func forget(_ tap: Tap, wires: [Int32]) throws(RuntimeError) {
    let priorities =
      tap.name.place == 0 ? [neighbors, neighbors + 1, rest] : [copies + Int32(tap.name.place)]
    for wire in wires where !tap.name.isPodLink {
      try EngineNetwork.check(arca_ingress_open(wire), "filters")
      for priority in priorities {
        try EngineNetwork.check(
          arca_filter_remove(wire, priority), "filters for \(tap.name.text)")
      }
    }
    try EngineNetwork.check(arca_link_remove(tap.index), tap.name.text)
  }

  /// Keeps from the wire what a kernel says where nobody listens: for TCP a reset that answers a
  /// packet of no connection (RFC 9293, section 3.10.7.1), for UDP an ICMP error of a port.
  private static func quieten(_ tap: Int32) throws(RuntimeError) {
    for version in [IPVersion.four, .six] {
      let priority = silence + version.place
      try EngineNetwork.check(arca_filter_remove(tap, priority), "filters")
      let (sequence, flags) = (version.headerBytes + 4, version.headerBytes + 12)
      let silenced = [
        // To a segment with an acknowledgement: RST alone.
        version.tcp + [match(flags, 0x0004_0000, 0x0014_0000)],
        // To any other: RST and ACK, of sequence number 0.
        version.tcp + [match(flags, 0x0014_0000, 0x0014_0000), match(sequence, 0, .max)],
        version.icmp + [match(version.headerBytes, version.portUnreachable, 0xffff_0000)],
      ]
      for matches in silenced {
        try add(on: tap, priority, version.ethernetProtocol, matches)
      }
    }
  }

  /// Where packets of a version of IP have what filters look at; with options they are let through.
  private struct IPVersion {
    static let four = IPVersion(
      place: 0, ethernetProtocol: 0x0800, headerBytes: 20,
      tcp: [match(0, 0x4500_0000, 0xff00_0000), match(8, 0x0006_0000, 0x00ff_0000)],
      udp: [match(0, 0x4500_0000, 0xff00_0000), match(8, 0x0011_0000, 0x00ff_0000)],
      icmp: [match(0, 0x4500_0000, 0xff00_0000), match(8, 0x0001_0000, 0x00ff_0000)],
      portUnreachable: 0x0303_0000)
    static let six = IPVersion(
      place: 1, ethernetProtocol: 0x86dd, headerBytes: 40,
      tcp: [match(4, 0x0000_0600, 0x0000_ff00)], udp: [match(4, 0x0000_1100, 0x0000_ff00)],
      icmp: [match(4, 0x0000_3a00, 0x0000_ff00)],
      portUnreachable: 0x0104_0000)

    let place: Int32
    let ethernetProtocol: UInt16
    let headerBytes: Int32
    let tcp: [arca_match]
    let udp: [arca_match]
    let icmp: [arca_match]
    let portUnreachable: UInt32
  }

  /// What becomes of a packet once its copy has gone to a filter's target.
  private enum Fate: Int32 {
    /// Nothing: the target has the packet itself.
    case taken = 0
    /// The next filter is asked.
    case goesOn = 1
    /// The namespace's own kernel has it.
    case passes = 2
  }

  private static func match(_ offset: Int32, _ value: UInt32, _ mask: UInt32) -> arca_match {
    arca_match(offset: offset, value: value, mask: mask)
  }

  private static func add(
    on index: Int32, _ priority: Int32, _ ethernetProtocol: UInt16, _ matches: [arca_match],
    to target: Int32 = 0, _ fate: Fate = .taken
  ) throws(RuntimeError) {
    // SAFETY: the call reads `count` matches of the array, which lives through it.
    let result = unsafe arca_filter_add(
      index, priority, ethernetProtocol, matches, Int32(matches.count), target, fate.rawValue)
    try EngineNetwork.check(result, "filter \(priority)")
  }
}
