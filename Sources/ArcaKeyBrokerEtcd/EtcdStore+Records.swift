import ArcaKeyBroker

// MARK: - Sessions

extension EtcdStore {
  private static let sweepMax = 32

  private func sessionKey(_ id: String) -> String { data + "session/" + id }
  private func expiryKey(_ time: Int64) -> String { data + "expiry/" + Self.padded(time) + "/" }

  /// Adds a session after those that are over were dropped.
  ///
  /// Calls at one moment may go over `limit` by their number.
  public func open(
    _ session: SessionRecord, limit: Int, now: Int64
  ) async throws(KeyBrokerError) {
    let first = data + "expiry/"
    while true {
      let answer = try await transaction(
        when: [],
        then: [
          .members(
            (
              "request_range",
              EtcdMessage.range(
                first, to: expiryKey(now + 1), limit: Self.sweepMax, keysOnly: true)
            )),
          .members(
            (
              "request_range",
              EtcdMessage.range(first, to: EtcdMessage.end(of: first), countOnly: true)
            )),
        ])
      let over = try EtcdMessage.entries(answer.responses.first?["response_range"])
      if over.isEmpty {
        let count = EtcdMessage.number(answer.responses.last?["response_range"]?["count"]) ?? 0
        guard count < UInt64(limit) else {
          throw KeyBrokerError(.tooManySessions, "\(count) sessions are open; try again later")
        }
        break
      }
      try await drop(over.map(\.key))
    }
    let record = StrictJSON.members(
      ("nonce", .string(session.nonce)), ("tee", .string(session.tee.rawValue)),
      ("expires", .number(UInt64(max(0, session.expires)))))
    let answer = try await transaction(
      when: [EtcdMessage.isAbsent(sessionKey(session.id))],
      then: [
        EtcdMessage.put(sessionKey(session.id), Array(record.compact.utf8)),
        EtcdMessage.put(expiryKey(session.expires) + session.id, [0x31]),
      ])
    guard answer.succeeded else { throw KeyBrokerError(.store, "etcd: the session exists already") }
  }

  private func drop(_ expiryKeys: [String]) async throws(KeyBrokerError) {
    var operations: [StrictJSON] = []
    for key in expiryKeys {
      guard let id = key.split(separator: "/").last else { continue }
      operations += [
        EtcdMessage.delete(key), EtcdMessage.delete(sessionKey(String(id))),
        EtcdMessage.delete(below: sessionKey(String(id)) + "/"),
      ]
    }
    _ = try await transaction(when: [], then: operations)
  }

  /// The session, or nil.
  public func session(_ id: String) async throws(KeyBrokerError) -> SessionRecord? {
    let answer = try await transaction(
      when: [],
      then: [
        EtcdMessage.get(sessionKey(id)), EtcdMessage.get(takenKey(id)),
        EtcdMessage.get(sessionKey(id) + "/attested"),
      ])
    guard
      let found = try EtcdMessage.entries(answer.responses.first?["response_range"]).first
    else { return nil }
    let json = try StrictJSON(parsing: found.value)
    guard let nonce = json["nonce"]?.text, let expires = json["expires"]?.whole,
      let tee = json["tee"]?.text.flatMap({ AttesterKind(rawValue: $0) })
    else { throw KeyBrokerError(.corrupted, "etcd: session \(id) is not in its form") }
    let taken = answer.responses.count > 1 ? answer.responses[1]["response_range"] : nil
    return SessionRecord(
      id: id, nonce: nonce, tee: tee, expires: Int64(clamping: expires),
      isNonceTaken: try !EtcdMessage.entries(taken).isEmpty,
      attestation: try EtcdMessage.entries(answer.responses.last?["response_range"]).first?.value)
  }

  private func takenKey(_ id: String) -> String { sessionKey(id) + "/taken" }

  /// Takes the nonce by a key that is made once.
  public func attest(
    session id: String, with attestation: [UInt8], audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    let isFirst = try await commit(
      when: [EtcdMessage.exists(sessionKey(id)), EtcdMessage.isAbsent(takenKey(id))],
      then: [
        EtcdMessage.put(takenKey(id), [0x31]),
        EtcdMessage.put(sessionKey(id) + "/attested", attestation),
      ], audit: audit)
    if isFirst { return true }
    guard try await get(sessionKey(id)) != nil else {
      throw KeyBrokerError(.expiredSession, "the session ended while it was being attested")
    }
    return false
  }

