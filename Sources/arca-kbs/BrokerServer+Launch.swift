import ArcaKeyBroker
import Hummingbird

/// The part of the interface that hosts of SEV-ES and SEV guests use before those run.
extension BrokerServer {
  func addLaunch(to router: Router<BasicRequestContext>) {
    let group = router.group("sev/v0")
    group.post("session") { request, _ in
      try await answer("sev_session", request) { body throws(KeyBrokerError) in
        try await broker.openLaunch(body)
      }
    }
    group.post("secret") { request, _ in
      try await answer("sev_secret", request) { body throws(KeyBrokerError) in
        try await broker.launchSecret(body)
      }
    }
  }

  private func answer(
    _ call: String, _ request: Request,
    _ body: ([UInt8]) async throws(KeyBrokerError) -> StrictJSON
  ) async throws -> Response {
    let content = try await collect(request)
    do {
      let answer = try await body(content)
      broker.metrics.count(call, "ok")
      return json(answer.compact)
    } catch {
      return refuse(call, error)
    }
  }
}
