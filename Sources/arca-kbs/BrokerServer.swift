import ArcaKeyBroker
import Foundation
import Hummingbird
import Logging

/// The broker's HTTP interface: the key broker protocol, health and metrics.
struct BrokerServer: Sendable {
  static let cookie = "kbs-session-id"

  let broker: KeyBroker
  let folder: BrokerFolder
  let administrators: Administrators
  let bodyBytesMax: Int
  let acceptsSimulation: Bool
  let logger: Logger

  func router() -> Router<BasicRequestContext> {
    let router = Router()
    router.get("healthz") { _, _ in text("ok\n") }
    router.get("metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
        body: .init(byteBuffer: ByteBuffer(string: broker.metrics.text)))
    }
    router.get(".well-known/jwks.json") { _, _ in json(broker.tokens.keySet.compact) }
    addPage(to: router)
    addLaunch(to: router)
    let group = router.group("kbs/v0")
    group.post("auth") { request, _ in try await auth(request) }
    group.post("attest") { request, _ in try await attest(request) }
    group.get("resource/**") { request, _ in await resource(request) }
    group.post("resource/**") { request, _ in
      try await administer(request) { name, body in
        try await broker.setResource(Self.resourcePath(request), to: Data(body), by: name)
        return nil
      }
    }
    group.delete("resource/**") { request, _ in
      try await administer(request) { name, _ in
        _ = try await broker.deleteResource(Self.resourcePath(request), by: name)
        return nil
      }
    }
    group.get("counter/**") { request, _ in await counter(request, advances: false) }
    group.post("counter/**") { request, _ in await counter(request, advances: true) }
    group.get("resources") { request, _ in
      try await administer(request) { _, _ in
        StrictJSON.array(
          try await broker.listResources().map { resource in
            .members(
              ("path", .string(resource.path.description)),
              ("size", .number(UInt64(resource.size))),
              ("updated", .number(UInt64(max(0, resource.updated)))))
          }
        ).compact
      }
    }
    group.post("resource-policy") { request, _ in
      try await administer(request) { name, body in
        guard let text = try StrictJSON(parsing: body)["policy"]?.text,
          let yaml = Base64.decode(text, .url).flatMap({ String(validating: $0, as: UTF8.self) })
        else {
          throw KeyBrokerError(.malformed, "resource-policy: expected policy in base64url")
        }
        // Reference values go by the names of files in the broker's folder.
        try await broker.installPolicy(
          StoredPolicy(yaml: yaml, besideFile: folder.configuration), by: name)
        return nil
      }
    }
    return router
  }

  private func auth(_ request: Request) async throws -> Response {
    let body = try await collect(request)
    do {
      let challenge = try await broker.challenge(body)
      broker.metrics.count("auth", "ok")
      return json(challenge.json, session: challenge.session)
    } catch {
      return refuse("auth", error)
    }
  }

  private func attest(_ request: Request) async throws -> Response {
    let body = try await collect(request)
    do {
      let (token, session) = try await broker.attest(
        body, session: request.cookies[Self.cookie]?.value)
      broker.metrics.count("attest", "ok")
      return json(StrictJSON.members(("token", .string(token))).compact, session: session)
    } catch {
      return refuse("attest", error)
    }
  }

  private func resource(_ request: Request) async -> Response {
    do {
      let jwe = try await broker.resource(
        Self.resourcePath(request), session: request.cookies[Self.cookie]?.value,
        token: Self.bearerToken(request))
      broker.metrics.count("resource", "ok")
      return json(jwe)
    } catch {
      return refuse("resource", error)
    }
  }

  private func counter(_ request: Request, advances: Bool) async -> Response {
    do {
      let jwe = try await broker.counter(
        String(request.uri.path.dropFirst("/kbs/v0/counter/".count)),
        query: request.uri.query ?? "", advances: advances,
        session: request.cookies[Self.cookie]?.value, token: Self.bearerToken(request))
      broker.metrics.count("counter", "ok")
      return json(jwe)
    } catch {
      return refuse("counter", error)
    }
  }

  private static func bearerToken(_ request: Request) -> String? {
    request.headers[.authorization].flatMap {
      $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil
    }
  }

  private func administer(
    _ request: Request, _ body: (String, [UInt8]) async throws -> String?
  ) async throws -> Response {
    do {
      let name = try administrators.name(
        authorization: request.headers[.authorization],
        at: Int64(Date().timeIntervalSince1970))
      let answer = try await body(name, try await collect(request))
      broker.metrics.count("admin", "ok")
      return answer.map { json($0) } ?? Response(status: .ok)
    } catch let error as KeyBrokerError {
      return refuse("admin", error)
    }
  }

  func collect(_ request: Request) async throws -> [UInt8] {
    var request = request
    let buffer = try await request.collectBody(upTo: bodyBytesMax)
    return [UInt8](buffer: buffer)
  }

  // What follows resource/, as it came; percent-encoded characters are in no resource's name.
  private static func resourcePath(_ request: Request) -> String {
    String(request.uri.path.dropFirst("/kbs/v0/resource/".count))
  }

  private func text(_ text: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  func json(_ text: String, session: SessionRecord? = nil) -> Response {
    var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
    if let session {
      let expires = Date(timeIntervalSince1970: TimeInterval(session.expires))
      headers[.setCookie] =
        Cookie(name: Self.cookie, value: session.id, expires: expires, secure: true).description
    }
    return Response(
      status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  /// The refusal in the protocol's form: 401 whatever it is, but for a counter's conflict.
  ///
  /// A resource that is missing, not named by a rule, refused by one or released before gives one
  /// and the same answer; the audit log tells them apart.
  func refuse(_ call: String, _ error: KeyBrokerError) -> Response {
    broker.metrics.count(call, error.code.rawValue)
    logger.notice(
      "refused",
      metadata: ["call": "\(call)", "code": "\(error.code.rawValue)", "why": "\(error.detail)"])
    let (variant, detail): (String, String)
    switch error.code {
    case .unknownSession: (variant, detail) = ("InvalidCookie", error.description)
    case .expiredSession: (variant, detail) = ("ExpiredCookie", error.description)
    case .notAttested: (variant, detail) = ("UnauthenticatedCookie", error.description)
    case .invalidToken: (variant, detail) = ("TokenVerifierError", error.description)
    case .invalidAdminToken: (variant, detail) = ("AdminAuthError", error.description)
    case .store, .corrupted, .keyFile, .restoring, .auditChain:
      (variant, detail) = ("InternalError", "the broker failed; its log says why")
    case .counterConflict: (variant, detail) = ("CounterConflict", error.description)
    default:
      (variant, detail) =
        call == "resource" || call == "counter" || error.isOfRelease
        ? ("PolicyDeny", "the resource is not released to this attester")
        : ("AttestationError", error.description)
    }
    let body = StrictJSON.members(
      ("type", .string("https://github.com/confidential-containers/kbs/errors/\(variant)")),
      ("detail", .string(detail))
    ).compact
    return Response(
      status: error.code == .counterConflict ? .conflict : .unauthorized,
      headers: [.contentType: "application/json"],
      body: .init(byteBuffer: ByteBuffer(string: body)))
  }
}
