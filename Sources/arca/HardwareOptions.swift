import ArcaRuntime
import ArgumentParser
import Foundation

/// The options of `arca run` that only hardware TEEs take.
struct HardwareOptions: ParsableArguments {
  @Option(help: "QEMU's CPU model, such as EPYC-Genoa; measured by snp and sev-es.")
  var cpuModel: String?

  @Option(help: "The guest policy, such as 0x30000 (snp) or 0x0f (sev-es).")
  var policy: HexNumber?

  @Option(help: "A folder that `arca idblock` made: ID block and authentication (snp).")
  var idBlock: String?

  @Option(help: "A folder that `arca sev session` made (sev-es, sev).")
  var session: String?

  @Option(
    help: ArgumentHelp(
      "The platform's certificates: the manifest's key broker judges the launch (sev-es, sev).",
      valueName: "file"))
  var sevChain: String?

  @Option(help: "A folder that `arca sgx sign` made: manifest and SIGSTRUCT (sgx).")
  var enclave: String?

  func apply(to request: inout RunRequest) throws {
    request.cpuModel = cpuModel
    request.policy = policy?.value
    if let idBlock {
      guard request.kind == .snp else { throw ValidationError("--id-block: expected --tee snp") }
      request.idBlock = try Self.read(idBlock + "/id-block.bin", 96)
      request.idAuthentication = try Self.read(idBlock + "/id-auth.bin", 4096)
    }
    if let session {
      guard request.kind.format == .launchMeasurement else {
        throw ValidationError("--session: expected --tee sev-es or sev")
      }
      request.sessionFolder = session
    }
    if let sevChain {
      guard request.kind.format == .launchMeasurement, session == nil else {
        throw ValidationError("--sev-chain: expected --tee sev-es or sev, and no --session")
      }
      guard let content = FileManager.default.contents(atPath: sevChain) else {
        throw ValidationError("\(sevChain): cannot be read")
      }
      request.sevChain = [UInt8](content)
    }
    if let enclave {
      guard request.kind == .sgx else { throw ValidationError("--enclave: expected --tee sgx") }
      request.enclaveFolder = enclave
    }
  }

  private static func read(_ path: String, _ count: Int) throws -> [UInt8] {
    guard let content = FileManager.default.contents(atPath: path), content.count == count else {
      throw ValidationError("\(path): expected a file of \(count) bytes")
    }
    return [UInt8](content)
  }
}
