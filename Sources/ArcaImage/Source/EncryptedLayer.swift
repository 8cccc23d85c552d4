import ArcaOCI
import Foundation

/// A layer that is encrypted by ocicrypt, as CNCF Confidential Containers has it.
///
/// There the guest unpacks the image. Here the host would have to, and so would hold the plaintext.
struct EncryptedLayer {
  private static let keysPrefix = "org.opencontainers.image.enc.keys."
  private static let attestationAgent = keysPrefix + "provider.attestation-agent"
  private static let packetBytesMax = 64 << 10

  /// What the attestation agent's annotation says, in either of its versions.
  private struct Packet: Decodable {
    let kid: String
    let wrapType: String?

    enum CodingKeys: String, CodingKey {
      case kid
      case wrapType = "wrap_type"
    }
  }

  /// What the layer's key is wrapped by, for people.
  let key: String

  /// Nil where the layer is not encrypted.
  init?(_ descriptor: Descriptor) {
    let wrapped = (descriptor.annotations ?? [:]).filter { $0.key.hasPrefix(Self.keysPrefix) }
    guard descriptor.mediaType.hasSuffix("+encrypted") || !wrapped.isEmpty else { return nil }
    if let annotation = wrapped[Self.attestationAgent] {
      key = Self.describe(annotation)
    } else if let other = wrapped.keys.min() {
      key = "wrapped by \(other.dropFirst(Self.keysPrefix.count).prefix(64))"
    } else {
      key = "of an unknown wrapping: there is no annotation"
    }
  }

  private static func describe(_ annotation: String) -> String {
    guard annotation.utf8.count <= packetBytesMax,
      let data = Data(base64Encoded: annotation),
      let packet = try? JSONDecoder().decode(Packet.self, from: data)
    else { return "wrapped for an attestation agent in a form that cannot be read" }
    let kid = packet.kid.prefix(256).filter { $0.isASCII && !$0.isWhitespace && $0 > " " }
    return "wrapped by \(kid) (\((packet.wrapType ?? "unknown algorithm").prefix(16)))"
  }

  /// Why the layer labelled `label` is refused.
  func refusal(_ label: String) -> ImageError {
    ImageError(
      .encrypted,
      "\(label): encrypted, its key \(key); converting it here would show it to this host. "
        + "On the owner's machine, decrypt it (skopeo copy --decryption-key) and make an Arca "
        + "image (arca image build --encrypt)")
  }
}
