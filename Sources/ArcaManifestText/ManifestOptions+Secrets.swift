import ArcaBytes
import ArcaManifest
import Foundation

extension ManifestOptions {
  /// Sets the key broker and what it is asked for, from the texts of options or annotations.
  ///
  /// - Parameters:
  ///   - url: `https://HOST[:PORT]`.
  ///   - pins: SHA-256 digests of keys that the broker may prove, hexadecimal or, since podman has
  ///     annotations of at most 63 bytes, base64.
  ///   - secrets: `kbs:///a/b/c:/PATH[:mode=0400,uid=0,gid=0]` or `kbs:///a/b/c:NAME` each.
  /// - Throws: ``ManifestTextError/Code/invalidOption``.
  public mutating func setKeyBroker(
    url: String, pins: [String], secrets: [String]
  ) throws(ManifestTextError) {
    var publicKeys: [[UInt8]] = []
    for text in pins {
      guard let digest = Hex.decode(text) ?? Data(base64Encoded: text).map(Array.init),
        digest.count == 32
      else {
        throw ManifestTextError(
          .invalidOption,
          "key broker's pin \(text): expected 32 bytes, hexadecimal or base64 with padding")
      }
      publicKeys.append(digest)
    }
    keyBroker = KeyBrokerAccess(url: url, publicKeys: publicKeys)
    self.secrets = []
    for text in secrets { self.secrets.append(try Self.secret(text)) }
  }

  private static func secret(_ text: String) throws(ManifestTextError) -> Secret {
    let fault = ManifestTextError(
      .invalidOption,
      "secret \(text): expected kbs:///REPOSITORY/TYPE/TAG, a colon, and an absolute path "
        + "(with :mode=OCTAL,uid=N,gid=N) or the name of a variable")
    let scheme = "kbs:"
    guard text.hasPrefix(scheme) else { throw fault }
    let parts = text.dropFirst(scheme.count).split(
      separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2 else { throw fault }
    let resource = scheme + parts[0]
    guard parts[1].hasPrefix("/") else {
      guard parts.count == 2, !parts[1].isEmpty else { throw fault }
      return Secret(resource: resource, target: .variable(String(parts[1])))
    }
    var (mode, uid, gid): (UInt32, UInt32, UInt32) = (0o400, 0, 0)
    for option in parts.dropFirst(2).first?.split(separator: ",") ?? [] {
      let pair = option.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let value = UInt32(pair[1], radix: pair[0] == "mode" ? 8 : 10) else {
        throw fault
      }
      switch pair[0] {
      case "mode": mode = value
      case "uid": uid = value
      case "gid": gid = value
      default: throw fault
      }
    }
    return Secret(
      resource: resource, target: .file(path: String(parts[1]), mode: mode, uid: uid, gid: gid))
  }
}
