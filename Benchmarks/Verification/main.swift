import Crypto
import CryptoExtras
import Foundation
import TEEAttestation

// Time per verification on one thread, chain included: nothing is kept from one to the next but
// the pinned roots. Arguments: the vector folder, and how many rounds (default 400).

/// What one vector takes.
struct Measurement {
  let name: String
  let microseconds: [Double]

  var median: Double { microseconds.sorted()[microseconds.count / 2] }
  var fastest: Double { microseconds.min() ?? 0 }
}

func measure(_ name: String, rounds: Int, _ body: () -> Bool) -> Measurement? {
  guard body() else { return nil }
  let clock = ContinuousClock()
  var times: [Double] = []
  for _ in 0..<rounds {
    let start = clock.now
    _ = body()
    let elapsed = (clock.now - start).components
    times.append(Double(elapsed.seconds) * 1e6 + Double(elapsed.attoseconds) / 1e12)
  }
  return Measurement(name: name, microseconds: times)
}

func file(_ path: String) -> [UInt8]? {
  FileManager.default.contents(atPath: path).map { [UInt8]($0) }
}

/// What the signatures alone take: RSA-4096 with PSS under a key that is read each time, as a
/// chain's are, and P-384, with keys and hashes at hand.
func floors(rounds: Int) throws -> [Measurement] {
  let digest = SHA384.hash(data: [1, 2, 3])
  let rsa = try _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096))
  let rsaKey = rsa.publicKey
  let numbers = try rsaKey.getKeyPrimitives()
  let rsaSignature = try rsa.signature(for: digest, padding: .PSS)
  let p384 = P384.Signing.PrivateKey()
  let p384Key = p384.publicKey
  let p384Signature = try p384.signature(for: digest)
  return [
    measure("RSA-4096 PSS, key at hand", rounds: rounds) {
      rsaKey.isValidSignature(rsaSignature, for: digest, padding: .PSS)
    },
    measure("RSA-4096 PSS, key read", rounds: rounds) {
      let key = try? _RSA.Signing.PublicKey(n: numbers.modulus, e: numbers.publicExponent)
      return key?.isValidSignature(rsaSignature, for: digest, padding: .PSS) ?? false
    },
    measure("P-384", rounds: rounds) { p384Key.isValidSignature(p384Signature, for: digest) },
  ].compactMap { $0 }
}

/// When a vector is to be judged.
func time(of folder: String) -> VerificationTime? {
  guard let bytes = file("\(folder)/vector.json"),
    case .object(let members)? = try? JSONValue(json: bytes),
    case .string(let text)? = members["verify_time"]
  else { return nil }
  return VerificationTime(text)
}

func snp(_ folder: String, rounds: Int, withList: Bool) -> Measurement? {
  guard let report = file("\(folder)/report.bin"), let time = time(of: folder) else { return nil }
  let certificates = ["vcek.der", "vlek.der", "ask.der", "asvk.der", "ark.der"]
    .compactMap { file("\(folder)/\($0)") }
  let list = withList ? file("\(folder)/crl.der") : nil
  guard !withList || list != nil else { return nil }
  var policy = AppraisalPolicy.vendorOnly
  policy.dangerouslyAcceptMissingRevocationLists = list == nil
  // A synthetic vector's own root is its anchor, and is pinned as the vendors' are.
  let named = certificates.last.flatMap { try? TrustAnchors(certificates: [$0]) }
  let verifier = Verifier(anchors: named.map { TrustAnchors.vendors.adding($0) } ?? .vendors)
  let endorsements = Endorsements(
    amd: AMDEndorsements(certificates: certificates, revocationList: list))
  let name = (folder as NSString).lastPathComponent + (withList ? " +CRL" : "")
  return measure(name, rounds: rounds) {
    verifier.verdict(
      on: Evidence(kind: .snp, document: report), with: endorsements, under: policy, at: time
    ).isTrusted
  }
}

let arguments = CommandLine.arguments
guard arguments.count >= 2 else {
  print("usage: verification-benchmark VECTORS [ROUNDS]")
  exit(2)
}
let rounds = arguments.count > 2 ? Int(arguments[2]) ?? 400 : 400
let folders = [
  "snp-v3-milan-vcek-05b7438a", "snp-v3-genoa-vcek-227a641d", "snp-v5-milan-vcek-19a94fdb",
  "snp-v3-milan-vlek-decdab94", "synth-snp-turin-v5-valid",
]
var results = folders.compactMap {
  snp("\(arguments[1])/snp/\($0)", rounds: rounds, withList: false)
}
results += ["synth-snp-milan-v3-valid", "synth-snp-turin-v5-valid"].compactMap {
  snp("\(arguments[1])/snp/\($0)", rounds: rounds, withList: true)
}
results += quotes(in: arguments[1], rounds: rounds)
results += try floors(rounds: rounds)
results += try quoteFloor(rounds: rounds)
for result in results {
  print(
    "\(result.name): median \(Int(result.median.rounded())) µs,",
    "fastest \(Int(result.fastest.rounded())) µs")
}
exit(results.isEmpty ? 1 : 0)
