import ArcaBytes

/// A secret as the broker sends it: a JWE (RFC 7516, section 7.2.2) to the TEE's P-256 key.
public struct SealedSecret: Sendable {
  /// The protected header as it came, which is what the tag authenticates.
  public let header: [UInt8]
  /// The sender's ephemeral public point, x and y, 64 bytes.
  public let ephemeral: [UInt8]
  /// The content key under the key-encryption key, 40 bytes.
  public let wrapped: [UInt8]
  /// The initialization vector, 12 bytes.
  public let iv: [UInt8]
  /// As many bytes as the secret has.
  public let ciphertext: [UInt8]
  /// The authentication tag, 16 bytes.
  public let tag: [UInt8]

  /// Reads the JSON; algorithms other than ECDH-ES+A256KW on P-256 and A256GCM are refused.
  public init(_ json: [UInt8]) throws(AttesterError) {
    let parts = try JSONMembers.values(
      ["protected", "encrypted_key", "iv", "ciphertext", "tag"], in: json)
    header = try JSONMembers.text(parts[0])
    wrapped = try Self.decode(parts[1], 40...40, "encrypted_key")
    iv = try Self.decode(parts[2], 12...12, "iv")
    ciphertext = try Self.decode(parts[3], 0...HTTPResponse.bodyBytesMax, "ciphertext")
    tag = try Self.decode(parts[4], 16...16, "tag")
    let fields = try JSONMembers.values(
      ["alg", "enc", "epk"], in: try Self.decode(parts[0], 1...4096, "protected"))
    guard fields[0].elementsEqual(ascii: #""ECDH-ES+A256KW""#),
      fields[1].elementsEqual(ascii: #""A256GCM""#)
    else { throw AttesterError(.unsupported, "algorithms of the JWE") }
    let key = try JSONMembers.values(["crv", "kty", "x", "y"], in: fields[2])
    guard key[0].elementsEqual(ascii: #""P-256""#), key[1].elementsEqual(ascii: #""EC""#) else {
      throw AttesterError(.unsupported, "epk of the JWE")
    }
    ephemeral = try Self.decode(key[2], 32...32, "epk.x") + Self.decode(key[3], 32...32, "epk.y")
  }

  private static func decode(
    _ value: [UInt8], _ count: ClosedRange<Int>, _ field: StaticString
  ) throws(AttesterError) -> [UInt8] {
    guard let bytes = Base64Text.decode(try JSONMembers.text(value), .url),
      count.contains(bytes.count)
    else { throw AttesterError(.json, field) }
    return bytes
  }
}
