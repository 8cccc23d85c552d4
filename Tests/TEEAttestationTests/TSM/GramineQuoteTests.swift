import TEEEvidence
import Testing

/// Gramine's pseudo-files as its sources make them (libos/src/fs/dev/attestation.c): a write of
/// `user_report_data` replaces all of it, cut or filled up with zeros to 64 bytes; a quote is made
/// as its file is opened, over what is there; without DCAP there is no such file.
private struct GramineTree: TSMFiles {
  struct Failure: Error, Equatable { let errno: Int32 }

  var type: String? = "dcap"
  /// What the quoting enclave makes of the report data.
  var quotes: ([UInt8]) throws(Failure) -> [UInt8] = { [3] + $0 }
  private(set) var data = [UInt8](repeating: 0, count: 64)
  private(set) var accesses: [String] = []

  mutating func makeFolder(_ path: String) throws(Failure) { throw Failure(errno: 30) }
  mutating func removeFolder(_ path: String) throws(Failure) { throw Failure(errno: 30) }
  mutating func removeFile(_ path: String) throws(Failure) { throw Failure(errno: 30) }

  mutating func write(_ path: String, _ content: [UInt8]) throws(Failure) {
    accesses.append(path)
    guard type != nil, path == "/dev/attestation/user_report_data" else { throw Failure(errno: 2) }
    data = Array((content + [UInt8](repeating: 0, count: 64)).prefix(64))
  }

  mutating func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
    accesses.append(path)
    guard let type else { throw Failure(errno: 2) }
    switch path {
    case "/dev/attestation/attestation_type": return Array(type.utf8.prefix(bytesMax))
    case "/dev/attestation/quote" where type == "dcap":
      return Array(try quotes(data).prefix(bytesMax))
    default: throw Failure(errno: 2)
    }
  }
}

@Suite("Evidence by Gramine's pseudo-files")
struct GramineQuoteTests {
  private let data = [UInt8](repeating: 0x5a, count: 64)

  private func refusal(
    _ change: (inout GramineTree) -> Void
  ) -> TSMFault<GramineTree.Failure>? {
    var tree = GramineTree()
    change(&tree)
    do throws(TSMFault<GramineTree.Failure>) {
      _ = try GramineQuote.request(data, &tree)
      return nil
    } catch {
      return error
    }
  }

  @Test("The quote is over the data, which is written first")
  func quote() throws {
    var tree = GramineTree()
    #expect(try GramineQuote.request(data, &tree) == [3] + data)
    #expect(
      tree.accesses.map { $0.dropFirst("/dev/attestation/".count) }
        == ["attestation_type", "user_report_data", "quote"])
    // A later request does not meet what an earlier one left behind.
    let other = [UInt8](repeating: 1, count: 64)
    #expect(try GramineQuote.request(other, &tree) == [3] + other)
  }

  @Test("An enclave that was built without DCAP, or for another scheme, is named")
  func types() throws {
    for name in ["none", "epid", "", "dcap2"] {
      guard case .provider(let found)? = refusal({ $0.type = name }) else {
        Issue.record("\(name) was taken")
        continue
      }
      #expect(found == Array(name.utf8))
    }
    var tree = GramineTree()
    tree.type = "dcap\n"
    #expect(throws: TSMFault<GramineTree.Failure>.self) {
      _ = try GramineQuote.request(data, &tree)
    }
  }

  @Test("Missing files and a quoting enclave that does not answer are named")
  func files() {
    guard case .file(let path, let failure)? = refusal({ $0.type = nil }) else {
      Issue.record("no error")
      return
    }
    #expect(path == "attestation_type")
    #expect(failure.errno == 2)
    let silent = refusal { tree in
      tree.quotes = { _ throws(GramineTree.Failure) in throw GramineTree.Failure(errno: 13) }
    }
    guard case .file(let path, let failure)? = silent else {
      Issue.record("no error")
      return
    }
    #expect(path == "quote")
    #expect(failure.errno == 13)
  }

  @Test("A quote that is empty or larger than one may be is refused")
  func sizes() throws {
    for count in [0, Quote.byteCountMax + 1] {
      let found = refusal { tree in tree.quotes = { _ in [UInt8](repeating: 1, count: count) } }
      guard case .size? = found else {
        Issue.record("\(count) bytes were taken")
        continue
      }
    }
    var tree = GramineTree()
    tree.quotes = { _ in [UInt8](repeating: 1, count: Quote.byteCountMax) }
    #expect(try GramineQuote.request(data, &tree).count == Quote.byteCountMax)
  }
}
