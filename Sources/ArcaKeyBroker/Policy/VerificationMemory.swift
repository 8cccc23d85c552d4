import Crypto
import Foundation
import Synchronization
import TEEAttestation

/// Remembers which certificates and revocation lists are signed by which keys, so that those of a
/// chip, or of a product line, are computed once.
final class RememberedSignatures: SignatureMemory {
  /// Digests kept at most, of 32 bytes each.
  static let countMax = 8192

  private let digests = Mutex<Set<[UInt8]>>([])

  func contains(_ digest: [UInt8]) -> Bool { digests.withLock { $0.contains(digest) } }

  func insert(_ digest: [UInt8]) {
    digests.withLock {
      if $0.count >= Self.countMax { $0 = [] }
      $0.insert(digest)
    }
  }
}

/// Remembers for some seconds which evidence held, so that a resource, and each rule that names it,
/// takes no verification of its own after the attestation.
final class VerificationMemory: Sendable {
  /// How long a verification counts, in seconds; certificates and revocation lists, which hold for
  /// weeks, are looked at anew after that.
  static let seconds: Int64 = 30
  /// Verifications kept at most.
  static let countMax = 1024

  private struct Known {
    let endorsements: Endorsements
    let time: VerificationTime
    let verification: Verification
  }

  private let known = Mutex<[SHA256Digest: Known]>([:])

  /// The verification of `document`, with revocation lists, made now or a few seconds ago.
  func verification(
    of document: Evidence, with endorsements: Endorsements, at time: VerificationTime,
    by verifier: Verifier
  ) -> Verification {
    var hash = SHA256()
    hash.update(data: Data(document.kind.rawValue.utf8))
    hash.update(data: document.document)
    hash.update(data: document.certificateTable)
    let digest = hash.finalize()
    if let known = known.withLock({ $0[digest] }), known.endorsements == endorsements,
      (0..<Self.seconds).contains(time.unixSeconds - known.time.unixSeconds)
    {
      return known.verification
    }
    let verification = verifier.verification(
      of: document, with: endorsements, needsRevocationLists: true, at: time)
    if verification.holds {
      known.withLock {
        if $0.count >= Self.countMax { $0 = [:] }
        $0[digest] = Known(endorsements: endorsements, time: time, verification: verification)
      }
    }
    return verification
  }
}
