import ArcaBytes
import ArcaKeyBroker
import Crypto
import CryptoExtras
import Foundation
import Testing

/// The protocol's cryptography, by its published and its shared vectors, in both directions.
@Suite struct JOSETests {
  /// A message that was encrypted by another implementation of CoCo's algorithm, for the key `d`.
  static let d = "FRWkU7N36amO8OKXWvIqNCsoQ5OKMOz7oiBR_Fc8a8U"
  static let response = """
    {"protected":"eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00iLCJlcGsiOnsiY3J2IjoiUC0yNTYi\
    LCJrdHkiOiJFQyIsIngiOiJQYktHQmxkbGNjbkFLZ3BSTHlzSWtvSzJ6N3U5eXpZX3lkWm5FQTQ4MFNZIiwieSI6Ink5cD\
    F6TmRscVVtaVBhTXQ0Mk9nS1U5OHM1a0p4RThTdnd0Um1XcnM2NzAifX0",
    "encrypted_key":"K13Z5sOwOtJHY4dEkCbkq_BjsjrrIQidYj9Di5cQu2nV2x3h54s9KQ",
    "iv":"AAECAwQFBgcICQoL","ciphertext":"M2elb-WGrXX5JPn_","tag":"Bpb6fdfgbWxOilbvhPF1IQ"}
    """

  static func privateKey() throws -> P256.KeyAgreement.PrivateKey {
    try P256.KeyAgreement.PrivateKey(
      rawRepresentation: Base64.decode(d, .url) ?? [])
  }

  @Test(arguments: [
    ("[0,1,255]", [0, 1, 255]), (" [ 7 ,\n8\t] ", [7, 8]), ("[100]", [100]),
  ]) func numbersBelow256AreOctets(text: String, expected: [UInt8]) throws {
    let json = try StrictJSON(parsing: Array(text.utf8))
    #expect(json == .octets(expected))
    #expect(json == .array(expected.map { .number(UInt64($0)) }))
    #expect(StrictJSON.array(expected.map { .number(UInt64($0)) }) == json)
    #expect(json.elements == expected.map { .number(UInt64($0)) })
    #expect(try StrictJSON(parsing: Array(json.compact.utf8)) == json)
    #expect(json != .octets(expected + [0]) && json != .array([]))
  }

  @Test(arguments: ["[]", "[256]", "[1,256]", "[1,\"2\"]", "[1,[2]]", "[1000]"])
  func otherArraysAreNoOctets(text: String) throws {
    let json = try StrictJSON(parsing: Array(text.utf8))
    guard case .array = json else {
      Issue.record("\(text) is read as \(json)")
      return
    }
    #expect(json.compact == text)
  }

  @Test(arguments: ["[1,]", "[01]", "[,1]", "[1 2]", "[1", "[", "[-1]", "[1.0]", "[00]", "[0255]"])
  func whatIsNoArrayIsRefused(text: String) async {
    #expect(await refusal { _ = try StrictJSON(parsing: Array(text.utf8)) } == .malformed)
  }

