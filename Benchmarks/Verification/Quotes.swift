import Crypto
import Foundation
import TEEAttestation

/// Quotes of real platforms with all their collateral: chains, revocation lists, TCB info and QE
/// identity are read and verified anew in each round.
func quotes(in vectors: String, rounds: Int) -> [Measurement] {
  let folders = [
    "sgx/sgx-v3-606ccfe1-swhardeningneeded", "tdx/tdx-v4-00b2526a-uptodate",
    "tdx/tdx-v5-cf77a6e9-uptodate",
  ]
  return folders.compactMap { quote("\(vectors)/\($0)", rounds: rounds) }
}

private func quote(_ folder: String, rounds: Int) -> Measurement? {
  guard let document = file("\(folder)/quote.bin"), let time = time(of: folder),
    let evidence = Evidence(detecting: document)
  else { return nil }
  let intel = IntelEndorsements(
    tcbInfo: file("\(folder)/tcb_info.json"),
    tcbInfoChain: file("\(folder)/tcb_signing_chain.pem"),
    qeIdentity: file("\(folder)/qe_identity.json"),
    qeIdentityChain: file("\(folder)/qe_identity_chain.pem"),
    rootRevocationList: file("\(folder)/root_ca.crl.der"),
    pckRevocationList: file("\(folder)/pck.crl.der"))
  var policy = AppraisalPolicy.vendorOnly
  policy.acceptedStatuses = [.upToDate, .swHardeningNeeded]
  let verifier = Verifier()
  let endorsements = Endorsements(intel: intel)
  return measure((folder as NSString).lastPathComponent, rounds: rounds) {
    verifier.verdict(on: evidence, with: endorsements, under: policy, at: time).isTrusted
  }
}

/// What the signatures of a quote and its collateral take alone.
///
/// Nine of ECDSA P-256: PCK certificate, its authority, TCB signer, two revocation lists, TCB info,
/// QE identity, QE report, quote. No verifier that uses the same primitive can be faster.
func quoteFloor(rounds: Int) throws -> [Measurement] {
  let key = P256.Signing.PrivateKey()
  let digest = SHA256.hash(data: [1])
  let signature = try key.signature(for: digest)
  return [
    measure("P-256 nine times", rounds: rounds) {
      (0..<9).allSatisfy { _ in key.publicKey.isValidSignature(signature, for: digest) }
    }
  ].compactMap { $0 }
}
