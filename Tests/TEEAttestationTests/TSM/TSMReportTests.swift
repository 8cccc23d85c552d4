import TEEEvidence
import Testing

/// The file tree of configfs-tsm as Linux implements it (drivers/virt/coco/guest/report.c): a
/// folder that is made brings its files; a write makes the report stale; a read makes a new one.
private struct KernelTree: TSMFiles {
  struct Failure: Error, Equatable { let errno: Int32 }

  private struct Report {
    var input: [UInt8] = []
    var output: [UInt8]?
    var writes: UInt64 = 0
    var readAtWrite: UInt64 = 0
  }

  var provider: String? = "sev_guest"
  var auxiliary: [UInt8]? = [1, 2, 3]
  /// What the driver makes of the report data.
  var makes: ([UInt8]) throws(Failure) -> [UInt8] = { $0 + [0xff] }
  /// Happens between any two accesses.
  var between: (inout KernelTree, _ path: String) -> Void = { _, _ in }
  private(set) var isThere = false
  private var report = Report()
  private static let root = "/config/tsm/report/arca"

  mutating func makeFolder(_ path: String) throws(Failure) {
    guard path == Self.root else { throw Failure(errno: 2) }
    guard provider != nil else { throw Failure(errno: 6) }
    guard !isThere else { throw Failure(errno: 17) }
    isThere = true
    report = Report()
  }

  mutating func removeFolder(_ path: String) throws(Failure) {
    guard isThere, path == Self.root else { throw Failure(errno: 2) }
    isThere = false
  }

  mutating func removeFile(_ path: String) throws(Failure) { throw Failure(errno: 1) }

  mutating func write(_ path: String, _ content: [UInt8]) throws(Failure) {
    guard isThere, path == Self.root + "/inblob" else { throw Failure(errno: 13) }
    guard !content.isEmpty, content.count <= 64 else { throw Failure(errno: 22) }
    try advance()
    report.input = content
    between(&self, path)
  }

  /// Another process's write, as only a shared folder allows.
  mutating func disturb() { report.writes += 1 }

  private mutating func advance() throws(Failure) {
    guard report.writes + 1 != report.readAtWrite || report.readAtWrite == 0 else {
      throw Failure(errno: 16)
    }
    report.writes += 1
  }

  mutating func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
    guard isThere, path.hasPrefix(Self.root + "/") else { throw Failure(errno: 2) }
    defer { between(&self, path) }
    let content: [UInt8]
    switch path.dropFirst(Self.root.count + 1) {
    case "provider": content = Array("\(provider ?? "")\n".utf8)
    case "generation": content = Array("\(report.writes)\n".utf8)
    case "outblob": content = try fresh()
    case "auxblob":
      guard let auxiliary else { throw Failure(errno: 2) }
      _ = try fresh()
      content = auxiliary
    default: throw Failure(errno: 2)
    }
    return Array(content.prefix(bytesMax))
  }

  private mutating func fresh() throws(Failure) -> [UInt8] {
    guard !report.input.isEmpty else { throw Failure(errno: 22) }
    if let output = report.output, report.readAtWrite == report.writes { return output }
    let output = try makes(report.input)
    report.output = output
    report.readAtWrite = report.writes
    return output
  }
}

@Suite("Evidence by configfs-tsm")
struct TSMReportTests {
  private let data = [UInt8](repeating: 0x5a, count: 64)

  private func request(
    _ provider: TSMReport.Provider = .snp, _ tree: inout KernelTree
  ) throws(TSMFault<KernelTree.Failure>) -> [UInt8] {
    try TSMReport.request(data, from: provider, at: "/config/tsm/report", &tree)
  }

  /// The fault of a request, as text; the folder must be gone.
  private func fault(_ provider: TSMReport.Provider = .snp, _ tree: KernelTree) -> String {
    var tree = tree
    do {
      _ = try request(provider, &tree)
      return "none"
    } catch {
      #expect(!tree.isThere)
      switch error {
      case .file(let name, let failure): return "\(name) \(failure.errno)"
      case .provider: return "provider"
      case .generation: return "generation"
      case .size: return "size"
      }
    }
  }

  @Test("SNP gives the report and the certificate table, TDX the quote alone")
  func evidence() throws {
    var tree = KernelTree()
    let report = try request(.snp, &tree)
    #expect(report == data + [0xff] + [1, 2, 3])
    #expect(!tree.isThere)
    tree.provider = "tdx_guest"
    tree.auxiliary = nil
    let quote = try request(.tdx, &tree)
    #expect(quote == data + [0xff])
  }

  @Test("Another driver, none, and one that fails are told apart")
  func drivers() {
    var tree = KernelTree()
    #expect(fault(.tdx, tree) == "provider")
    tree.provider = "sev_guest_2"
    #expect(fault(.snp, tree) == "provider")
    tree.provider = nil
    #expect(fault(.snp, tree) == "report 6")
    tree = KernelTree()
    tree.makes = { _ throws(KernelTree.Failure) in throw KernelTree.Failure(errno: 5) }
    #expect(fault(.snp, tree) == "outblob 5")
    tree = KernelTree()
    tree.auxiliary = nil
    #expect(fault(.snp, tree) == "auxblob 2")
  }

  @Test(
    "A write of somebody else's, whenever it comes, is found out",
    arguments: ["inblob", "outblob", "auxblob"])
  func conflict(after: String) {
    var tree = KernelTree()
    tree.between = { tree, path in
      if path.hasSuffix("/" + after) { tree.disturb() }
    }
    #expect(fault(.snp, tree) == "generation")
  }

  @Test("Evidence that is empty or too large is refused")
  func sizes() {
    var tree = KernelTree()
    tree.makes = { _ in [] }
    #expect(fault(.snp, tree) == "size")
    tree.makes = { _ in [UInt8](repeating: 0, count: Quote.byteCountMax + 1) }
    #expect(fault(.snp, tree) == "size")
    tree = KernelTree()
    tree.auxiliary = [UInt8](repeating: 0, count: SNPCertificateTable.bytesMax + 1)
    #expect(fault(.snp, tree) == "size")
  }
}
