import ArcaBytes
import ArcaTEE
import ArgumentParser
import Crypto
import Foundation
import TEEAttestation

/// `arca idblock`: what an owner demands of a SEV-SNP launch, signed.
struct IdentityBlockCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "idblock",
    abstract: "Make and sign an ID block: which launch the security processor accepts (snp).",
    discussion: """
      The security processor refuses to start a guest whose launch digest or policy differs from the
      ID block's, and shows the digests of ID key and author key in every report, so that a verifier
      can demand them.

      Writes id-block.bin and id-auth.bin into --output, for `arca run --tee snp --id-block`. Keys
      that are not given are made there: id-key.pem and author-key.pem. Keep them secret.

      Example:
        arca idblock --measurement "$(arca measure --tee snp --json IMAGE |
          jq -r .platformMeasurement)" --output owner
        arca run --tee snp --id-block owner IMAGE
      """)

  @Option(help: "The launch digest, in hexadecimal: what `arca measure --tee snp IMAGE` prints.")
  var measurement: String

  @Option(help: "The guest policy; it must be the one of the launch.")
  var policy = HexNumber(value: HardwareLaunch.DefaultPolicy.snp)

  @Option(help: "The ID key, P-384 in PEM.")
  var idKey: String?

  @Option(help: "The author key, P-384 in PEM.")
  var authorKey: String?

  @Option(help: "The guest's family, 16 bytes in hexadecimal.")
  var familyID = String(repeating: "0", count: 32)

  @Option(help: "The guest's image, 16 bytes in hexadecimal.")
  var imageID = String(repeating: "0", count: 32)

  @Option(help: "The guest's security version.")
  var guestSVN: UInt32 = 0

  @Option(name: .shortAndLong, help: "The folder to write to.")
  var output: String

  func run() throws {
    var block = SNPIdentityBlock(
      launchDigest: try octets(measurement, 48, "--measurement"), policy: policy.value)
    block.familyID = try octets(familyID, 16, "--family-id")
    block.imageID = try octets(imageID, 16, "--image-id")
    block.guestSVN = guestSVN
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    let id = try key(idKey, "id-key.pem")
    let author = try key(authorKey, "author-key.pem")
    do {
      try write(block.encoded(), output + "/id-block.bin")
      try write(block.authentication(idKey: id, authorKey: author), output + "/id-auth.bin")
    } catch let error as AttestationError {
      throw CommandError(error.detail)
    }
    print("id_key_digest:     \(Hex.encode(SNPIdentityBlock.digest(of: id.publicKey)))")
    print("author_key_digest: \(Hex.encode(SNPIdentityBlock.digest(of: author.publicKey)))")
  }

  /// The key in `path`, or the one in the output folder, made where there is none.
  private func key(_ path: String?, _ name: String) throws -> P384.Signing.PrivateKey {
    let file = path ?? "\(output)/\(name)"
    if let pem = try? String(contentsOfFile: file, encoding: .utf8) {
      guard let key = try? P384.Signing.PrivateKey(pemRepresentation: pem) else {
        throw CommandError("\(file): expected a private key on P-384 in PEM")
      }
      return key
    }
    guard path == nil else { throw CommandError("\(file): cannot be read") }
    let key = P384.Signing.PrivateKey()
    try writeSecret(Array((key.pemRepresentation + "\n").utf8), file)
    return key
  }

  private func octets(_ text: String, _ count: Int, _ option: String) throws -> [UInt8] {
    guard let bytes = Hex.decode(text), bytes.count == count else {
      throw ValidationError("\(option): expected \(count) bytes in hexadecimal")
    }
    return bytes
  }
}

/// Writes a file that others may read.
func write(_ bytes: [UInt8], _ path: String) throws {
  do {
    try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
  } catch {
    throw CommandError("\(path): cannot be written: \(error.localizedDescription)")
  }
}

/// Writes a file that its owner alone may read.
func writeSecret(_ bytes: [UInt8], _ path: String) throws {
  let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
  try? FileManager.default.removeItem(atPath: path)
  guard
    FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: mode)
  else { throw CommandError("\(path): cannot be written") }
}