  /// Takes the nonce of a session that is still there.
  public func refuse(session id: String, audit: AuditEvent) async throws(KeyBrokerError) {
    let isTaken = try await commit(
      when: [EtcdMessage.exists(sessionKey(id))],
      then: [EtcdMessage.put(takenKey(id), [0x31])], audit: audit)
    if !isTaken { try await append(audit) }
  }

  /// Records the release by a key that is made once.
  public func release(
    _ path: ResourcePath, toSession id: String, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    let released = sessionKey(id) + "/released/\(path)"
    return try await commit(
      when: [EtcdMessage.exists(sessionKey(id)), EtcdMessage.isAbsent(released)],
      then: [EtcdMessage.put(released, [0x31])], audit: audit)
  }
}

// MARK: - Resources

extension EtcdStore {
  private func resourceKey(_ path: ResourcePath) -> String { data + "resource/\(path)" }
  private func boxKey(_ path: ResourcePath) -> String { data + "box/\(path)" }

  /// The sealed resource, or nil.
  public func resource(_ path: ResourcePath) async throws(KeyBrokerError) -> SealedResource? {
    let answer = try await transaction(
      when: [], then: [EtcdMessage.get(resourceKey(path)), EtcdMessage.get(boxKey(path))])
    guard
      let found = try EtcdMessage.entries(answer.responses.first?["response_range"]).first,
      let box = try EtcdMessage.entries(answer.responses.last?["response_range"]).first
    else { return nil }
    return try Self.resource(found.value, path, box: box.value).sealed
  }

  /// Every resource without its content, by path.
  public func resources() async throws(KeyBrokerError) -> [ResourceSummary] {
    var found: [ResourceSummary] = []
    try await scan(data + "resource/") { entry throws(KeyBrokerError) in
      let (sealed, size) = try Self.resource(entry.value, try resourcePath(entry.key), box: [])
      found.append(
        ResourceSummary(
          path: sealed.path, size: size, keyID: sealed.keyID, updated: sealed.updated))
    }
    return found
  }

  /// Stores a resource in place of the one at its path.
  public func put(_ resource: SealedResource, audit: AuditEvent) async throws(KeyBrokerError) {
    _ = try await commit(when: [], then: putting(resource), audit: audit)
  }

  /// Removes a resource.
  public func delete(
    _ path: ResourcePath, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await remove([resourceKey(path), boxKey(path)], audit)
  }

  /// Rewraps the keys of resources, some in each transaction; the audit entry follows the last, and
  /// until then the old master key, which is not removed, opens the rest.
  public func rewrap(
    audit: AuditEvent,
    _ rewrap: @escaping @Sendable (SealedResource) throws(KeyBrokerError) -> SealedResource
  ) async throws(KeyBrokerError) {
    var entries: [EtcdMessage.Entry] = []
    try await scan(data + "resource/") { entry throws(KeyBrokerError) in entries.append(entry) }
    for entry in entries {
      var current = entry
      while true {
        let path = try resourcePath(current.key)
        let (sealed, size) = try Self.resource(current.value, path, box: [])
        let record = Self.record(try rewrap(sealed), size: size)
        let answer = try await transaction(
          when: [EtcdMessage.isUnchanged(current.key, since: current.revision)],
          then: [EtcdMessage.put(current.key, record)], else: [EtcdMessage.get(current.key)])
        if answer.succeeded { break }
        // Set anew or removed meanwhile.
        guard
          let changed = try EtcdMessage.entries(answer.responses.first?["response_range"]).first
        else { break }
        current = changed
      }
    }
    try await append(audit)
  }

  func putting(_ resource: SealedResource) -> [StrictJSON] {
    [
      EtcdMessage.put(
        resourceKey(resource.path), Self.record(resource, size: max(0, resource.box.count - 28))),
      EtcdMessage.put(boxKey(resource.path), resource.box),
    ]
  }

