import ArcaRuntime
import ArgumentParser
import Foundation

/// Chooses between the command line that engines speak and the one for people.
@main
enum Main {
  static func main() {
    checkOutputAtExit()
    let arguments = CommandLine.arguments
    let name = arguments.first.map { URL(fileURLWithPath: $0).lastPathComponent }
    let own = Array(arguments.dropFirst())
    // In the form that engines expect of a runtime.
    if own == ["--version"] || own == ["-v"] {
      print("arca version \(Installation.version)\nspec: 1.0.2")
      exit(0)
    }
    if name == "arca-runtime" || OCICommandLine.isMeant(by: own) {
      exit(RuntimeCommands.run(own))
    }
    Arca.main()
  }
}

/// The command line of Arca.
struct Arca: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "arca",
    abstract: "Run OCI containers, each in a trusted execution environment (TEE) of its own.",
    discussion: """
      The container is an ordinary one; the TEE is inside of it, with a kernel, a small init and the
      workload. What runs is named by two numbers, the platform measurement and the workload
      digest, which `arca measure` computes from files alone and `arca attest verify` looks for in
      evidence.
      """,
    subcommands: [
      RunCommand.self, PsCommand.self, LogsCommand.self, StopCommand.self, RmCommand.self,
      ImageCommand.self, VolumeCommand.self, ManifestCommand.self, MeasureCommand.self,
      TCBCommand.self,
      AttestCommand.self, DoctorCommand.self, ToolsCommand.self, IdentityBlockCommand.self,
      SEVCommand.self, SGXCommand.self,
      MonitorCommand.self,
    ])
}
