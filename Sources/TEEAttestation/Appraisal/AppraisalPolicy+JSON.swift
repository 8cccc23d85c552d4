import ArcaBytes

extension AppraisalPolicy {
  /// Reads a policy, of which every member must be there; one that does not matter says `"any"`.
  ///
  /// ```json
  /// {
  ///   "identifier": "production", "tee": ["snp"], "platform": ["<hex>"], "workload": ["<hex>"],
  ///   "report_data": "any", "signer": "any", "vmpl": [0], "chip_id": "any", "migratable": [false],
  ///   "minimum_tcb": {"snp": 24}, "accepted_statuses": ["UpToDate"], "advisories": "any",
  ///   "dangerously_accept_debug": false, "dangerously_accept_simulated_evidence": false,
  ///   "dangerously_accept_missing_revocation_lists": false
  /// }
  /// ```
  ///
  /// `"fields": {"author_key_digest": ["<hex>"]}` may be added and demands more of single fields.
  ///
  /// A TDX reference value names its registers, each `"any"` or a list:
  /// `{"measurement": "<hex>", "runtime_registers": [["<hex>"], ["<hex>"], ["<hex>"], "any"]}`.
  public init(_ value: JSONValue) throws(AttestationError) {
    var members = try PolicyMembers(value)
    try self.init(
      identifier: members.take("identifier", PolicyMembers.string),
      tee: members.take("tee") { (value) throws(AttestationError) in
        try PolicyMembers.expectation(value, PolicyMembers.tee)
      },
      platform: members.take("platform") { (value) throws(AttestationError) in
        try PolicyMembers.expectation(value, PolicyMembers.platform)
      },
      workload: members.take("workload", PolicyMembers.digests),
      reportData: members.take("report_data", PolicyMembers.digests),
      signer: members.take("signer", PolicyMembers.digests),
      vmpl: members.take("vmpl") { (value) throws(AttestationError) in
        try PolicyMembers.expectation(value, PolicyMembers.number)
      },
      chipID: members.take("chip_id", PolicyMembers.digests),
      migratable: members.take("migratable") { (value) throws(AttestationError) in
        try PolicyMembers.expectation(value, PolicyMembers.bool)
      },
      minimumTCB: members.take("minimum_tcb", PolicyMembers.components),
      fields: members.holds("fields") ? members.take("fields", PolicyMembers.demands) : [],
      acceptedStatuses: members.take("accepted_statuses") { (value) throws(AttestationError) in
        try PolicyMembers.list(value, PolicyMembers.status)
      },
      advisories: members.take("advisories") { (value) throws(AttestationError) in
        try PolicyMembers.expectation(value, PolicyMembers.string)
      },
      dangerouslyAcceptDebug: members.take("dangerously_accept_debug", PolicyMembers.bool),
      dangerouslyAcceptSimulatedEvidence: members.take(
        "dangerously_accept_simulated_evidence", PolicyMembers.bool),
      dangerouslyAcceptMissingRevocationLists: members.take(
        "dangerously_accept_missing_revocation_lists", PolicyMembers.bool))
    try members.expectEmpty()
  }
}

/// Takes a policy's members one by one, so that what is left over is a member nobody knows.
private struct PolicyMembers {
  private var rest: [String: JSONValue]

  init(_ value: JSONValue) throws(AttestationError) {
    guard case .object(let members) = value else { throw Self.wrong("an object") }
    rest = members
  }

  mutating func take<Value>(
    _ name: String, _ read: (JSONValue) throws(AttestationError) -> Value
  ) throws(AttestationError) -> Value {
    guard let value = rest.removeValue(forKey: name) else {
      throw AttestationError(.invalidPolicy, "policy: \(name) is missing; \"any\" accepts all")
    }
    do throws(AttestationError) {
      return try read(value)
    } catch {
      throw AttestationError(.invalidPolicy, "policy: \(name): \(error.detail)")
    }
  }

  func holds(_ name: String) -> Bool { rest[name] != nil }

  func expectEmpty() throws(AttestationError) {
    guard rest.isEmpty else {
      throw AttestationError(
        .invalidPolicy, "policy: unknown \(rest.keys.sorted().joined(separator: ", "))")
    }
  }

  static func expectation<Value>(
    _ value: JSONValue, _ read: (JSONValue) throws(AttestationError) -> Value
  ) throws(AttestationError) -> Expectation<Value> {
    value == .string("any") ? .any : .oneOf(try list(value, read))
  }

  static func list<Value>(
    _ value: JSONValue, _ read: (JSONValue) throws(AttestationError) -> Value
  ) throws(AttestationError) -> [Value] {
    guard case .array(let items) = value else { throw wrong("\"any\" or a list") }
    var values: [Value] = []
    for item in items { values.append(try read(item)) }
    return values
  }

  static func string(_ value: JSONValue) throws(AttestationError) -> String {
    guard case .string(let text) = value else { throw wrong("a string") }
    return text
  }

  static func bool(_ value: JSONValue) throws(AttestationError) -> Bool {
    guard case .bool(let flag) = value else { throw wrong("true or false") }
    return flag
  }

  static func number(_ value: JSONValue) throws(AttestationError) -> UInt32 {
    guard case .number(let number) = value, let small = UInt32(exactly: number) else {
      throw wrong("a number from 0 to 2^32-1")
    }
    return small
  }

  static func bytes(_ value: JSONValue) throws(AttestationError) -> [UInt8] {
    guard let bytes = Hex.decode(try string(value)), !bytes.isEmpty else {
      throw wrong("hexadecimal digits")
    }
    return bytes
  }

  static func digests(_ value: JSONValue) throws(AttestationError) -> Expectation<[UInt8]> {
    try expectation(value, bytes)
  }

  static func tee(_ value: JSONValue) throws(AttestationError) -> TEEKind {
    guard let kind = TEEKind(rawValue: try string(value)) else {
      throw wrong("snp, tdx, sgx, sev-es or sev")
    }
    return kind
  }

  static func status(_ value: JSONValue) throws(AttestationError) -> TCBStatus {
    guard let status = TCBStatus(rawValue: try string(value)) else { throw wrong("a TCB status") }
    return status
  }

  static func platform(_ value: JSONValue) throws(AttestationError) -> PlatformMeasurement {
    guard case .object = value else { return PlatformMeasurement(try bytes(value)) }
    var members = try PolicyMembers(value)
    let measurement = try members.take("measurement", bytes)
    let registers = try members.take("runtime_registers") { (value) throws(AttestationError) in
      try list(value, digests)
    }
    try members.expectEmpty()
    return PlatformMeasurement(measurement, runtimeRegisters: registers)
  }

  static func components(_ value: JSONValue) throws(AttestationError) -> [TCBVersion.Component] {
    guard case .object(let members) = value else { throw wrong("an object of numbers") }
    var components: [TCBVersion.Component] = []
    for (name, version) in members.sorted(by: { $0.key < $1.key }) {
      components.append(TCBVersion.Component(name, try number(version)))
    }
    return components
  }

  static func demands(_ value: JSONValue) throws(AttestationError) -> [FieldDemand] {
    guard case .object(let members) = value else { throw wrong("an object of lists of strings") }
    var demands: [FieldDemand] = []
    for (name, accepted) in members.sorted(by: { $0.key < $1.key }) {
      demands.append(FieldDemand(name, oneOf: try list(accepted, string)))
    }
    return demands
  }

  private static func wrong(_ expected: String) -> AttestationError {
    AttestationError(.invalidPolicy, "expected \(expected)")
  }
}
