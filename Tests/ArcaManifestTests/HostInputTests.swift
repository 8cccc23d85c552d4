import ArcaBytes
import ArcaManifest
import Testing

@Suite struct HostInputTests {
  static let strict: WorkloadManifest = {
    var manifest = ManifestTests.sample
    manifest.hostMay = HostRules()
    return manifest
  }()

  @Test func inputComesBackAsItWas() throws {
    for input in [
      HostInput(),
      HostInput(
        args: ["a", ""], env: ["A=b"], hostname: "n",
        terminal: HostInput.TerminalSize(rows: 65_535, columns: 0)),
    ] {
      #expect(try HostInput(decoding: input.encoded()) == input)
    }
    let hex = Hex.encode(
      HostInput(env: ["X=1"], terminal: HostInput.TerminalSize(rows: 24, columns: 80)).encoded())
    #expect(
      hex
        // map of two: "env": ["X=1"]; "terminal": {"rows": 24, "columns": 80}
        == "a2" + "63656e76" + "81" + "63583d31" + "687465726d696e616c" + "a2" + "64726f7773"
        + "1818"
        + "67636f6c756d6e73" + "1850")
  }

  @Test(arguments: [
    ("", ManifestError.Code.encoding), ("a0", .missing), ("80", .type),
    ("a163656e7680ff", .encoding), ("a163656e76f6", .type), ("a163656e7681613d", .value),
    // "args": [], "args": [""]
    ("a263656e7680646172677380", .value), ("a263656e768064617267738160", .value),
    // An unknown field "zzzz".
    ("a263656e7680647a7a7a7af6", .unknown),
    // 65536 rows.
    ("a263656e7680687465726d696e616ca264726f77731a0001000067636f6c756d6e7300", .value),
  ])
  func badInputIsRefused(_ hex: String, _ code: ManifestError.Code) throws {
    let bytes = try #require(Hex.decode(hex))
    let error = #expect(throws: ManifestError.self) { try HostInput(decoding: bytes) }
    #expect(error?.code == code)
  }

  @Test func whatIsAllowedIsMerged() throws {
    let merged = try ManifestTests.sample.merged(
      with: HostInput(
        args: ["/b", "c"], env: ["X1=2", "LANG=C", "X1=3"], hostname: "other",
        terminal: HostInput.TerminalSize(rows: 1, columns: 2)))
    #expect(merged.process.args == ["/b", "c"])
    #expect(merged.process.env == ["A=b", "LANG=C", "X1=3"])
    #expect(merged.hostname == "other")
    var expected = ManifestTests.sample
    expected.process = merged.process
    expected.hostname = merged.hostname
    #expect(merged == expected)
  }

  @Test func nothingAskedChangesNothing() throws {
    #expect(try Self.strict.merged(with: HostInput()) == Self.strict)
  }

  @Test(arguments: [
    (HostInput(args: ["/b"]), "hostMay.replaceArgs"),
    (HostInput(env: ["LANG=C"]), "hostMay.setEnv: LANG"),
    (HostInput(hostname: "x"), "hostMay.setHostname"),
    (
      HostInput(terminal: HostInput.TerminalSize(rows: 1, columns: 1)), "hostMay.attachTerminal"
    ),
  ])
  func whatNoRuleAllowsIsRefused(_ input: HostInput, _ field: String) {
    let error = #expect(throws: ManifestError.self) { try Self.strict.merged(with: input) }
    #expect(error?.code == .notAllowed)
    #expect(error.map { String(decoding: $0.field, as: UTF8.self) } == field)
  }

  @Test func patternsMatchWholeNamesOrPrefixes() throws {
    var manifest = Self.strict
    manifest.hostMay.setEnv = ["AB", "C_*"]
    for allowed in ["AB=", "C_=1", "C_D=1"] {
      _ = try manifest.merged(with: HostInput(env: [allowed]))
    }
    for refused in ["A=", "ABC=1", "C=1", "PATH=x", "xC_=1"] {
      #expect(throws: ManifestError.self) {
        try manifest.merged(with: HostInput(env: [refused]))
      }
    }
  }

  @Test func aVariableIsReplacedByItsWholeName() throws {
    var manifest = ManifestTests.sample
    manifest.process.env = ["X=1", "XY=2"]
    #expect(try manifest.merged(with: HostInput(env: ["X=3"])).process.env == ["XY=2", "X=3"])
  }
}
