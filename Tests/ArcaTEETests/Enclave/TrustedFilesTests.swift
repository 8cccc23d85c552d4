import ArcaTEE
import Testing

@Suite struct TrustedFilesTests {
  private let hash = [UInt8](repeating: 0xab, count: 32)

  @Test func everyNameComesBackAsItWentIn() throws {
    let names = [
      "/a", "/with \"quotes\" and \\", "/new\nline", "/\u{7f}\u{1}\t\r", "/ünï/日本",
      "/\"\nsha256 = \"", "/\n[[sgx.trusted_files]]",
    ]
    let files = names.map { TrustedFiles.File(path: $0, sha256: hash) }
    let sgx = TOMLTable(["trusted_files": .tables(TrustedFiles(files).tables)])
    let manifest = TOMLTable(["sgx": .table(sgx)]).text
    #expect(try TrustedFiles(manifest: Array(manifest.utf8)).files == files)
  }

  @Test(arguments: [
    "", "uri = \"file:/a\"", "uri = \"file:/a\"\nsha256 = \"abcd\"",
    "uri = \"file:/a\\x\"\nsha256 = \"\(String(repeating: "ab", count: 32))\"",
    "uri = \"file:/a\"\nsha256 = \"\(String(repeating: "zz", count: 32))\"",
    "sha256 = \"\(String(repeating: "ab", count: 32))\"\nuri = \"file:/a\"",
  ])
  func aSectionThatNamesNoHashIsRefused(_ lines: String) {
    let error = #expect(throws: TEEError.self) {
      try TrustedFiles(manifest: Array("[[sgx.trusted_files]]\n\(lines)\n".utf8))
    }
    #expect(error?.code == .description)
  }
}
