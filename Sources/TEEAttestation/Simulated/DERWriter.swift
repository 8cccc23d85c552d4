/// Writes DER (ITU-T X.690), element by element; the counterpart of ``DERReader``.
package enum DERWriter {
  /// An element with `tag` and `content`.
  package static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    if content.count < 0x80 { return [tag, UInt8(content.count)] + content }
    var length: [UInt8] = []
    var rest = content.count
    while rest > 0 {
      length.insert(UInt8(truncatingIfNeeded: rest), at: 0)
      rest >>= 8
    }
    return [tag, 0x80 | UInt8(length.count)] + length + content
  }

  /// A SEQUENCE of `elements`.
  package static func sequence(_ elements: [[UInt8]]) -> [UInt8] {
    element(DERReader.Tag.sequence, Array(elements.joined()))
  }

  /// A non-negative INTEGER from its big-endian octets.
  package static func integer(_ octets: [UInt8]) -> [UInt8] {
    let digits = Array(octets.drop { $0 == 0 })
    let needsSign = digits.first.map { $0 >= 0x80 } ?? true
    return element(DERReader.Tag.integer, (needsSign ? [0] : []) + digits)
  }

  /// An OBJECT IDENTIFIER from its content octets.
  package static func oid(_ content: [UInt8]) -> [UInt8] { element(DERReader.Tag.oid, content) }

  /// A BIT STRING without unused bits.
  package static func bitString(_ octets: [UInt8]) -> [UInt8] {
    element(DERReader.Tag.bitString, [0] + octets)
  }

  /// An IA5String.
  package static func ia5String(_ text: String) -> [UInt8] {
    element(DERReader.Tag.ia5String, Array(text.utf8))
  }

  /// A GeneralizedTime, or a UTCTime before 2050 as RFC 5280, section 4.1.2.5 demands.
  package static func time(_ time: VerificationTime) -> [UInt8] {
    let digits = time.text.utf8.filter { $0 >= 48 && $0 <= 57 }
    return digits.prefix(4).lexicographicallyPrecedes(Array("2050".utf8))
      ? element(DERReader.Tag.utcTime, digits.dropFirst(2) + [90])
      : element(DERReader.Tag.generalizedTime, digits + [90])
  }

  /// A Name of an organisation and a common name.
  package static func name(organization: String, commonName: String) -> [UInt8] {
    let utf8String: UInt8 = 0x0C
    func attribute(_ last: UInt8, _ text: String) -> [UInt8] {
      element(
        DERReader.Tag.set,
        sequence([oid([0x55, 0x04, last]), element(utf8String, Array(text.utf8))]))
    }
    return sequence([attribute(10, organization), attribute(3, commonName)])
  }

  /// A list of extensions.
  package static func extensions(_ list: [X509Extension]) -> [UInt8] {
    sequence(
      list.map { item in
        let critical = item.isCritical ? element(DERReader.Tag.boolean, [0xFF]) : []
        return sequence([
          oid(item.oid), critical, element(DERReader.Tag.octetString, item.value),
        ])
      })
  }
}