  func resourcePath(_ key: String) throws(KeyBrokerError) -> ResourcePath {
    try ResourcePath(String(key.dropFirst((data + "resource/").count)))
  }

  private static func record(_ resource: SealedResource, size: Int) -> [UInt8] {
    Array(
      StrictJSON.members(
        ("keyID", .string(resource.keyID)), ("wrappedKey", EtcdMessage.octets(resource.wrappedKey)),
        ("size", .number(UInt64(size))), ("updated", .number(UInt64(max(0, resource.updated))))
      ).compact.utf8)
  }

  static func resource(
    _ record: [UInt8], _ path: ResourcePath, box: [UInt8]
  ) throws(KeyBrokerError) -> (sealed: SealedResource, size: Int) {
    let json = try StrictJSON(parsing: record)
    guard let keyID = json["keyID"]?.text, let size = json["size"]?.whole,
      let wrapped = json["wrappedKey"]?.text.flatMap({ Base64.decode($0, .standard) }),
      let updated = json["updated"]?.whole
    else { throw KeyBrokerError(.corrupted, "etcd: resource \(path) is not in its form") }
    return (
      SealedResource(
        path: path, keyID: keyID, wrappedKey: wrapped, box: box, updated: Int64(clamping: updated)),
      Int(clamping: size)
    )
  }

  /// Removes keys, of which the first says whether there is anything to remove.
  private func remove(
    _ keys: [String], _ audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    while true {
      if try await commit(
        when: [EtcdMessage.exists(keys[0])], then: keys.map { EtcdMessage.delete($0) }, audit: audit
      ) {
        return true
      }
      if try await commit(when: [EtcdMessage.isAbsent(keys[0])], then: [], audit: audit) {
        return false
      }
    }
  }
}

// MARK: - Generation counters and policy

extension EtcdStore {
  private func counterKey(_ path: ResourcePath) -> String { data + "counter/\(path)" }
  private var policyKey: String { data + "policy" }

  /// The counter, 0 where there is no key.
  public func generation(_ path: ResourcePath) async throws(KeyBrokerError) -> UInt64 {
    guard let found = try await get(counterKey(path)) else { return 0 }
    return try Self.generation(found.value)
  }

  /// Compares and sets in one transaction.
  public func advance(
    _ path: ResourcePath, from expected: UInt64, to next: UInt64, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    let key = counterKey(path)
    return try await commit(
      when: [
        expected == 0
          ? EtcdMessage.isAbsent(key) : EtcdMessage.holds(key, Array("\(expected)".utf8))
      ], then: [EtcdMessage.put(key, Array("\(next)".utf8))], audit: audit)
  }

  /// Every counter that was advanced, by path.
  public func generations() async throws(KeyBrokerError) -> [GenerationCounter] {
    var counters: [GenerationCounter] = []
    try await scan(data + "counter/") { entry throws(KeyBrokerError) in
      counters.append(try counter(entry))
    }
    return counters
  }

  /// Removes a counter.
  public func removeGeneration(
    _ path: ResourcePath, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await remove([counterKey(path)], audit)
  }

  /// The policy in force, or nil.
  public func policy() async throws(KeyBrokerError) -> [UInt8]? {
    try await get(policyKey)?.value
  }

  /// Puts a policy in place of the one in force.
  public func install(policy record: [UInt8], audit: AuditEvent) async throws(KeyBrokerError) {
    _ = try await commit(when: [], then: [EtcdMessage.put(policyKey, record)], audit: audit)
  }

  func counter(_ entry: EtcdMessage.Entry) throws(KeyBrokerError) -> GenerationCounter {
    GenerationCounter(
      path: try ResourcePath(String(entry.key.dropFirst((data + "counter/").count))),
      generation: try Self.generation(entry.value))
  }

  private static func generation(_ value: [UInt8]) throws(KeyBrokerError) -> UInt64 {
    guard let number = UInt64(String(decoding: value, as: UTF8.self)) else {
      throw KeyBrokerError(.corrupted, "etcd: a counter that is no number")
    }
    return number
  }
}
