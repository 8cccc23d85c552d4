// What hosts put together; a guest reads it alone, and is compiled without this file.

extension HostInput {
  /// Input that asks for what is named.
  public init(
    args: [String]? = nil, env: [String] = [], hostname: String? = nil,
    terminal: TerminalSize? = nil
  ) {
    self.args = args
    self.env = env
    self.hostname = hostname
    self.terminal = terminal
  }
}

extension HostInput.TerminalSize {
  /// A terminal of this size.
  public init(rows: UInt16, columns: UInt16) {
    self.rows = rows
    self.columns = columns
  }
}

extension HostFile {
  /// A file of these parts.
  public init(path: String, mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, content: [UInt8]) {
    self.path = path
    self.mode = mode
    self.uid = uid
    self.gid = gid
    self.content = content
  }
}

extension HostFolder {
  /// A folder of these parts.
  public init(path: String, isReadOnly: Bool) {
    self.path = path
    self.isReadOnly = isReadOnly
  }
}

extension HostNetwork {
  /// A network of these parts.
  public init(interfaces: [Interface], routes: [Route]) {
    self.interfaces = interfaces
    self.routes = routes
  }
}

extension HostNetwork.Interface {
  /// An interface of these parts.
  public init(name: String, hardwareAddress: [UInt8], mtu: UInt32, addresses: [[UInt8]]) {
    self.name = name
    self.hardwareAddress = hardwareAddress
    self.mtu = mtu
    self.addresses = addresses
  }
}

extension HostNetwork.Route {
  /// A route of these parts.
  public init(interface: UInt32, destination: [UInt8], gateway: [UInt8]) {
    self.interface = interface
    self.destination = destination
    self.gateway = gateway
  }
}

extension ExecutionRequest {
  /// A request of these parts.
  public init(process: WorkloadProcess, terminal: HostInput.TerminalSize?) {
    self.process = process
    self.terminal = terminal
  }
}
