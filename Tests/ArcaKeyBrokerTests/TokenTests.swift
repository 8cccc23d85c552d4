import ArcaKeyBroker
import ArcaKeyBrokerPKCS11
import Crypto
import Foundation
import Testing

/// Master keys in a token of SoftHSM's.
///
/// SoftHSM reads where its tokens are from the environment once a process, so every test uses one
/// token, and the tests of this suite are not run at one time.
@Suite(.serialized, .enabled(if: SoftHSM.isRun)) struct TokenTests {
  static func slot(
    label: String = "arca test", pin: String = "pin", module: String = SoftHSM.module
  ) throws -> TokenSlot {
    guard let folder = SoftHSM.folder else { throw FixtureError.noToken }
    return try TokenSlot(module: module, label: label, pinFile: "\(folder)/\(pin)")
  }

  @Test func resourcesAreSealedUnderAKeyInTheToken() async throws {
    let keyring = try TokenKeyring(try Self.slot(), makesFirst: true)
    let keys = MasterKeys(keyring)
    let content = Data("marked secret".utf8)
    let sealed = try keys.seal(content, at: ResourcePath("a/b/c"), time: 1)
    #expect(sealed.wrappedKey.count == 60)
    #expect(try keys.openForAdministrator(sealed) == content)
    // Another broker with the same token.
    let other = MasterKeys(try TokenKeyring(try Self.slot()))
    #expect(try other.openForAdministrator(sealed) == content)
    var wrapped = sealed.wrappedKey
    wrapped[20] ^= 1
    let changed = SealedResource(
      path: sealed.path, keyID: sealed.keyID, wrappedKey: wrapped, box: sealed.box, updated: 1)
    #expect(await refusal { _ = try keys.openForAdministrator(changed) } == .corrupted)
    #expect(try keys.openForAdministrator(sealed) == content)
  }

  @Test func rotationMakesAKeyThatAnotherBrokerFinds() async throws {
    let keyring = try TokenKeyring(try Self.slot(), makesFirst: true)
    let other = try TokenKeyring(try Self.slot())
    let old = MasterKeys(keyring)
    let sealed = try old.seal(Data("x".utf8), at: ResourcePath("a/b/c"), time: 1)
    let id = try keyring.make()
    try keyring.reload()
    #expect(keyring.currentID == id && other.currentID == sealed.keyID)
    let rewrapped = try old.rewrap(sealed)
    #expect(rewrapped.keyID == id && rewrapped.wrappedKey != sealed.wrappedKey)
    #expect(try MasterKeys(other).openForAdministrator(rewrapped) == Data("x".utf8))
    #expect(
      await refusal { _ = try keyring.unwrap(sealed.wrappedKey, under: "999999") } == .keyFile)
  }

  @Test func whatDoesNotOpenIsNamed() async throws {
    for (slot, word) in [
      (try Self.slot(label: "none"), "no token has this label"),
      (try Self.slot(pin: "wrong"), "the PIN is wrong"),
      (try Self.slot(module: "/usr/lib/none.so"), "no PKCS#11 module"),
    ] {
      do {
        _ = try TokenKeyring(slot)
        Issue.record("opened \(slot)")
      } catch {
        #expect(error.code == .keyFile && error.detail.contains(word), "\(error)")
      }
    }
    #expect(
      await refusal { _ = try TokenSlot(module: "m.so", label: "x", pinFile: "/p") }
        == .invalidConfiguration)
  }
}
