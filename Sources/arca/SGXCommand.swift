import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaRuntime
import ArgumentParser
import Foundation
import TEEMeasurement

/// `arca sgx`: the owner's part in the launch of an SGX enclave.
struct SGXCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sgx",
    abstract: "Make and sign SGX enclaves that Gramine runs.",
    discussion: """
      The processor starts an enclave only with a SIGSTRUCT that somebody signed; whoever did is
      MRSIGNER in its quotes. Without one of the owner's, `arca run --tee sgx` signs with a key of
      the machine's own, which says nothing of the workload: MRENCLAVE does.

        owner  arca sgx key --output owner.pem
        owner  arca sgx sign --key owner.pem --output enclave IMAGE
        host   arca run --tee sgx --enclave enclave IMAGE

      Gramine is looked for where distributions put it; ARCA_GRAMINE names another folder. The
      enclave depends on its libraries, so owner and host need the same release of it and of Arca.
      """,
    subcommands: [ManifestOf.self, Sign.self, Key.self, Show.self])

  /// `arca sgx manifest`.
  struct ManifestOf: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "manifest",
      abstract: "Print the Gramine manifest of an image, every file of it with its hash.")

    @OptionGroup var enclave: EnclaveArguments

    func run() throws {
      let (image, manifest) = try enclave.prepared()
      let text = try withExtendedLifetime(image) {
        try Installation().gramineManifest(manifest, image: image, try enclave.options())
      }
      FileHandle.standardOutput.write(Data(text))
    }
  }

  /// `arca sgx sign`.
  struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sign", abstract: "Sign the enclave of an image.",
      discussion: """
        Writes arca.manifest.sgx and arca.sig, as `gramine-sgx-sign` would, into --output, and
        prints what `arca attest verify` and a policy of the key broker take.
        """)

    @Option(help: "The owner's RSA-3072 key of exponent 3, in PEM; `arca sgx key` makes one.")
    var key: String

    @Option(help: "The date in the SIGSTRUCT, YYYYMMDD; today's unless said otherwise.")
    var date: SigningDate = .today

    @Option(name: .shortAndLong, help: "The folder to write to.")
    var output: String

    @OptionGroup var enclave: EnclaveArguments

    func run() throws {
      guard let pem = try? String(contentsOfFile: key, encoding: .utf8) else {
        throw CommandError("\(key): cannot be read")
      }
      let (image, manifest) = try enclave.prepared()
      let signed = try withExtendedLifetime(image) {
        try SignedEnclave(
          manifest, image: image, try enclave.options(), keyPEM: pem, date: date.value,
          Installation())
      }
      try signed.write(to: output)
      print("workload digest:      \(Hex.encode(manifest.digest))")
      print("platform measurement: \(signed.measurement.text)")
      print("MRSIGNER:             \(Hex.encode(signed.sigstruct.mrsigner))")
      if enclave.debug {
        complain("a debuggable enclave: the host can read and change everything in it")
      }
    }
  }

  /// `arca sgx key`.
  struct Key: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "key", abstract: "Make a key that signs enclaves. Keep it secret.")

    @Option(name: .shortAndLong, help: "The file to write, in PEM; it must not be there yet.")
    var output: String

    func run() throws {
      guard !FileManager.default.fileExists(atPath: output) else {
        throw CommandError("\(output): is there already; expected the name of a new file")
      }
      do {
        try writeSecret(Array(try EnclaveKey.generate().utf8), output)
      } catch let error as MeasurementError {
        throw CommandError(error.detail)
      }
    }
  }

  /// `arca sgx show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show",
      abstract: "Print what a SIGSTRUCT states, and check its signature as the processor would.")

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "The file, such as enclave/arca.sig.")
    var file: String

    func run() throws {
      guard let content = FileManager.default.contents(atPath: file) else {
        throw CommandError("\(file): cannot be read")
      }
      do {
        let sigstruct = try Sigstruct(bytes: [UInt8](content))
        try sigstruct.verify()
        let rows = Self.rows(sigstruct)
        if json {
          try printJSON(Dictionary(uniqueKeysWithValues: rows))
        } else {
          for (name, value) in rows {
            print(name.padding(toLength: 16, withPad: " ", startingAt: 0) + value)
          }
        }
      } catch let error as MeasurementError {
        throw CommandError("\(file): \(error.detail)")
      }
    }

    private static func rows(_ sigstruct: Sigstruct) -> [(String, String)] {
      let identity = sigstruct.identity
      return [
        ("mrenclave", Hex.encode(identity.mrenclave)), ("mrsigner", Hex.encode(sigstruct.mrsigner)),
        ("isv_prod_id", "\(identity.productID)"), ("isv_svn", "\(identity.securityVersion)"),
        ("debug", identity.attributes[0] & 2 == 0 ? "false" : "true"),
        ("attributes", Hex.encode(identity.attributes)),
        ("attributes_mask", Hex.encode(identity.attributesMask)),
        ("misc_select", String(identity.miscSelect, radix: 16)),
        ("misc_mask", String(identity.miscMask, radix: 16)),
        ("date", String(identity.date, radix: 16)),
      ]
    }
  }
}

