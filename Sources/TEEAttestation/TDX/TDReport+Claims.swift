import TEEEvidence

extension TDReport {
  /// Every field, named as in the TDX module specification in snake case.
  var claims: [Claim] {
    var claims = [
      Claim("tee_tcb_svn", .bytes(teeTCBSVN)),
      Claim("mr_seam", .bytes(mrSEAM)),
      Claim("mr_signer_seam", .bytes(mrSignerSEAM)),
      Claim("seam_attributes", .bytes(seamAttributes)),
      Claim("td_attributes", .bytes(tdAttributes)),
      Claim("sept_ve_disable", .flag(isSeptVEDisabled)),
      Claim("xfam", .bytes(xfam)),
      Claim("mr_td", .bytes(mrTD)),
      Claim("mr_config_id", .bytes(mrConfigID)),
      Claim("mr_owner", .bytes(mrOwner)),
      Claim("mr_owner_config", .bytes(mrOwnerConfig)),
      Claim("rtmr0", .bytes(rtmrs[0])),
      Claim("rtmr1", .bytes(rtmrs[1])),
      Claim("rtmr2", .bytes(rtmrs[2])),
      Claim("rtmr3", .bytes(rtmrs[3])),
      Claim("report_data", .bytes(reportData)),
    ]
    if let teeTCBSVN2 { claims.append(Claim("tee_tcb_svn2", .bytes(teeTCBSVN2))) }
    if let mrServiceTD { claims.append(Claim("mr_service_td", .bytes(mrServiceTD))) }
    return claims
  }
}
