import ArcaKeyBroker
import Foundation
import Hummingbird

extension BrokerServer {
  private static let adminCookie = "arca-kbs-admin"
  private static let entriesShown = 200

  /// `/admin`: the page, for whoever shows an administrator's token.
  ///
  /// The token is kept in a cookie that no script reads and no other site's request carries.
  func addPage(to router: Router<BasicRequestContext>) {
    router.get("admin") { request, _ in
      guard let token = request.cookies[Self.adminCookie]?.value else {
        return html(AdminPage.login(nil))
      }
      return try await page(token)
    }
    router.get("admin/style.css") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/css; charset=utf-8"],
        body: .init(byteBuffer: ByteBuffer(string: AdminPage.style)))
    }
    router.post("admin") { request, _ in
      var request = request
      let body = try await request.collectBody(upTo: 64 << 10)
      let form = String(buffer: body)
      guard form.hasPrefix("token="),
        let token = String(form.dropFirst(6)).removingPercentEncoding?
          .trimmingCharacters(in: CharacterSet(charactersIn: "+").union(.whitespacesAndNewlines))
      else { return html(AdminPage.login("No token was given.")) }
      return try await page(token, signsIn: true)
    }
  }

  private func page(_ token: String, signsIn: Bool = false) async throws -> Response {
    do {
      _ = try administrators.name(
        authorization: "Bearer \(token)", at: Int64(Date().timeIntervalSince1970))
    } catch {
      broker.metrics.count("admin", error.code.rawValue)
      return html(AdminPage.login(error.detail))
    }
    if signsIn {
      let cookie = Cookie(
        name: Self.adminCookie, value: token, path: "/admin", secure: true, httpOnly: true,
        sameSite: .strict)
      return Response(
        status: .seeOther, headers: [.location: "/admin", .setCookie: cookie.description])
    }
    do {
      return html(
        AdminPage.overview(
          entries: try await broker.latestAudit(Self.entriesShown),
          resources: try await broker.listResources(),
          counters: try await broker.listCounters(), simulation: acceptsSimulation))
    } catch {
      logger.error("page", metadata: ["why": "\(error.detail)"])
      return Response(status: .internalServerError)
    }
  }

  private func html(_ text: String) -> Response {
    Response(
      status: .ok,
      headers: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
        .contentSecurityPolicy: AdminPage.securityPolicy,
      ], body: .init(byteBuffer: ByteBuffer(string: text)))
  }
}
