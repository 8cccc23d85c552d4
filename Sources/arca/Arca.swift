import ArgumentParser

/// The command line of Arca.
@main
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
      ImageCommand.self, ManifestCommand.self, MeasureCommand.self, AttestCommand.self,
      MonitorCommand.self,
    ])
}
