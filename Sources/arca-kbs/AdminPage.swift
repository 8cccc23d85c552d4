import ArcaKeyBroker
import Foundation
import TEEAttestation

/// The administrators' page: HTML made here, no script, nothing loaded from elsewhere.
struct AdminPage {
  static let securityPolicy =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"

  static let style = """
    body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;
    border-bottom:1px solid #ccc;vertical-align:top;overflow-wrap:anywhere}
    .ok{color:#06622c}.no{color:#a01010}.simulated{background:#fff3c4;padding:.1rem .3rem}
    textarea{width:100%;height:6rem}
    """

  /// The form that asks for a token.
  static func login(_ fault: String?) -> String {
    page(
      "Sign in",
      """
      \(fault.map { "<p class=no>\(escape($0))</p>" } ?? "")
      <form method=post action="/admin"><p><label for=token>Administrator's token, as
      <code>arca-kbs token admin</code> prints it</label></p>
      <p><textarea id=token name=token required autocomplete=off></textarea></p>
      <p><button>Sign in</button></p></form>
      """, refreshes: false)
  }

  /// The overview: attestations and releases as they come, the fleet's TCB, the resources.
  static func overview(
    entries: [AuditEntry], resources: [ResourceSummary], counters: [GenerationCounter],
    simulation: Bool
  ) -> String {
    let events = entries.compactMap { entry in
      (try? StrictJSON(parsing: Array(entry.text.utf8))).map { (entry.sequence, $0) }
    }
    let warning =
      simulation
      ? "<p class=simulated>SIMULATED evidence is accepted: no hardware protects secrets.</p>" : ""
    return page(
      "Key broker",
      """
      \(warning)
      <h2>Attestations and releases</h2>
      <table><thead><tr><th>#<th>Time<th>Action<th>Outcome<th>What<th>Why</tr></thead>
      <tbody>\(events.map(row).joined())</tbody></table>
      <h2>Fleet</h2>
      <table><thead><tr><th>Chip<th>TEE<th>Status<th>TCB<th>Last seen</tr></thead>
      <tbody>\(fleet(events.map(\.1)))</tbody></table>
      <h2>Resources</h2>
      <table><thead><tr><th>Path<th>Bytes<th>Master key<th>Set</tr></thead>
      <tbody>\(resources.map(row).joined())</tbody></table>
      <h2>Counters</h2>
      <table><thead><tr><th>Path<th>Generation</tr></thead>
      <tbody>\(counters.map(row).joined())</tbody></table>
      """, refreshes: true)
  }

  private static func row(_ sequence: Int64, _ event: StrictJSON) -> String {
    let details = event["details"]
    let outcome = event["outcome"]?.text ?? ""
    let subject = ["path", "tee", "call", "by", "rule"].compactMap { name in
      details?[name]?.text.map { "\(name) \($0)" }
    }.joined(separator: ", ")
    return """
      <tr><td>\(sequence)<td>\(escape(event["time"]?.text ?? ""))\
      <td>\(escape(event["action"]?.text ?? ""))\
      <td class="\(outcome == "ok" ? "ok" : "no")">\(escape(outcome))\(mark(details))\
      <td>\(escape(subject))<td>\(escape(details?["reasons"]?.text ?? ""))</tr>
      """
  }

  // The newest attestation of each chip; the events are newest first.
  private static func fleet(_ events: [StrictJSON]) -> String {
    var seen: Set<String> = []
    var rows = ""
    for event in events where event["action"]?.text == "attest" && event["outcome"]?.text == "ok" {
      let details = event["details"]
      let chip = details?["chip_id"]?.text ?? "none"
      guard seen.insert(chip).inserted else { continue }
      rows += """
        <tr><td><code>\(escape(String(chip.prefix(16))))…</code>\
        <td>\(escape(details?["tee"]?.text ?? ""))\(mark(details))\
        <td>\(escape(details?["status"]?.text ?? ""))<td>\(escape(details?["tcb"]?.text ?? ""))\
        <td>\(escape(event["time"]?.text ?? ""))</tr>
        """
    }
    return rows
  }

  private static func row(_ resource: ResourceSummary) -> String {
    """
    <tr><td>\(escape(resource.path.description))<td>\(resource.size)<td>\(escape(resource.keyID))\
    <td>\(VerificationTime(unixSeconds: resource.updated).text)</tr>
    """
  }

  private static func row(_ counter: GenerationCounter) -> String {
    "<tr><td>\(escape(counter.path.description))<td>\(counter.generation)</tr>"
  }

  private static func mark(_ details: StrictJSON?) -> String {
    details?["simulated"] == .bool(true) ? " <span class=simulated>simulated</span>" : ""
  }

  private static func page(_ title: String, _ body: String, refreshes: Bool) -> String {
    """
    <!doctype html><html lang=en><head><meta charset=utf-8>
    <meta name=viewport content="width=device-width">
    \(refreshes ? "<meta http-equiv=refresh content=5>" : "")
    <title>\(title) · Arca</title><link rel=stylesheet href="/admin/style.css"></head>
    <body><h1>\(title)</h1>\(body)</body></html>
    """
  }

  private static func escape(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
      .replacingOccurrences(of: "'", with: "&#39;")
  }
}
