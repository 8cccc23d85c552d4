import ArcaBytes

// What writes what a host asks for; a guest reads it alone, and is compiled without this file.

extension HostInput {
  /// The deterministic CBOR of the input.
  public func encoded() -> [UInt8] {
    var entries = [CBOR.Entry("env", .texts(env))]
    if let args { entries.append(CBOR.Entry("args", .texts(args))) }
    if let hostname { entries.append(CBOR.Entry("hostname", .text(hostname))) }
    if let terminal {
      entries.append(CBOR.Entry("terminal", terminal.cbor))
    }
    if !files.isEmpty { entries.append(CBOR.Entry("files", .array(files.map { $0.cbor }))) }
    if !folders.isEmpty { entries.append(CBOR.Entry("folders", .array(folders.map { $0.cbor }))) }
    if let network { entries.append(CBOR.Entry("network", network.cbor)) }
    return CBOR.map(entries).encoded()
  }
}

extension HostFile {
  var cbor: CBOR {
    .map([
      CBOR.Entry("path", .text(path)), CBOR.Entry("mode", .unsigned(UInt64(mode))),
      CBOR.Entry("uid", .unsigned(UInt64(uid))), CBOR.Entry("gid", .unsigned(UInt64(gid))),
      CBOR.Entry("content", .bytes(content)),
    ])
  }
}

extension HostFolder {
  var cbor: CBOR {
    .map([CBOR.Entry("path", .text(path)), CBOR.Entry("readOnly", .bool(isReadOnly))])
  }
}

extension HostNetwork {
  var cbor: CBOR {
    .map([
      CBOR.Entry("interfaces", .array(interfaces.map { $0.cbor })),
      CBOR.Entry("routes", .array(routes.map { $0.cbor })),
    ])
  }
}

extension HostNetwork.Interface {
  var cbor: CBOR {
    .map([
      CBOR.Entry("name", .text(name)), CBOR.Entry("mac", .bytes(hardwareAddress)),
      CBOR.Entry("mtu", .unsigned(UInt64(mtu))),
      CBOR.Entry("addresses", .array(addresses.map { .bytes($0) })),
    ])
  }
}

extension HostNetwork.Route {
  var cbor: CBOR {
    .map([
      CBOR.Entry("interface", .unsigned(UInt64(interface))),
      CBOR.Entry("destination", .bytes(destination)), CBOR.Entry("gateway", .bytes(gateway)),
    ])
  }
}

extension ExecutionRequest {
  /// The deterministic CBOR of the request.
  public func encoded() -> [UInt8] {
    var entries = [CBOR.Entry("process", process.cbor)]
    if let terminal { entries.append(CBOR.Entry("terminal", terminal.cbor)) }
    return CBOR.map(entries).encoded()
  }
}

extension HostInput.TerminalSize {
  var cbor: CBOR {
    .map([
      CBOR.Entry("rows", .unsigned(UInt64(rows))),
      CBOR.Entry("columns", .unsigned(UInt64(columns))),
    ])
  }
}
