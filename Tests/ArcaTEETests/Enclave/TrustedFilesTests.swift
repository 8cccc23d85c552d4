import ArcaTEE
import Testing

@Suite struct TrustedFilesTests {
  private let hash = [UInt8](repeating: 0xab, count: 32)

  @Test func everyNameComesBackAsItWentIn() throws {
    let names = [
      "/a", "/with \"quotes\" and \\", "/new\nline", "/\u{7f}\u{1}", "/ünï/日本", "/\", sha256 = \"",
    ]
    let files = names.map { TrustedFiles.File(path: $0, sha256: hash) }
    let manifest = "[sgx]\ntrusted_files = [\n\(TrustedFiles(files).text)]\n"
    #expect(try TrustedFiles(manifest: Array(manifest.utf8)).files == files)
  }

  @Test(arguments: [
    "    { uri = \"file:/a\" },", "    { uri = \"file:/a\", sha256 = \"abcd\" },",
    "    { uri = \"file:/a\\x\", sha256 = \"\(String(repeating: "ab", count: 32))\" },",
    "    { uri = \"file:/a\", sha256 = \"\(String(repeating: "zz", count: 32))\" },",
  ])
  func aLineThatNamesNoHashIsRefused(_ line: String) {
    let error = #expect(throws: TEEError.self) {
      try TrustedFiles(manifest: Array("\(line)\n".utf8))
    }
    #expect(error?.code == .description)
  }
}
