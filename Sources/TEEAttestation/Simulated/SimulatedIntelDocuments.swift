import ArcaBytes
import TEEEvidence

/// One level of simulated TCB info; the raw texts can be made wrong for a test.
package struct SimulatedIntelLevel: Sendable {
  /// SGX components, TDX components and PCESVN; nil in levels of enclaves and modules.
  package var platform: (sgx: [UInt8], tdx: [UInt8], pceSVN: UInt16)?
  /// Minimum ISVSVN in levels of enclaves and modules.
  package var isvSVN: UInt16 = 0
  /// The status word.
  package var status: String
  /// The TCB date, RFC 3339.
  package var date = "2025-03-12T00:00:00Z"
  /// Advisories that apply.
  package var advisories: [String] = []

  func json(hasTDX: Bool) -> String {
    let tcb: String
    if let platform {
      func list(_ values: [UInt8]) -> String {
        "[" + values.map { "{\"svn\":\($0)}" }.joined(separator: ",") + "]"
      }
      let tdx = hasTDX ? ",\"tdxtcbcomponents\":\(list(platform.tdx))" : ""
      tcb = "\"sgxtcbcomponents\":\(list(platform.sgx)),\"pcesvn\":\(platform.pceSVN)\(tdx)"
    } else {
      tcb = "\"isvsvn\":\(isvSVN)"
    }
    let advisories = self.advisories.map { "\"\($0)\"" }.joined(separator: ",")
    return "{\"tcb\":{\(tcb)},\"tcbDate\":\"\(date)\",\"tcbStatus\":\"\(status)\""
      + (advisories.isEmpty ? "}" : ",\"advisoryIDs\":[\(advisories)]}")
  }

  static func json(_ levels: [SimulatedIntelLevel], hasTDX: Bool = false) -> String {
    "\"tcbLevels\":[" + levels.map { $0.json(hasTDX: hasTDX) }.joined(separator: ",") + "]"
  }
}

/// A simulated TDX module identity.
package struct SimulatedIntelModule: Sendable {
  /// The identity's name, `TDX_01`.
  package var id: String
  /// Signer, 48 bytes.
  package var mrSigner = [UInt8](repeating: 0, count: 48)
  /// Expected attributes, 8 bytes.
  package var attributes = [UInt8](repeating: 0, count: 8)
  /// Compared attributes, 8 bytes.
  package var attributesMask = [UInt8](repeating: 0xFF, count: 8)
  /// Levels from newest to oldest.
  package var levels: [SimulatedIntelLevel]

  var identity: String {
    "\"mrsigner\":\"\(Hex.encode(mrSigner))\",\"attributes\":\"\(Hex.encode(attributes))\","
      + "\"attributesMask\":\"\(Hex.encode(attributesMask))\""
  }
}

/// Simulated TCB info in the format of Intel's, version 3.
package struct SimulatedIntelTCBInfo: Sendable {
  /// `SGX` or `TDX`.
  package var id: String
  /// Format version.
  package var version = 3
  /// When it was issued, RFC 3339.
  package var issueDate: String
  /// Until when the next is issued, RFC 3339.
  package var nextUpdate: String
  /// FMSPC in hexadecimal.
  package var fmspc: String
  /// PCEID in hexadecimal.
  package var pceID: String
  /// Order of the components.
  package var tcbType = 0
  /// Platform levels from newest to oldest.
  package var levels: [SimulatedIntelLevel]
  /// The module of TDX 1.0, without levels.
  package var module = SimulatedIntelModule(id: "", levels: [])
  /// Modules of later versions.
  package var modules: [SimulatedIntelModule]

  /// The inner object, which is what is signed.
  package var json: String {
    let isTDX = id == "TDX"
    let later = modules.map {
      "{\"id\":\"\($0.id)\",\($0.identity),\(SimulatedIntelLevel.json($0.levels))}"
    }
    let tdx =
      isTDX
      ? "\"tdxModule\":{\(module.identity)},"
        + "\"tdxModuleIdentities\":[\(later.joined(separator: ","))],"
      : ""
    return "{\"id\":\"\(id)\",\"version\":\(version),\"issueDate\":\"\(issueDate)\","
      + "\"nextUpdate\":\"\(nextUpdate)\",\"fmspc\":\"\(fmspc)\",\"pceId\":\"\(pceID)\","
      + "\"tcbType\":\(tcbType),\"tcbEvaluationDataNumber\":19,\(tdx)"
      + SimulatedIntelLevel.json(levels, hasTDX: isTDX) + "}"
  }
}

/// A simulated identity of quoting enclaves in the format of Intel's, version 2.
package struct SimulatedIntelQEIdentity: Sendable {
  /// `QE` or `TD_QE`.
  package var id: String
  /// Format version.
  package var version = 2
  /// When it was issued, RFC 3339.
  package var issueDate: String
  /// Until when the next is issued, RFC 3339.
  package var nextUpdate: String
  /// Expected signer, 32 bytes.
  package var mrSigner: [UInt8]
  /// Expected product number.
  package var isvProductID: UInt16
  /// Levels from newest to oldest.
  package var levels: [SimulatedIntelLevel]

  /// The inner object, which is what is signed.
  package var json: String {
    "{\"id\":\"\(id)\",\"version\":\(version),\"issueDate\":\"\(issueDate)\","
      + "\"nextUpdate\":\"\(nextUpdate)\",\"tcbEvaluationDataNumber\":19,"
      + "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
      + "\"attributes\":\"11000000000000000000000000000000\","
      + "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
      + "\"mrsigner\":\"\(Hex.encode(mrSigner))\",\"isvprodid\":\(isvProductID),"
      + SimulatedIntelLevel.json(levels) + "}"
  }
}
