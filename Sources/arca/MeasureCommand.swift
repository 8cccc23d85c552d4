import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation

/// `arca measure`: the two numbers that name what runs, from files alone.
struct MeasureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Print what a TEE's evidence must show, before anything runs.",
    discussion: """
      With an IMAGE, prints its workload digest and this installation's platform measurement; the
      options are those of `arca run`, and the same options give the same digest on any machine.
      For TDX the platform measurement is MRTD and RTMR0 to RTMR3, separated by commas, `any` where
      the files do not tell; for SGX, MRENCLAVE, a colon and the workload digest that it covers.
      `arca attest verify --measurement` takes it as it is printed.

      With --firmware or --libpal, prints the platform measurement of a launch that the options
      describe, for any kind of TEE, or a table of reference values.
      """)

  @OptionGroup(title: "Workload") var workload: WorkloadOptions

  @OptionGroup(title: "Platform") var platform: MeasurePlatform

  @Option(help: "The workload's manifest in place of a derived one.")
  var manifest: String?

  @Option(help: "How many virtual processors `arca run --cpus` gives.")
  var cpus = 1

  @Flag(help: "Print JSON.")
  var json = false

  @Argument(help: "The image: a name, oci:FOLDER, docker-archive:FILE, docker://…")
  var image: String?

  @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
  var command: [String] = []

  func validate() throws {
    let describesPlatform = platform.firmware != nil || platform.libpal != nil
    guard (image != nil) != describesPlatform else {
      throw ValidationError("expected an IMAGE, or a platform by --tee and --firmware or --libpal")
    }
  }

  func run() throws {
    guard let image else { return try platform.printMeasurement(json: json) }
    let installation = Installation()
    let kind = try launchKind(platform.tee.first?.rawValue, installation)
    let prepared = try prepareImage(image)
    let manifest = try workloadManifest(prepared)
    let workload = manifest.digest
    let cpuModel = installation.defaultCPUModel(kind).map { platform.cpuModel ?? $0 }
    let measurement =
      kind.isEnclave
      ? try installation.enclaveMeasurement(kind, manifest, image: prepared)
      : try installation.platformMeasurement(
        kind, vcpus: cpus, cpuModel: cpuModel, workload: workload)
    let identity = Identity(
      tee: kind.rawValue, simulated: kind.isSimulated, vcpus: cpus, cpuModel: cpuModel,
      platformMeasurement: measurement.text, workloadDigest: Hex.encode(workload))
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(identity), as: UTF8.self))
    } else {
      print("workload digest:      \(identity.workloadDigest)")
      print("platform measurement: \(identity.platformMeasurement)")
      print("TEE:                  \(identity.tee)\(kind.isSimulated ? " (simulated)" : "")")
      if let cpuModel { print("CPU model:            \(cpuModel)") }
    }
  }

  private func workloadManifest(_ prepared: PreparedImage) throws -> WorkloadManifest {
    if let manifest { return try readManifest(manifest) }
    return try workload.derivedManifest(of: prepared, command)
  }

  private struct Identity: Encodable {
    let tee: String
    let simulated: Bool
    let vcpus: Int
    let cpuModel: String?
    let platformMeasurement: String
    let workloadDigest: String
  }
}
