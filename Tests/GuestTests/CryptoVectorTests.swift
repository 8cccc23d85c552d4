import ArcaBytes
import ArcaTestSupport
import Foundation
import Testing

extension GuestTests {
  /// The guest's own C and its Mbed TLS, compiled as for the guest and run here.
  @Suite struct CryptoVectorTests {
    /// A program around `keys.c` that opens the vector's JWE, whole and with each part changed.
    static let program = """
      #include "keys.c"
      #include <stdio.h>
      static uint8_t d[32] = {D}, ephemeral[64] = {EPHEMERAL}, wrapped[40] = {WRAPPED},
                     iv[12] = {IV}, ciphertext[] = {CIPHERTEXT}, tag[16] = {TAG}, header[] = HEADER;
      static int open_it(uint8_t *plaintext) {
        return arca_jwe_open(ephemeral, wrapped, iv, header, sizeof header - 1, ciphertext,
                             sizeof ciphertext, tag, plaintext);
      }
      int main(void) {
        uint8_t plaintext[sizeof ciphertext + 1] = {0}, digest[48];
        if (psa_crypto_init() != 0) return 1;
        psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
        psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
        psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
        psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
        if (psa_import_key(&attributes, d, 32, &tee_key) != 0) return 2;
        if (open_it(plaintext) != 0) return 3;
        printf("%s\\n", plaintext);
        uint8_t *parts[] = {ephemeral, wrapped, iv, header, ciphertext, tag};
        for (int i = 0; i < 6; i++) {
          parts[i][3] ^= 1;
          if (open_it(plaintext) == 0) return 4;
          parts[i][3] ^= 1;
        }
        if (open_it(plaintext) != 0) return 5;
        if (arca_sha384((const uint8_t *)"abc", 3, digest) != 0) return 5;
        for (int i = 0; i < 48; i++) printf("%02x", digest[i]);
        arca_sha256((const uint8_t *)"abc", 3, digest);
        for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
        // RFC 4231, section 4.3.
        arca_hmac((const uint8_t *)"Jefe", 4, (const uint8_t *)"what do ya want for nothing?", 28,
                  digest);
        for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
        // A key of one's own works, and is gone once it is wiped.
        if (arca_key_make(ephemeral) != 0) return 6;
        psa_key_id_t made = tee_key;
        arca_key_wipe();
        return psa_get_key_attributes(made, &attributes) == PSA_ERROR_INVALID_HANDLE ? 0 : 7;
      }
      """

    @Test(.enabled(if: VectorFolder.isPresent || VectorFolder.isCI))
    func theVectorOpensAndNothingElseDoes() throws {
      let file = Data(try #require(VectorFolder.file("kbs/jwe-p256.json")))
      let vector = try #require(try JSONSerialization.jsonObject(with: file) as? [String: Any])
      let response = try #require(vector["response"] as? [String: String])
      let key = try #require(vector["tee_jwk_private"] as? [String: String])
      let text = try #require(vector["protected_json"] as? String)
      let header = try #require(
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      let epk = try #require(header["epk"] as? [String: String])
      var source = Self.program
      for (name, value) in [
        ("D", key["d"]), ("WRAPPED", response["encrypted_key"]), ("IV", response["iv"]),
        ("CIPHERTEXT", response["ciphertext"]), ("TAG", response["tag"]),
      ] {
        source = source.replacing("{\(name)}", with: "{\(try list([value]))}")
      }
      source = source.replacing("{EPHEMERAL}", with: "{\(try list([epk["x"], epk["y"]]))}")
      source = source.replacing("HEADER;", with: "\"\(try #require(response["protected"]))\";")
      let plaintext = try #require(vector["plaintext"] as? String)
      let sha384 =
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        + "8086072ba1e7cc2358baeca134c825a7"
      let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      let hmac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      #expect(try compileAndRun(source) == "\(plaintext)\n\(sha384)\(sha256)\(hmac)")
    }

    private func list(_ texts: [String?]) throws -> String {
      var bytes: [UInt8] = []
      for text in texts {
        var base64 = try #require(text).replacing("-", with: "+").replacing("_", with: "/")
        while base64.count % 4 != 0 { base64 += "=" }
        bytes += Array(try #require(Data(base64Encoded: base64)))
      }
      return bytes.map(String.init).joined(separator: ",")
    }

    private func compileAndRun(_ source: String) throws -> String {
      let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      defer { try? FileManager.default.removeItem(at: folder) }
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let file = folder.appending(path: "vector.c")
      try Data(source.utf8).write(to: file)
      let package = GuestMachine.package.path
      try run([
        "musl-gcc", "-static", "-Os", "-I\(package)/Sources/Guest/CArcaTLS",
        "-I\(package)/Sources/Guest/CArcaTLS/include", "-I\(package)/.build-guest/mbedtls/include",
        "-DMBEDTLS_CONFIG_FILE=\"\(package)/guest/mbedtls_config.h\"", "-o",
        folder.appending(path: "vector").path, file.path,
        "\(package)/Sources/Guest/CArcaTLS/tls.c", "\(package)/.build-guest/libmbedtls.a",
      ])
      return try run([folder.appending(path: "vector").path])
    }
  }
}
