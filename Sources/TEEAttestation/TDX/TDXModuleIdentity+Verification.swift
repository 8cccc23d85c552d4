import ArcaBytes
import TEEEvidence

extension TCBInfo {
  /// Which identity holds for the TDX module with the version `teeTCBSVN` (16 bytes: minor
  /// version, major version, …), or nil where Intel lists none.
  func module(of teeTCBSVN: [UInt8]) -> TDXModuleIdentity? {
    guard teeTCBSVN[1] > 0 else { return tdxModule }
    let id = "TDX_\(Hex.encode([teeTCBSVN[1]]).uppercased())"
    return tdxModules.first { $0.id == id }
  }
}

extension TDXModuleIdentity {
  /// The newest level that a module of minor version `minor` reaches, or nil where it reaches none.
  func level(of minor: UInt8) -> EnclaveTCBLevel? {
    levels.first { UInt16(minor) >= $0.isvSVN }
  }

  /// Checks the module of `report` against this identity, and records each check.
  func verify(_ report: TDReport, into findings: inout Findings) {
    findings.equal("tdx_module.mrsignerseam", .bytes(report.mrSignerSEAM), .bytes(mrSigner))
    let masked = zip(report.seamAttributes, attributesMask).map { $0 & $1 }
    findings.equal("tdx_module.seamattributes", .bytes(masked), .bytes(attributes))
    // Production modules have no attributes, whatever a mask would let through.
    findings.flag(
      "tdx_module.seamattributes_zero", report.seamAttributes.allSatisfy { $0 == 0 },
      else: .mismatch)
  }
}
