import ArcaBytes
import TEEEvidence

/// What the key broker's answers hold.
public enum BrokerAnswer {
  /// The challenge's nonce: base64 of 1 to 64 bytes, as it came.
  ///
  /// A broker that asks for another hash than SHA-384 is refused.
  public static func nonce(_ json: [UInt8]) throws(AttesterError) -> [UInt8] {
    let values = try JSONMembers.values(["nonce", "extra-params"], in: json)
    let nonce = try JSONMembers.text(values[0])
    guard let bytes = Base64Text.decode(nonce, .standard), (1...64).contains(bytes.count) else {
      throw AttesterError(.json, "challenge's nonce")
    }
    if values[1].first == UInt8(ascii: "{") {
      let hash = try JSONMembers.values(["selected-hash-algorithm"], in: values[1])[0]
      guard hash.isEmpty || hash.elementsEqual(ascii: #""sha384""#) else {
        throw AttesterError(.unsupported, "challenge's selected-hash-algorithm")
      }
    }
    return nonce
  }

  /// The attestation token, a JWT in compact form.
  public static func token(_ json: [UInt8]) throws(AttesterError) -> [UInt8] {
    let token = try JSONMembers.text(try JSONMembers.values(["token"], in: json)[0])
    guard !token.isEmpty, token.allSatisfy({ $0.isNameByte(or: "-._") }) else {
      throw AttesterError(.json, "token")
    }
    return token
  }

  /// What a refusal says (`detail`), as it stands in the JSON; empty where it says nothing.
  public static func refusal(_ json: [UInt8]) -> [UInt8] {
    Array(((try? JSONMembers.values(["detail"], in: json)[0]) ?? []).dropFirst().dropLast())
  }
}

/// Members of a JSON object by their names, and nothing behind the object.
enum JSONMembers {
  /// The JSON of the value of each of `names`; empty where there is none.
  static func values(_ names: [StaticString], in json: [UInt8]) throws(AttesterError) -> [[UInt8]] {
    var values = [[UInt8]](repeating: [], count: names.count)
    do throws(EvidenceError) {
      var reader = JSONReader(json)
      try reader.beginObject()
      while let name = try reader.nextName() {
        let value = try reader.skipValue()
        guard let index = names.firstIndex(where: { json[name].elementsEqual(ascii: $0) }) else {
          continue
        }
        guard values[index].isEmpty else {
          throw EvidenceError(.invalid, "member given twice", at: value.lowerBound)
        }
        values[index] = Array(json[value])
      }
      try reader.expectEnd()
    } catch {
      throw AttesterError(.json, error.field)
    }
    return values
  }

  /// What a string without escapes says.
  static func text(_ value: [UInt8]) throws(AttesterError) -> [UInt8] {
    guard value.count >= 2, value.first == UInt8(ascii: "\""),
      !value.contains(UInt8(ascii: "\\"))
    else { throw AttesterError(.json, "string") }
    return Array(value[1..<value.count - 1])
  }
}