  @Test(arguments: [2, 16, 17, 40]) func noMemberComesTwice(count: Int) async throws {
    let names = (0..<count).map { "n\($0)" }
    func text(_ names: [String]) -> [UInt8] {
      Array(("{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}").utf8)
    }
    #expect(try StrictJSON(parsing: text(names))[names[count - 1]] == .number(0))
    for twice in [0, count / 2, count - 1] {
      #expect(
        await refusal { _ = try StrictJSON(parsing: text(names + [names[twice]])) } == .malformed)
    }
  }

  @Test func theSharedVectorDecrypts() throws {
    let jwe = try JWE(StrictJSON(parsing: Array(Self.response.utf8)))
    #expect(try jwe.decrypt(with: Self.privateKey()) == Data("test content".utf8))
  }

  @Test(arguments: ["protected", "encrypted_key", "iv", "ciphertext", "tag"])
  func aChangedMemberDoesNotDecrypt(member: String) throws {
    let json = try StrictJSON(parsing: Array(Self.response.utf8))
    guard case .object(let members) = json else { return }
    let changed = members.map { entry -> StrictJSON.Member in
      guard entry.name == member, let text = entry.value.text,
        var bytes = Base64.decode(text, .url)
      else { return entry }
      bytes[bytes.count - 3] ^= 1
      return .init(entry.name, .string(Base64.encode(bytes, .url)))
    }
    #expect(throws: KeyBrokerError.self) {
      try JWE(.object(changed)).decrypt(with: Self.privateKey())
    }
  }

  @Test func encryptionOpensWithTheKeyAlone() throws {
    let key = P256.KeyAgreement.PrivateKey()
    let jwe = try JWE.encrypt(Data("abc".utf8), to: TEEPublicKey(BrokerFixture.jwk(key.publicKey)))
    let again = try JWE(StrictJSON(parsing: Array(jwe.json.utf8)))
    #expect(try again.decrypt(with: key) == Data("abc".utf8))
    #expect(throws: KeyBrokerError.self) { try again.decrypt(with: .init()) }
  }

  @Test func theHeaderHasTheOrderThatCoCosClientWritesAnew() throws {
    let key = P256.KeyAgreement.PrivateKey()
    let jwe = try JWE.encrypt(Data(), to: TEEPublicKey(BrokerFixture.jwk(key.publicKey)))
    let header = String(decoding: Base64.decode(jwe.protected, .url) ?? [], as: UTF8.self)
    let start = #/\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC",/#
    let rest = #/"x":"[^"]{43}","y":"[^"]{43}"\}\}/#
    let after = header.prefixMatch(of: start).map { header[$0.range.upperBound...] }
    #expect(after?.wholeMatch(of: rest) != nil)
  }

  @Test func otherKindsOfKeyAreServed() throws {
    let p521 = Array(P521.KeyAgreement.PrivateKey().publicKey.rawRepresentation)
    let wide = try TEEPublicKey(
      .members(
        ("kty", .string("EC")), ("crv", .string("P-521")), ("alg", .string("ECDH-ES+A256KW")),
        ("x", .string(Base64.encode(p521[..<66], .url))),
        ("y", .string(Base64.encode(p521[66...], .url)))))
    #expect(try JWE.encrypt(Data("x".utf8), to: wide).encryptedKey.count == 40)
    let rsa = try _RSA.Encryption.PrivateKey(keySize: .bits2048)
    let parts = try rsa.publicKey.getKeyPrimitives()
    let jwk = StrictJSON.members(
      ("kty", .string("RSA")), ("alg", .string("RSA-OAEP-256")),
      ("n", .string(Base64.encode(Array(parts.modulus), .url))),
      ("e", .string(Base64.encode(Array(parts.publicExponent), .url))))
    let jwe = try JWE.encrypt(Data("x".utf8), to: TEEPublicKey(jwk))
    let contentKey = try rsa.decrypt(jwe.encryptedKey, padding: .PKCS1_OAEP_SHA256)
    let box = try AES.GCM.SealedBox(
      nonce: .init(data: jwe.iv), ciphertext: jwe.ciphertext, tag: jwe.tag)
    let plain = try AES.GCM.open(
      box, using: SymmetricKey(data: contentKey), authenticating: Data(jwe.protected.utf8))
    #expect(plain == Data("x".utf8))
  }

  static let good =
    #"{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","#
    + #""x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","#
    + #""y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#

  @Test(arguments: [
    ("P-256", "P-384"), ("ECDH-ES+A256KW", "ECDH-ES"), ("\"kty\"", "\"kid\":\"1\",\"kty\""),
    ("e8lnCO", "e9lnCO"), ("\"EC\"", "\"RSA\""), ("Oyck\"", "Oyckk\""), ("Oyck\"", "Oyc\""),
  ])
  func aKeyThatIsNotOneIsRefused(from: String, to: String) throws {
    let changed = Self.good.replacingOccurrences(of: from, with: to)
    #expect(changed != Self.good)
    #expect {
      try TEEPublicKey(StrictJSON(parsing: Array(changed.utf8)))
    } throws: { ($0 as? KeyBrokerError)?.code == .invalidKey }
  }

  @Test func theReportDataVectorHolds() throws {
    let key = try TEEPublicKey(StrictJSON(parsing: Array(Self.good.utf8)))
    let digest = KBSAttestation.reportData(
      nonce: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", key: key)
    #expect(
      Hex.encode(digest) == "d59c5ca13c55df86b2fc4ce983ae8f26d00a1082f3acf26d7b077c4a7a264e44"
        + "b4b1f8cce97801cfba202e3197d053ef")
  }

  // RFC 8037, appendix A.4; RFC 7515, appendix A.3.
  @Test func publishedTokensVerify() throws {
    let ed = try Curve25519.Signing.PublicKey(
      rawRepresentation: Base64.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", .url) ?? [])
    let token =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
      + "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    // Its payload is no JSON, so only the signature's check can be seen: changed, it differs too.
    #expect(JWS.verify(token, with: [.edDSA(ed)]) == nil)
    let x = Base64.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", .url) ?? []
    let y = Base64.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", .url) ?? []
    let ec = try P256.Signing.PublicKey(rawRepresentation: x + y)
    let es =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"
      + "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa"
      + "8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    #expect(JWS.verify(es, with: [.es256(ec)])?["iss"]?.text == "joe")
    #expect(
      JWS.verify(es.replacingOccurrences(of: "DtEh", with: "DtEi"), with: [.es256(ec)]) == nil)
    #expect(JWS.verify(es, with: [.edDSA(ed)]) == nil)
  }

  @Test func aTokenWithoutSignatureIsRefused() {
    let none = Base64.encode(Array(#"{"alg":"none"}"#.utf8), .url) + ".e30."
    #expect(JWS.verify(none, with: [.es256(P256.Signing.PrivateKey().publicKey)]) == nil)
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
  ])
  func base64HasOneForm(text: String, encoded: String) {
    #expect(Base64.encode(Array(text.utf8), .standard) == encoded)
    #expect(Base64.decode(encoded, .standard) == Array(text.utf8))
    let bare = encoded.replacingOccurrences(of: "=", with: "")
    #expect(Base64.decode(bare, .url) == Array(text.utf8))
  }

  @Test(arguments: ["Zh==", "Zg=", "Zg", "Z===", "Zg==\n", "Zm9=", "Zm-v", "===="])
  func otherFormsAreRefused(text: String) {
    #expect(Base64.decode(text, .standard) == nil)
  }

  @Test func canonicalTextSortsAndEscapes() throws {
    let text = #"{ "b" : [1, true, null], "a":"\u20ac\u0007\/\"", "\ud83d\ude00": {} }"#
    let value = try StrictJSON(parsing: Array(text.utf8))
    #expect(value.canonical == #"{"a":"€\u0007/\"","b":[1,true,null],"😀":{}}"#)
  }

  @Test(arguments: [
    #"{"a":1,"a":2}"#, "01", "1.5", "-1", "1e3", #""\ud800""#, "[1,]", "{", "\"\u{1}\"", "nul",
    "1 2", "18446744073709551616", #""\u+123""#,
  ])
  func whatIsNotStrictJSONIsRefused(text: String) {
    #expect(throws: KeyBrokerError.self) { try StrictJSON(parsing: Array(text.utf8)) }
  }

  @Test func deepNestingIsRefused() {
    let text = String(repeating: "[", count: 100_000)
    #expect {
      try StrictJSON(parsing: Array(text.utf8))
    } throws: { ($0 as? KeyBrokerError)?.code == .tooLarge }
  }
}
