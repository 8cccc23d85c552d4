import CryptoExtras

/// Keys that sign enclaves: RSA of 3,072 bits with the exponent 3, the only ones that EINIT takes.
public enum EnclaveKey {
  private static let three = NaturalNumber(littleEndian: [3])
  private static let one = NaturalNumber(littleEndian: [1])
  private static let keyBytes = 384
  /// A key serves where both primes leave 2 when divided by 3: one of four.
  private static let attemptsMax = 200

  /// A new key, in PEM.
  ///
  /// The primes are those of an ordinary key that the cryptographic library made, which has no way
  /// to make one with this exponent; only exponents are computed here.
  ///
  /// - Throws: ``MeasurementError/Code/keyUnsuitable`` where the library makes none.
  public static func generate() throws(MeasurementError) -> String {
    do {
      for _ in 0..<attemptsMax {
        let ordinary = try _RSA.Signing.PrivateKey(keySize: .bits3072)
        if let key = try withExponentThree(ordinary) { return key.pemRepresentation + "\n" }
      }
    } catch {
      throw MeasurementError(.keyUnsuitable, "a key that signs enclaves cannot be made: \(error)")
    }
    throw MeasurementError(.keyUnsuitable, "no key with the exponent 3 was found")
  }

  /// The key of the same primes with the exponent 3, or nil where that divides a prime less one.
  private static func withExponentThree(
    _ key: _RSA.Signing.PrivateKey
  ) throws -> _RSA.Signing.PrivateKey? {
    let numbers = integers(ofDER: Array(key.derRepresentation))
    // RFC 8017, A.1.2: version, modulus, both exponents, both primes, and what follows from them.
    guard numbers.count >= 6 else { return nil }
    let primes = numbers[4...5].map { NaturalNumber(littleEndian: Array($0.reversed())[...]) }
    let lesser = primes.map { $0.subtracting(one) }
    guard lesser.allSatisfy({ $0.divided(by: three)?.remainder == one }) else { return nil }
    // (p - 1)(q - 1) leaves 1, so 3d = 2(p - 1)(q - 1) + 1 has a whole d.
    let product = lesser[0] * lesser[1]
    guard let private_ = (product.doubled(adding: 1)).divided(by: three)?.quotient,
      let exponent = private_.littleEndian(count: keyBytes)
    else { return nil }
    return try _RSA.Signing.PrivateKey(
      n: numbers[1], e: [3] as [UInt8], d: Array(exponent.reversed()), p: numbers[4], q: numbers[5])
  }

  /// The INTEGERs of a PKCS#1 key in DER, or of the one within a PKCS#8 key, in their order.
  private static func integers(ofDER bytes: [UInt8]) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var rest = bytes[...]
    while let tag = rest.popFirst(), let first = rest.popFirst() {
      var count = Int(first)
      if first >= 0x80 {
        count = 0
        for _ in 0..<(first & 0x7f) { count = count << 8 | Int(rest.popFirst() ?? 0) }
      }
      switch tag {
      case 0x02:
        found.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      case 0x30:
        // What is in a sequence follows; the algorithm's has no INTEGER.
        continue
      case 0x04:
        // PKCS#8 keeps the key as octets, behind a version of its own.
        found = []
      default: rest = rest.dropFirst(count)
      }
    }
    return found
  }
}