/// A workload, and what its owner chooses about its enclave.
struct EnclaveArguments: ParsableArguments {
  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @Option(help: "The workload's manifest in place of a derived one.")
  var manifest: String?

  @Option(help: "Size of the enclave's address range: a power of two, from 64M to 1024G.")
  var size: ByteSize?

  @Option(help: "How many threads it has room for, up to four of Gramine's own included.")
  var threads = EnclaveOptions().threads

  @Flag(help: "Add memory as it is used (EDMM): needs Linux 6.0 and a processor that can.")
  var edmm = false

  @Flag(help: "Let the host debug the enclave, and so read it; for tests alone.")
  var debug = false

  @Flag(help: "Let the workload learn the address of a fault (EXINFO).")
  var exinfo = false

  @Option(help: "The product's number.")
  var productID: UInt16 = 0

  @Option(help: "The product's security version.")
  var svn: UInt16 = 0

  @Option(
    help: ArgumentHelp(
      "What the processor must or must not have, such as avx512=disabled; several times.",
      valueName: "feature=word"))
  var feature: [String] = []

  @Argument(help: "The image: a name, oci:FOLDER, docker-archive:FILE, docker://…")
  var image: String

  @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
  var command: [String] = []

  /// The image, and the manifest of what it runs.
  func prepared() throws -> (PreparedImage, WorkloadManifest) {
    let prepared = try prepareImage(image)
    if let manifest {
      let own = try readManifest(manifest)
      try prepared.check(own)
      return (prepared, own)
    }
    if let own = prepared.workloadManifest { return (prepared, own) }
    return (prepared, try workload.derivedManifest(of: prepared, command))
  }

  /// The choices.
  func options() throws -> EnclaveOptions {
    var options = EnclaveOptions()
    if let size { options.enclaveBytes = size.bytes }
    options.threads = threads
    options.addsPagesOnDemand = edmm
    options.isDebuggable = debug
    options.keepsExceptionInformation = exinfo
    options.productID = productID
    options.securityVersion = svn
    for text in feature {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw ValidationError("--feature \(text): expected one such as avx512=disabled")
      }
      options.processorFeatures[parts[0]] = parts[1]
    }
    return options
  }
}

/// Eight digits, as SIGSTRUCT has them.
struct SigningDate: ExpressibleByArgument {
  let value: UInt32

  static var today: SigningDate { SigningDate(value: SignedEnclave.today) }

  init(value: UInt32) {
    self.value = value
  }

  init?(argument: String) {
    let digits = argument.filter { $0 != "-" }
    guard digits.count == 8, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let value = UInt32(digits, radix: 16), (0x01...0x12).contains(value >> 8 & 0xff),
      (0x01...0x31).contains(value & 0xff)
    else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { "today" }
}
