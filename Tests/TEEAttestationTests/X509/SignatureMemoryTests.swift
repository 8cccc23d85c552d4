import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// A memory that never forgets, shared by every case of the suites that judge through
/// ``Verdict/alike(_:)``.
final class LastingMemory: SignatureMemory, @unchecked Sendable {
  static let shared = LastingMemory()

  private let lock = NSLock()
  private var digests: Set<[UInt8]> = []
  private var hits = 0

  func contains(_ digest: [UInt8]) -> Bool {
    lock.withLock {
      let isKnown = digests.contains(digest)
      hits += isKnown ? 1 : 0
      return isKnown
    }
  }

  func insert(_ digest: [UInt8]) { _ = lock.withLock { digests.insert(digest) } }

  /// How many digests there are, and how often one was found.
  var counts: (digests: Int, hits: Int) { lock.withLock { (digests.count, hits) } }
}

extension Verdict {
  /// The verdict that `judge` comes to without a memory, which must be the one that it comes to
  /// with what every case before has left in a memory, and once more with what this one has.
  static func alike(_ judge: ((any SignatureMemory)?) throws -> Verdict) rethrows -> Verdict {
    let verdict = try judge(nil)
    for _ in 0..<2 {
      let remembered = try judge(LastingMemory.shared)
      #expect(remembered.kind == verdict.kind)
      #expect(remembered.checks == verdict.checks)
      #expect(remembered.missing == verdict.missing)
      #expect(remembered.isTrusted == verdict.isTrusted)
    }
    return verdict
  }
}

@Suite struct SignatureMemoryTests {
  @Test func `signatures that held are computed once, and only those are kept`() throws {
    let memory = LastingMemory()
    let sound = try SimulatedCase()
    let bytes = try sound.encoded()
    let verifier = Verifier(
      anchors: try TrustAnchors(certificates: [bytes.certificates[2]]), memory: memory)
    func verdict(_ certificates: [[UInt8]], at time: VerificationTime) -> Verdict {
      verifier.verdict(
        on: Evidence(kind: .snp, document: bytes.report),
        with: Endorsements(
          amd: AMDEndorsements(certificates: certificates, revocationList: bytes.list)),
        under: sound.policy, at: time)
    }
    var forged = bytes.certificates
    forged[0][forged[0].count - 1] ^= 1
    #expect(verdict(forged, at: sound.time).kind == .tampered)
    // The intermediate authority and the list; not the leaf, nor the root, which is pinned.
    #expect(memory.counts == (2, 0))
    #expect(verdict(bytes.certificates, at: sound.time).reasons.isEmpty)
    #expect(memory.counts == (3, 2))
    #expect(verdict(bytes.certificates, at: sound.time).reasons.isEmpty)
    #expect(memory.counts == (3, 5))
    #expect(verdict(forged, at: sound.time).kind == .tampered)
    #expect(memory.counts == (3, 7))
    // Time is looked at whatever is remembered.
    let late = VerificationTime(unixSeconds: SimulatedCase.start.unixSeconds + (100 * 365 * 86_400))
    #expect(verdict(bytes.certificates, at: late).kind == .expired)
  }

  @Test func `a certificate is remembered for the key that signed it alone`() throws {
    let memory = LastingMemory()
    let bytes = try SimulatedCase().encoded()
    func verdict(_ root: [UInt8]) throws -> Verdict {
      Verifier(anchors: try TrustAnchors(certificates: [root]), memory: memory).verdict(
        onChainOf: AMDEndorsements(
          certificates: [bytes.certificates[0], bytes.certificates[1], root],
          revocationList: bytes.list), at: SimulatedCase.start)
    }
    #expect(try verdict(bytes.certificates[2]).kind == .chainValid)
    // A root of the same name with another key; the authority below it is known by the first.
    var other = try SimulatedCase()
    other.ark.publicKeyInfo = other.ask.publicKeyInfo
    let root = try other.encoded().certificates[2]
    let kind = try verdict(root).kind
    #expect(kind == .tampered)
  }
}
