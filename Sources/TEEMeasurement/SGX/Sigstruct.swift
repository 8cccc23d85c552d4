import ArcaBytes
import Crypto
import CryptoExtras

/// An enclave's signature structure, which EINIT demands (Intel SDM volume 3D, section 35.14).
public struct Sigstruct: Sendable, Equatable {
  /// Bytes in the structure.
  public static let byteCount = 1808
  private static let keyBytes = 384
  private static let header = [UInt8](Hex.decode("06000000e10000000000010000000000") ?? [])
  private static let secondHeader = [UInt8](Hex.decode("01010000600000006000000001000000") ?? [])
  private static let exponent: UInt32 = 3
  // Offsets in bytes; the signature covers what lies before the modulus and after itself.
  private static let signedLead = 0..<0x80
  private static let modulusRange = 0x80..<0x200
  private static let signatureRange = 0x204..<0x384
  private static let signedBody = 0x384..<0x404
  private static let q1Range = 0x410..<0x590
  private static let q2Range = 0x590..<0x710

  /// The structure as EINIT takes it; 1,808 bytes.
  public let bytes: [UInt8]
  /// What the signer states.
  public let identity: EnclaveIdentity

  /// Reads a structure, without verifying its signature.
  public init(bytes: [UInt8]) throws(MeasurementError) {
    guard bytes.count == Self.byteCount else {
      throw MeasurementError(
        .sigstructMalformed, "a SIGSTRUCT has 1808 bytes, but \(bytes.count) were given")
    }
    guard Array(bytes[0..<16]) == Self.header, Array(bytes[0x18..<0x28]) == Self.secondHeader else {
      throw MeasurementError(.sigstructMalformed, "the file has no SIGSTRUCT header")
    }
    func integer(_ offset: Int, _ count: Int) -> UInt32 {
      (0..<count).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
    guard integer(0x200, 4) == Self.exponent else {
      throw MeasurementError(
        .sigstructMalformed, "the SIGSTRUCT's RSA exponent is \(integer(0x200, 4)), expected 3")
    }
    self.bytes = bytes
    identity = EnclaveIdentity(
      mrenclave: Array(bytes[0x3c0..<0x3e0]), attributes: Array(bytes[0x3a0..<0x3b0]),
      attributesMask: Array(bytes[0x3b0..<0x3c0]), miscSelect: integer(0x384, 4),
      miscMask: integer(0x388, 4), productID: UInt16(truncatingIfNeeded: integer(0x400, 2)),
      securityVersion: UInt16(truncatingIfNeeded: integer(0x402, 2)), date: integer(0x14, 4))
  }

  /// The signer's identity: SHA-256 of the RSA modulus as it is stored; 32 bytes.
  public var mrsigner: [UInt8] { Array(SHA256.hash(data: bytes[Self.modulusRange])) }

  /// Checks the signature and the two quotients as EINIT does; throws where EINIT would fail.
  public func verify() throws(MeasurementError) {
    let modulus = NaturalNumber(littleEndian: bytes[Self.modulusRange])
    let signature = NaturalNumber(littleEndian: bytes[Self.signatureRange])
    guard signature < modulus,
      let powers = Self.powers(of: signature, modulo: modulus),
      powers.cube == NaturalNumber(littleEndian: Self.encodedMessage(bytes).reversed())
    else {
      throw MeasurementError(
        .sigstructSignature, "the SIGSTRUCT's RSA signature does not verify with its own key")
    }
    guard powers.q1 == NaturalNumber(littleEndian: bytes[Self.q1Range]),
      powers.q2 == NaturalNumber(littleEndian: bytes[Self.q2Range])
    else {
      throw MeasurementError(
        .sigstructSignature, "the SIGSTRUCT's quotients Q1 and Q2 do not fit its signature")
    }
  }

  /// Signs an enclave.
  ///
  /// - Parameters:
  ///   - identity: what is to be stated.
  ///   - keyPEM: an RSA key of 3,072 bits with the exponent 3, PKCS#1 or PKCS#8 in PEM.
  /// - Throws: ``MeasurementError`` with `keyUnsuitable` or `lengthWrong`.
  public init(signing identity: EnclaveIdentity, keyPEM: String) throws(MeasurementError) {
    let (key, modulus) = try Self.readKey(keyPEM)
    var structure = try Self.unsigned(identity, modulus: modulus)
    let signature: [UInt8]
    do {
      let message = structure[Self.signedLead] + structure[Self.signedBody]
      signature = try key.signature(
        for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5
      ).rawRepresentation.reversed()
    } catch {
      throw MeasurementError(.keyUnsuitable, "the key cannot sign: \(error)")
    }
    guard
      let powers = Self.powers(
        of: NaturalNumber(littleEndian: signature), modulo: NaturalNumber(littleEndian: modulus)),
      let q1 = powers.q1.littleEndian(count: Self.keyBytes),
      let q2 = powers.q2.littleEndian(count: Self.keyBytes)
    else { throw MeasurementError(.keyUnsuitable, "the key's signature has no quotients") }
    structure.replaceSubrange(Self.signatureRange, with: signature)
    structure.replaceSubrange(Self.q1Range, with: q1)
    structure.replaceSubrange(Self.q2Range, with: q2)
    bytes = structure
    self.identity = identity
  }

  private static func unsigned(
    _ identity: EnclaveIdentity, modulus: [UInt8]
  ) throws(MeasurementError) -> [UInt8] {
    guard identity.mrenclave.count == 32, identity.attributes.count == 16,
      identity.attributesMask.count == 16
    else {
      throw MeasurementError(
        .lengthWrong, "MRENCLAVE has 32 bytes, ATTRIBUTES and its mask 16 each; others were given")
    }
    var writer = ByteWriter(capacity: byteCount)
    writer.append(header)
    writer.u32(0)  // vendor: not Intel
    writer.u32(identity.date)
    writer.append(secondHeader)
    writer.zeros(modulusRange.lowerBound - writer.bytes.count)
    writer.append(modulus)
    writer.u32(exponent)
    writer.zeros(keyBytes)
    writer.u32(identity.miscSelect)
    writer.u32(identity.miscMask)
    writer.zeros(20)
    writer.append(identity.attributes)
    writer.append(identity.attributesMask)
    writer.append(identity.mrenclave)
    writer.zeros(32)
    writer.u16(identity.productID)
    writer.u16(identity.securityVersion)
    writer.zeros(byteCount - writer.bytes.count)
    return writer.bytes
  }

  private static func readKey(
    _ pem: String
  ) throws(MeasurementError) -> (_RSA.Signing.PrivateKey, modulus: [UInt8]) {
    let expected =
      "expected an RSA key of 3072 bits with exponent 3; make one with: openssl genrsa -3 3072"
    do {
      let key = try _RSA.Signing.PrivateKey(pemRepresentation: pem)
      let parts = try key.publicKey.getKeyPrimitives()
      let publicExponent = parts.publicExponent.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      if key.keySizeInBits == keyBytes * 8, publicExponent == UInt64(exponent),
        let modulus = NaturalNumber(littleEndian: parts.modulus.reversed())
          .littleEndian(count: keyBytes)
      {
        return (key, modulus)
      }
    } catch {
      throw MeasurementError(.keyUnsuitable, "the signing key cannot be read; \(expected)")
    }
    throw MeasurementError(.keyUnsuitable, "the signing key is of another kind; \(expected)")
  }

  /// EMSA-PKCS1-v1_5 (RFC 8017, section 9.2) of what the structure signs, most significant first.
  private static func encodedMessage(_ structure: [UInt8]) -> [UInt8] {
    let sha256Info: [UInt8] = [
      0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
      0x05, 0x00, 0x04, 0x20,
    ]
    let digest = SHA256.hash(data: structure[signedLead] + structure[signedBody])
    let tail = sha256Info + Array(digest)
    return [0, 1] + [UInt8](repeating: 0xff, count: keyBytes - tail.count - 3) + [0] + tail
  }

  private struct Powers {
    let q1: NaturalNumber
    let q2: NaturalNumber
    let cube: NaturalNumber
  }

  /// Q1 and Q2 let the processor compute the cube with multiplications alone.
  private static func powers(
    of signature: NaturalNumber, modulo modulus: NaturalNumber
  ) -> Powers? {
    guard let square = (signature * signature).divided(by: modulus),
      let cube = (square.remainder * signature).divided(by: modulus)
    else { return nil }
    return Powers(q1: square.quotient, q2: cube.quotient, cube: cube.remainder)
  }
}
