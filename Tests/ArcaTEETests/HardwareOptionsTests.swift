import ArcaBytes
import ArcaTEE
import Foundation
import Testing

@Suite("QEMU's command line for hardware")
struct HardwareOptionsTests {
  static let kinds: [LaunchKind] = [.snp, .sevES, .sev, .tdx]

  /// A launch with every option that its kind has.
  static func launch(_ kind: LaunchKind) -> LaunchDescription {
    var launch = LaunchDescription(
      kind: kind,
      expected: .init(
        kernel: [UInt8](repeating: 1, count: 32), initrd: [UInt8](repeating: 2, count: 32),
        commandLine: [UInt8](repeating: 3, count: 32)),
      hostData: [UInt8](repeating: 4, count: 32), vcpus: 2, memoryMiB: 512, accelerator: .kvm,
      passesInput: false, hasTerminal: false)
    var hardware = HardwareLaunch(
      cpuModel: kind == .tdx ? "host" : "EPYC-Milan", policy: HardwareLaunch.DefaultPolicy.of(kind))
    if kind == .snp {
      hardware.idBlock = [UInt8](repeating: 5, count: 96)
      hardware.idAuthentication = [UInt8](repeating: 6, count: 4096)
    }
    hardware.hasSession = kind.format == .launchMeasurement
    hardware.hasQuoteService = kind == .tdx
    launch.hardware = hardware
    return launch
  }

  private func arguments(_ launch: LaunchDescription) -> [String] {
    QEMUOptions(
      launch,
      commandLine: BootedFiles.text(
        ofCommandLine: Array("console=ttyS0".utf8), launch.kind, workload: launch.hostData)
    ).arguments
  }

  /// One argument a line; what follows a # names the document that demands it.
  @Test("It is the golden one, each option with its document", arguments: kinds)
  func golden(kind: LaunchKind) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Golden/\(kind.rawValue).txt")
    let filler = base64([UInt8](repeating: 6, count: 4096))
    let expected = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      line in
      (line.firstRange(of: " # ").map { String(line[..<$0.lowerBound]) } ?? String(line))
        .trimmingCharacters(in: .whitespaces)
        .replacing("<4096 bytes of 06>", with: filler)
    }
    #expect(arguments(Self.launch(kind)) == expected)
  }

  @Test("Options that were not asked for are not there", arguments: kinds)
  func plain(kind: LaunchKind) {
    var launch = Self.launch(kind)
    launch.hardware = HardwareLaunch(cpuModel: "EPYC-Genoa", policy: 0x30000)
    let text = arguments(launch).joined(separator: " ")
    for option in ["id-block", "id-auth", "author-key", "session-file", "quote-generation"] {
      #expect(!text.contains(option))
    }
  }

  @Test("A description survives its encoding, and no cut of it is accepted", arguments: kinds)
  func description(kind: LaunchKind) throws {
    var launch = Self.launch(kind)
    launch.vmm = ["/arca/tools/ld.so", "/arca/tools/qemu"]
    let encoded = launch.encoded()
    #expect(try LaunchDescription(decoding: encoded) == launch)
    for count in stride(from: 0, to: encoded.count, by: 7) {
      #expect(throws: TEEError.self) {
        try LaunchDescription(decoding: Array(encoded.prefix(count)))
      }
    }
    #expect(arguments(launch).prefix(2) == ["/arca/tools/ld.so", "/arca/tools/qemu"])
  }

  @Test("An ID block of another size is refused")
  func identityBlockSize() {
    var launch = Self.launch(.snp)
    launch.hardware?.idBlock.removeLast()
    do {
      _ = try LaunchDescription(decoding: launch.encoded())
      Issue.record("an ID block of 95 bytes was accepted")
    } catch {
      #expect(error.code == .description)
    }
  }

  @Test("Base64 is that of RFC 4648, section 10, and nothing else decodes")
  func base64Text() {
    let cases = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in cases {
      #expect(base64(Array(plain.utf8)) == text)
      #expect(decodedBase64(text) == Array(plain.utf8))
    }
    for wrong in ["Zg=", "Zg", "Z===", "Zm9v!g==", "Zg==Zg==", "===="] {
      #expect(decodedBase64(wrong) == nil)
    }
  }
}
