import Crypto
import CryptoExtras
import TEEAttestation
import TEEEvidence

private func name(_ commonName: String) -> [UInt8] {
  DERWriter.name(organization: SimulatedAMD.organization, commonName: commonName)
}

private let amdArc: [UInt8] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x9C, 0x78, 0x01]
private let before = VerificationTime(unixSeconds: SimulatedCase.start.unixSeconds + 999)
private let later = VerificationTime(unixSeconds: SimulatedCase.start.unixSeconds + 1_001)

/// PKCS#1 v1.5, which AMD does not use, by the right key.
private func pkcs1(_ key: _RSA.Signing.PrivateKey) -> SimulatedSigner {
  let sha384WithRSA: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C]
  let algorithm = DERWriter.sequence([
    DERWriter.oid(sha384WithRSA), DERWriter.element(DERReader.Tag.null, []),
  ])
  return SimulatedSigner(algorithm: algorithm) {
    Array(
      try key.signature(for: SHA384.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation)
  }
}

/// The right algorithm and a signature over something else.
private func forged(_ key: _RSA.Signing.PrivateKey) -> SimulatedSigner {
  let honest = SimulatedSigner.amd(key)
  return SimulatedSigner(algorithm: honest.algorithm) { try honest.sign($0 + [0]) }
}

let chainFaults: [Fault] = [
  Fault("ark.trusted", .untrustedRoot) { wrong in
    wrong.anchor = Array(
      try SimulatedCase(.genoa).ark.signed(by: .amd(SimulatedCase.Keys.shared().ark)))
  },
  Fault("ark.signature", .tampered) { wrong in
    // Another issue of the trusted root, which it did not sign.
    wrong.anchor = try wrong.ark.signed(by: wrong.rootSigner)
    wrong.ark.serialNumber = [0x77]
    wrong.rootSigner = forged(try SimulatedCase.Keys.shared().ark)
  },
  Fault("ark.validity", .expired) { $0.ark.notAfter = before },
  Fault("ark.validity", .expired) { $0.ark.notBefore = later },
  Fault("ark.may_issue", .mismatch) {
    $0.ark.extensions = [SimulatedCertificate.simulationMark]
  },
  Fault("ark.product", .mismatch) { wrong in
    wrong.ark.subject = name("ARK-Genoa")
    wrong.ask.issuer = wrong.ark.subject
    wrong.list?.issuer = wrong.ark.subject
  },
  Fault("ask.issuer", .mismatch) { $0.ask.issuer = name("ARK-Other") },
  Fault("ask.signature", .tampered) { $0.askSigner = forged(try SimulatedCase.Keys.shared().ark) },
  Fault("ask.signature_algorithm", .mismatch) {
    $0.askSigner = pkcs1(try SimulatedCase.Keys.shared().ark)
  },
  Fault("ask.validity", .expired) { $0.ask.notAfter = before },
  Fault("ask.may_issue", .mismatch) { $0.ask.extensions = [] },
  Fault("ask.product", .mismatch) { wrong in
    wrong.ask.subject = name("SEV-VLEK-Milan")
    wrong.leaf.issuer = wrong.ask.subject
  },
  Fault("vcek.product", .mismatch) { wrong in
    wrong.leaf.extensions.removeAll { $0.oid == amdArc + [2] }
    wrong.leaf.extensions.append(
      X509Extension(
        oid: amdArc + [2], isCritical: false, value: DERWriter.ia5String("Rome-B0")))
  },
  Fault("vcek.issuer", .mismatch) { $0.leaf.issuer = name("SEV-Genoa") },
  Fault("vcek.signature", .tampered) {
    $0.leafSigner = forged(try SimulatedCase.Keys.shared().ask)
  },
  Fault("vcek.signature", .tampered) {
    $0.leafSigner = .amd(try SimulatedCase.Keys.shared().ark)
  },
  Fault("vcek.signature_algorithm", .mismatch) {
    $0.leafSigner = pkcs1(try SimulatedCase.Keys.shared().ask)
  },
  Fault("vcek.validity", .expired) { $0.leaf.notAfter = before },
  Fault("vcek.validity", .expired) { $0.leaf.notBefore = later },
  Fault("vcek.hw_id_present", .mismatch) { wrong in
    wrong.leaf.extensions.removeAll { $0.oid == amdArc + [4] }
  },
  Fault("vlek.hw_id_present", .mismatch, vlek: true) { wrong in
    wrong.leaf.extensions.append(
      X509Extension(
        oid: amdArc + [4], isCritical: false, value: [UInt8](repeating: 0, count: 64)))
  },
  Fault("report.reported_tcb.snp", .mismatch) { wrong in
    wrong.leaf.extensions.removeAll { $0.oid == amdArc + [3, 3] }
  },
]

