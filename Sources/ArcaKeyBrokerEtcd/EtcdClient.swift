import ArcaKeyBroker
import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
  import Glibc
#endif

/// Speaks etcd's JSON interface (`/v3/…`, its gRPC gateway) over TLS with a client certificate.
struct EtcdClient: Sendable {
  /// No answer has more bytes.
  static let answerBytesMax = StrictJSON.bytesMax
  static let timeout = TimeAmount.seconds(10)

  // One for the process, since it lives as long. A connection that fails is not tried again until
  // the time is over: the next endpoint is, and the reason is told.
  private static let http = {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout.connect = .seconds(5)
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  private let endpoints: [String]
  private let tls: TLSConfiguration

  init(_ service: EtcdService) throws(KeyBrokerError) {
    endpoints = service.endpoints
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    var configuration = TLSConfiguration.makeClientConfiguration()
    do {
      let pem = Array(try PrivateFile.read(service.certificateKey))
      chain = try NIOSSLCertificate.fromPEMFile(service.certificate)
      key = try NIOSSLPrivateKey(bytes: pem, format: .pem)
      configuration.trustRoots = .certificates(
        try NIOSSLCertificate.fromPEMFile(service.authority))
    } catch let error as KeyBrokerError {
      throw error
    } catch {
      throw KeyBrokerError(
        .invalidConfiguration,
        "etcd: \(service.certificate), \(service.certificateKey), \(service.authority): "
          + "expected PEM; \(error)")
    }
    configuration.certificateChain = chain.map { .certificate($0) }
    configuration.privateKey = .privateKey(key)
    configuration.minimumTLSVersion = .tlsv12
    tls = configuration
  }

  /// Posts `body` to `path`; the next endpoint is asked only where the one before it was not
  /// reached, so that nothing is done twice.
  func call(_ path: String, _ body: StrictJSON) async throws(KeyBrokerError) -> StrictJSON {
    var fault = KeyBrokerError(.store, "etcd: no endpoint")
    for endpoint in endpoints {
      var request = HTTPClientRequest(url: endpoint + path)
      request.method = .POST
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(ByteBuffer(string: body.compact))
      request.tlsConfiguration = tls
      let response: HTTPClientResponse
      do {
        response = try await Self.http.execute(request, timeout: Self.timeout)
      } catch {
        fault = KeyBrokerError(.store, "etcd at \(endpoint): \(error)")
        guard Self.wasNotReached(error) else { throw fault }
        continue
      }
      return try await Self.read(response, endpoint)
    }
    throw fault
  }

  private static func read(
    _ response: HTTPClientResponse, _ endpoint: String
  ) async throws(KeyBrokerError) -> StrictJSON {
    let bytes: [UInt8]
    do {
      bytes = Array(try await response.body.collect(upTo: answerBytesMax).readableBytesView)
    } catch {
      throw KeyBrokerError(.store, "etcd at \(endpoint): \(error)")
    }
    guard response.status == .ok else {
      let text = String(decoding: bytes.prefix(300), as: UTF8.self)
      throw KeyBrokerError(.store, "etcd at \(endpoint): \(response.status.code) \(text)")
    }
    return try StrictJSON(parsing: bytes)
  }

  private static func wasNotReached(_ error: any Error) -> Bool {
    if error is NIOConnectionError { return true }
    if let fault = error as? IOError { return fault.errnoCode == ECONNREFUSED }
    return (error as? HTTPClientError) == .connectTimeout
  }
}

/// The parts of etcd's messages, as its JSON interface writes them: bytes in base64, numbers of 64
/// bits as text.
enum EtcdMessage {
  /// One key with its value.
  struct Entry: Sendable {
    let key: String
    let value: [UInt8]
    let revision: UInt64
  }

  static func octets(_ text: String) -> StrictJSON { octets(Array(text.utf8)) }

  static func octets(_ bytes: [UInt8]) -> StrictJSON { .string(Base64.encode(bytes, .standard)) }

  /// What sorts right after every key that starts with `prefix`, which ends in `/`.
  static func end(of prefix: String) -> String { prefix.dropLast() + "0" }

  // MARK: Conditions

  static func exists(_ key: String) -> StrictJSON { compareCreation(key, "GREATER", end: nil) }

  static func isAbsent(_ key: String) -> StrictJSON { compareCreation(key, "EQUAL", end: nil) }

  static func isEmpty(below prefix: String) -> StrictJSON {
    compareCreation(prefix, "EQUAL", end: end(of: prefix))
  }

  static func isUnchanged(_ key: String, since revision: UInt64) -> StrictJSON {
    .members(
      ("key", octets(key)), ("target", .string("MOD")), ("result", .string("EQUAL")),
      ("mod_revision", .string("\(revision)")))
  }

  static func holds(_ key: String, _ value: [UInt8]) -> StrictJSON {
    .members(
      ("key", octets(key)), ("target", .string("VALUE")), ("result", .string("EQUAL")),
      ("value", octets(value)))
  }

  private static func compareCreation(
    _ key: String, _ result: String, end: String?
  ) -> StrictJSON {
    var members: [StrictJSON.Member] = [
      .init("key", octets(key)), .init("target", .string("CREATE")),
      .init("result", .string(result)), .init("create_revision", .string("0")),
    ]
    if let end { members.append(.init("range_end", octets(end))) }
    return .object(members)
  }

  // MARK: Operations

  static func put(_ key: String, _ value: [UInt8], lease: String? = nil) -> StrictJSON {
    var members: [StrictJSON.Member] = [
      .init("key", octets(key)), .init("value", octets(value)),
    ]
    if let lease { members.append(.init("lease", .string(lease))) }
    return .members(("request_put", .object(members)))
  }

  static func delete(_ key: String) -> StrictJSON {
    .members(("request_delete_range", .members(("key", octets(key)))))
  }

  static func delete(below prefix: String) -> StrictJSON {
    .members(
      (
        "request_delete_range",
        .members(("key", octets(prefix)), ("range_end", octets(end(of: prefix))))
      ))
  }

  static func get(_ key: String) -> StrictJSON {
    .members(("request_range", .members(("key", octets(key)))))
  }

  static func range(
    _ first: String, to end: String, limit: Int = 0, keysOnly: Bool = false,
    countOnly: Bool = false, at revision: UInt64 = 0
  ) -> StrictJSON {
    .members(
      ("key", octets(first)), ("range_end", octets(end)), ("limit", .string("\(limit)")),
      ("keys_only", .bool(keysOnly)), ("count_only", .bool(countOnly)),
      ("revision", .string("\(revision)")))
  }

  // MARK: Answers

  static func entries(_ answer: StrictJSON?) throws(KeyBrokerError) -> [Entry] {
    var entries: [Entry] = []
    for json in answer?["kvs"]?.elements ?? [] {
      guard let key = json["key"]?.text.flatMap({ Base64.decode($0, .standard) }),
        let revision = number(json["mod_revision"])
      else { throw KeyBrokerError(.corrupted, "etcd: an answer that is not in its form") }
      // An empty value is left out, as are values where only keys were asked for.
      let value = json["value"]?.text.flatMap { Base64.decode($0, .standard) } ?? []
      entries.append(
        Entry(key: String(decoding: key, as: UTF8.self), value: value, revision: revision))
    }
    return entries
  }

  static func number(_ json: StrictJSON?) -> UInt64? { json?.text.flatMap { UInt64($0) } }
}
