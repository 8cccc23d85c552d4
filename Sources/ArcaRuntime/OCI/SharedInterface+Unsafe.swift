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

  // Priorities of filters; the kernel asks the lowest first.
  private static let copies: Int32 = 100
  private static let rest: Int32 = 200

  /// ETH_P_ALL.
  private static let any: UInt16 = 0x0003

  /// Connects `tap` to the interface `wire`, to which `others` may be connected already.
  static func connect(_ tap: Tap, wire: Int32, others: [Tap]) throws(RuntimeError) {
    for index in [wire, tap.index] {
      try EngineNetwork.check(arca_ingress_open(index), "filters of \(tap.name.text)")
    }
    try add(on: tap.index, rest, any, [], to: wire)
    if tap.name.place == 0 {
      try add(on: wire, rest, any, [], to: tap.index)
    } else {
      try add(on: wire, copies + Int32(tap.name.place), any, [], to: tap.index, goesOn: true)
    }
    if !others.isEmpty { for shared in others + [tap] { try quieten(shared.index) } }
  }

  /// Removes what a TEE that has gone left.
  static func forget(_ tap: Tap, wires: [Int32]) throws(RuntimeError) {
    let priority = tap.name.place == 0 ? rest : copies + Int32(tap.name.place)
    for wire in wires {
      try EngineNetwork.check(arca_ingress_open(wire), "filters")
      try EngineNetwork.check(
        arca_filter_remove(wire, priority), "filters for \(tap.name.text)")
    }
    try EngineNetwork.check(arca_link_remove(tap.index), tap.name.text)
  }

  /// Keeps from the wire what a kernel says where nobody listens: for TCP a reset that answers a
  /// packet of no connection (RFC 9293, section 3.10.7.1), for UDP an ICMP error of a port.
  private static func quieten(_ tap: Int32) throws(RuntimeError) {
    for version in [IPVersion.four, .six] {
      try EngineNetwork.check(arca_filter_remove(tap, version.priority), "filters")
      let (sequence, flags) = (version.headerBytes + 4, version.headerBytes + 12)
      let silenced = [
        // To a segment with an acknowledgement: RST alone.
        version.tcp + [match(flags, 0x0004_0000, 0x0014_0000)],
        // To any other: RST and ACK, of sequence number 0.
        version.tcp + [match(flags, 0x0014_0000, 0x0014_0000), match(sequence, 0, .max)],
        version.icmp + [match(version.headerBytes, version.portUnreachable, 0xffff_0000)],
      ]
      for matches in silenced {
        try add(on: tap, version.priority, version.ethernetProtocol, matches)
      }
    }
  }

  /// Where packets of a version of IP have what filters look at; with options they are let through.
  private struct IPVersion {
    static let four = IPVersion(
      priority: 10, ethernetProtocol: 0x0800, headerBytes: 20,
      tcp: [match(0, 0x4500_0000, 0xff00_0000), match(8, 0x0006_0000, 0x00ff_0000)],
      icmp: [match(0, 0x4500_0000, 0xff00_0000), match(8, 0x0001_0000, 0x00ff_0000)],
      portUnreachable: 0x0303_0000)
    static let six = IPVersion(
      priority: 11, ethernetProtocol: 0x86dd, headerBytes: 40,
      tcp: [match(4, 0x0000_0600, 0x0000_ff00)], icmp: [match(4, 0x0000_3a00, 0x0000_ff00)],
      portUnreachable: 0x0104_0000)

    let priority: Int32
    let ethernetProtocol: UInt16
    let headerBytes: Int32
    let tcp: [arca_match]
    let icmp: [arca_match]
    let portUnreachable: UInt32
  }

  private static func match(_ offset: Int32, _ value: UInt32, _ mask: UInt32) -> arca_match {
    arca_match(offset: offset, value: value, mask: mask)
  }

  private static func add(
    on index: Int32, _ priority: Int32, _ ethernetProtocol: UInt16, _ matches: [arca_match],
    to target: Int32 = 0, goesOn: Bool = false
  ) throws(RuntimeError) {
    // SAFETY: the call reads `count` matches of the array, which lives through it.
    let result = unsafe arca_filter_add(
      index, priority, ethernetProtocol, matches, Int32(matches.count), target, goesOn ? 1 : 0)
    try EngineNetwork.check(result, "filter \(priority)")
  }
}
