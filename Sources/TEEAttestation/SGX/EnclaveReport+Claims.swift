import TEEEvidence

extension EnclaveReport {
  /// Every field, named as in the SDM in snake case.
  var claims: [Claim] {
    [
      Claim("cpu_svn", .bytes(cpuSVN)),
      Claim("misc_select", .number(UInt64(miscSelect))),
      Claim("isv_ext_prod_id", .bytes(isvExtendedProductID)),
      Claim("attributes", .bytes(attributes)),
      Claim("mrenclave", .bytes(mrEnclave)),
      Claim("mrsigner", .bytes(mrSigner)),
      Claim("config_id", .bytes(configID)),
      Claim("isv_prod_id", .number(UInt64(isvProductID))),
      Claim("isv_svn", .number(UInt64(isvSVN))),
      Claim("config_svn", .number(UInt64(configSVN))),
      Claim("isv_family_id", .bytes(isvFamilyID)),
      Claim("report_data", .bytes(reportData)),
    ]
  }
}
