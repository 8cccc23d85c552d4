import ArcaManifest
import ArcaWire
import CArcaGuest

/// Takes over the interfaces that the host gives; what comes over them is untrusted.
enum Network {
  static func takeOver(_ network: HostNetwork) throws(InitError) {
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
      }
    }
    for route in network.routes {
      try step(.environment, "network: route") { () throws(SystemError) in
        let count = route.destination.count - 1
        let (index, prefix) = (indexes[Int(route.interface)], UInt32(route.destination[count]))
        // SAFETY: the call reads `count` bytes of either address, which live through it.
        if route.gateway.isEmpty {
          _ = try System.check(unsafe arca_route_add(index, route.destination, count, prefix, nil))
        } else {
          _ = try System.check(
            unsafe arca_route_add(index, route.destination, count, prefix, route.gateway))
        }
      }
    }
  }
}
