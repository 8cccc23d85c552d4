import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation

/// `arca doctor`: which kinds of TEE this machine can run, and why not the others.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say which kinds of TEE this machine can run, and how to mend the rest.",
    discussion: """
      Looks for what each kind needs, in order: processor, kernel, /dev/kvm (by running a guest),
      devices, QEMU (by asking it), firmware, services. Prints the first thing that is missing and
      what to do; --verbose prints all. `arca run` without --tee takes the strongest kind that is
      usable.

      With --try, exit status 1 says that QEMU accepts every option and only the hardware is
      missing, 2 that it refuses an option.

      With a KIND, exit status 0 where it can run here, 1 where not. Without, 0 where any can.

      Example: arca doctor snp
      """)

  @Flag(help: "Print every requirement, met or not.")
  var verbose = false

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(
    name: .customLong("try"),
    help: "Hand the launch of a hardware KIND to the QEMU of `arca tools`, and print what it says.")
  var tries = false

  @Argument(help: "One kind: \(doctorKinds.joined(separator: ", ")).")
  var kind: String?

  func run() throws {
    if let kind, !doctorKinds.contains(kind) {
      throw ValidationError("\(kind): expected \(doctorKinds.joined(separator: ", "))")
    }
    if tries { return try tryLaunch() }
    let doctor = Doctor(HostFacts(Installation()))
    let reports = doctor.reports.filter { kind == nil || $0.kind == kind }
    if json {
      try printJSON(Diagnosis(default: doctor.strongest.rawValue, kinds: reports))
    } else {
      for report in reports { show(report) }
      if kind == nil {
        print("\n`arca run` takes \(doctor.strongest.rawValue) unless told otherwise")
      }
    }
    guard reports.contains(where: \.isUsable) else { throw ExitCode(1) }
  }

  private func tryLaunch() throws {
    guard let kind = kind.flatMap(LaunchKind.init(rawValue:)), !kind.isSimulated,
      !kind.isEnclave
    else {
      throw ValidationError("--try: expected snp, tdx, sev-es or sev")
    }
    switch try LaunchTrial(Installation()).outcome(of: kind) {
    case .runs: print("\(kind.rawValue): QEMU runs a guest")
    case .hardwareMissing(let meaning, let words):
      print("\(meaning)\nQEMU: \(words)")
      throw ExitCode(1)
    case .refused(let words):
      print("\(kind.rawValue): QEMU refused the command line: \(words)")
      throw ExitCode(2)
    }
  }

  private func show(_ report: Doctor.Report) {
    let name = report.kind.padding(toLength: 9, withPad: " ", startingAt: 0)
    if let missing = report.firstMissing {
      print("\(name) no: needs \(missing.requirement), but \(missing.found)")
      if let mend = missing.mend { print("          to mend it: \(mend)") }
    } else {
      print("\(name) yes")
    }
    guard verbose || kind != nil else { return }
    for finding in report.findings {
      print("          \(finding.isMet ? "+" : "-") \(finding.requirement): \(finding.found)")
    }
  }

  private struct Diagnosis: Encodable {
    let `default`: String
    let kinds: [Doctor.Report]
  }
}

private let doctorKinds = LaunchKind.allCases.map(\.rawValue)

/// The kind that `name` is of, or where there is none the strongest that this machine can run.
func launchKind(_ name: String?, _ installation: Installation) throws -> LaunchKind {
  guard let name else { return installation.strongestKind }
  guard let kind = LaunchKind(rawValue: name) else {
    let known = LaunchKind.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("--tee \(name): expected one of \(known)")
  }
  return kind
}
