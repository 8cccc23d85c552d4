import Crypto

/// A root certificate that a chain may end in.
public struct TrustAnchor: Sendable {
  /// The certificate.
  public let certificate: X509Certificate
  /// Whether it is one of the vendors' roots that this module pins.
  public let isVendors: Bool
  /// Its key, read once.
  let key: X509PublicKey

  init(_ certificate: X509Certificate, isVendors: Bool) throws(AttestationError) {
    self.certificate = certificate
    self.isVendors = isVendors
    key = try certificate.publicKey()
  }

  /// Whether it is a simulated vendor's root; a vendor's own never is.
  public var isSimulated: Bool { !isVendors && certificate.isMarkedSimulated }
}

/// The roots that a verifier trusts: the vendors' own, or those that the caller names.
///
/// A presented root is trusted when it equals a pinned certificate byte for byte, or names the same
/// subject with the same key and signs itself. The second is needed because Intel issued its root
/// twice with one key, and chains with either are in the field. A pinned certificate's own
/// signature says nothing more than the pin does, and is not computed again.
public struct TrustAnchors: Sendable {
  /// The anchors, in the order in which they are tried.
  public let anchors: [TrustAnchor]
  /// Roots of SEV platforms that stand for no hardware, by SHA-256; AMD's own are always trusted.
  public private(set) var simulatedSEVRoots: [[UInt8]] = []

  /// AMD's ARK for Milan, Genoa and Turin, and the Intel SGX Root CA.
  public static let vendors = TrustAnchors(
    anchors: [
      VendorRoots.arkMilan, VendorRoots.arkGenoa, VendorRoots.arkTurin, VendorRoots.intelSGX,
    ].compactMap { text in
      guard let root = try? X509Certificate.chain(pem: Array(text.utf8)).first else { return nil }
      return try? TrustAnchor(root, isVendors: true)
    })

  /// The roots in `certificates`, DER each, and no others.
  public init(certificates: [[UInt8]]) throws(AttestationError) {
    var anchors: [TrustAnchor] = []
    for der in certificates {
      anchors.append(try TrustAnchor(try X509Certificate(der: der), isVendors: false))
    }
    self.anchors = anchors
  }

  private init(anchors: [TrustAnchor]) {
    self.anchors = anchors
  }

  /// These roots and those of `other`.
  public func adding(_ other: TrustAnchors) -> TrustAnchors {
    var sum = TrustAnchors(anchors: anchors + other.anchors)
    sum.simulatedSEVRoots = simulatedSEVRoots + other.simulatedSEVRoots
    return sum
  }

  /// These roots and a simulated SEV platform's, ``SEVAuthority`` in bytes.
  ///
  /// What ends in it is called simulated; it needs no mark of that, since AMD's own are known.
  public func adding(simulatedSEVRoot root: [UInt8]) throws(AttestationError) -> TrustAnchors {
    let authority = try SEVAuthority(prefixOf: root[...])
    guard authority.usage == .ark, authority.bytes.count == root.count else {
      throw AttestationError(.malformed, "simulated SEV root: expected one ARK and no more")
    }
    var sum = self
    sum.simulatedSEVRoots.append(Array(SHA256.hash(data: root)))
    return sum
  }

  /// The roots that chains of SEV platforms may end in.
  public var sevRoots: [(product: String, sha256: [UInt8])] {
    SEVChain.roots + simulatedSEVRoots.map { ("simulated", $0) }
  }

  /// The anchor whose certificate is `der` byte for byte.
  func anchor(exactly der: [UInt8]) -> TrustAnchor? {
    anchors.first { $0.certificate.der == der }
  }

  /// The anchor that `certificate` is another issue of: same subject, same key.
  func anchor(matching certificate: X509Certificate) -> TrustAnchor? {
    anchors.first {
      $0.certificate.subject == certificate.subject
        && $0.certificate.publicKeyInfo == certificate.publicKeyInfo
    }
  }
}

extension X509Certificate {
  /// Whether it carries the mark of a simulated vendor's root.
  var isMarkedSimulated: Bool { extensionValue(SimulationMarker.oid) != nil }
}

/// What tells a simulated vendor's root from a real one.
///
/// A non-critical extension under a UUID-derived arc (ITU-T X.667; 2.25 with the UUID
/// ac3eb594-f3f7-4cdd-90fb-0b0878a7d39e), which no vendor issues; its value is DER NULL. The mark
/// is inside the signed part, so it cannot be taken off; and a root without it is not trusted
/// unless the caller names it, so leaving it out gains nothing.
enum SimulationMarker {
  /// Content octets of the object identifier.
  static let oid: [UInt8] = [
    0x69, 0x82, 0xD8, 0xBE, 0xDA, 0xE5, 0x9E, 0xBF, 0xBA, 0xB3, 0xBB, 0x90, 0xFD, 0xC2, 0xE1, 0x87,
    0xC5, 0x9F, 0xA7, 0x1E,
  ]
}