let listFaults: [Fault] = [
  Fault("crl.issuer", .mismatch) { $0.list?.issuer = name("ARK-Genoa") },
  Fault("crl.signature", .tampered) { $0.listSigner = forged(try SimulatedCase.Keys.shared().ark) },
  Fault("crl.signature", .tampered) { $0.listSigner = .amd(try SimulatedCase.Keys.shared().ask) },
  Fault("crl.validity", .expired) { $0.list?.nextUpdate = before },
  Fault("crl.validity", .expired) { $0.list?.thisUpdate = later },
  Fault("crl.issuer_may_sign", .mismatch) { wrong in
    wrong.ark.extensions =
      SimulatedCertificate.authority(signsLists: false)
      + [SimulatedCertificate.simulationMark]
  },
  Fault("ask.revoked", .revoked) {
    $0.list?.serialNumbers = [[0x01], SimulatedIssuance.askSerialNumber]
  },
  Fault("asvk.revoked", .revoked, vlek: true) {
    $0.list?.serialNumbers = [SimulatedIssuance.askSerialNumber]
  },
]

let policyFaults: [Fault] = [
  Fault("policy.tee", .mismatch) { $0.policy.tee = .oneOf([.tdx, .sgx]) },
  Fault("policy.platform", .mismatch) { $0.report.measurement[0] ^= 1 },
  Fault("policy.platform", .mismatch) { $0.policy.platform = .oneOf([]) },
  Fault("policy.workload", .mismatch) { $0.report.hostData[31] ^= 1 },
  Fault("policy.report_data", .mismatch) { $0.report.reportData[63] ^= 1 },
  Fault("policy.signer", .mismatch) { $0.report.idKeyDigest[0] = 1 },
  Fault("policy.chip_id", .mismatch) { $0.policy.chipID = .oneOf([[1]]) },
  Fault("policy.migratable", .mismatch) { $0.report.policy = SNPPolicy(rawValue: 0x70000) },
  Fault("policy.vmpl", .mismatch) { $0.report.vmpl = 1 },
  Fault("policy.minimum_tcb.snp", .mismatch) { $0.policy.minimumTCB = [.init("snp", 25)] },
  Fault("policy.minimum_tcb.committed_snp", .mismatch) { wrong in
    wrong.report.committedTCB[6] = 23
    wrong.policy.minimumTCB = [.init("committed_snp", 24)]
  },
  Fault("policy.minimum_tcb.fmc", .mismatch) { $0.policy.minimumTCB = [.init("fmc", 0)] },
  Fault("policy.fields.author_key_digest", .mismatch) { wrong in
    wrong.policy.fields = [
      FieldDemand("author_key_digest", oneOf: ["11", "22"]), FieldDemand("vmpl", oneOf: ["0"]),
    ]
  },
  Fault("policy.fields.isv_svn", .mismatch) {
    $0.policy.fields = [FieldDemand("isv_svn", oneOf: ["0"])]
  },
  Fault("policy.debug", .debug) { $0.report.policy = SNPPolicy(rawValue: 0xB0000) },
  Fault("policy.simulated", .untrustedRoot) {
    $0.policy.dangerouslyAcceptSimulatedEvidence = false
  },
]
