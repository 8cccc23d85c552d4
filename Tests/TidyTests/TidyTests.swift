import Foundation
import Testing

/// The rules of STYLE.md that a program can hold.
@Suite struct TidyTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  struct Source {
    var path: String
    var lines: [Substring]
    var isOurs: Bool { path.hasPrefix("Sources/") || path.hasPrefix("Benchmarks/") }
  }

  static let files: [String] = {
    let found = FileManager.default.enumerator(atPath: root.path)
    var paths: [String] = []
    while let path = found?.nextObject() as? String {
      let first = path.prefix { $0 != "/" }
      if first == ".git" || first == "out" || first.hasPrefix(".build") {
        found?.skipDescendants()
        continue
      }
      paths.append(path)
    }
    return paths.sorted()
  }()

  static let sources: [Source] = files.filter { path in
    [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
  }.compactMap { path in
    guard let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8) else {
      return nil
    }
    return Source(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
  }

  /// The places, `path:line`, at which `pattern` stands in Swift code outside of comments.
  static func places(of pattern: some RegexComponent, in sources: [Source]) -> [String] {
    sources.flatMap { source in
      source.lines.enumerated().filter { _, line in
        let code = line.drop { $0 == " " }
        return !code.hasPrefix("//") && code.contains(pattern)
      }.map { index, _ in "\(source.path):\(index + 1)" }
    }
  }

  @Test func thereIsSomethingToCheck() {
    #expect(Self.sources.count > 20)
  }

  @Test func noPathHoldsASpace() {
    #expect(Self.files.filter { $0.contains(" ") }.isEmpty)
  }

  @Test func noSourceFilePasses500LinesOr100Columns() {
    #expect(Self.sources.filter { $0.lines.count > 501 }.map(\.path).isEmpty)
    let long = Self.sources.flatMap { source in
      source.lines.enumerated().filter { $0.element.count > 100 && !$0.element.contains("://") }
        .map { "\(source.path):\($0.offset + 1)" }
    }
    #expect(long == [])
  }

  @Test func noFunctionPasses70Lines() {
    var long: [String] = []
    for source in Self.sources where source.path.hasSuffix(".swift") {
      var start: (line: Int, indent: Int)?
      for (index, line) in source.lines.enumerated() {
        let indent = line.prefix { $0 == " " }.count
        let code = line.dropFirst(indent)
        if let open = start, code.hasPrefix("}"), indent == open.indent {
          if index - open.line >= 70 { long.append("\(source.path):\(open.line + 1)") }
          start = nil
        } else if start == nil, code.contains(/\b(func|init)\b.*\(/) || code.contains(/\binit\(/),
          !code.hasPrefix("//")
        {
          start = code.contains("}") ? nil : (index, indent)
        }
      }
    }
    #expect(long == [])
  }

  @Test func nothingTrapsOnPurpose() {
    let traps = /try!|fatalError\(|preconditionFailure\(|as! |\bassertionFailure\(/
    #expect(Self.places(of: traps, in: Self.sources.filter { $0.isOurs }) == [])
  }

  @Test func onlyUnsafeFilesSayUnsafe() {
    let ours = Self.sources.filter {
      $0.path.hasPrefix("Sources/") && $0.path.hasSuffix(".swift")
        && !$0.path.hasSuffix("+Unsafe.swift")
    }
    #expect(Self.places(of: /\bunsafe\b(?!Flags)/, in: ours) == [])
  }

  @Test func everyUnsafeFileSaysWhyItIsSafe() {
    let unsafe = Self.sources.filter { $0.path.hasSuffix("+Unsafe.swift") }
    let silent = unsafe.filter { source in !source.lines.contains { $0.contains("// SAFETY:") } }
    #expect(silent.map(\.path) == [])
  }

  @Test func laterWorkHasAReason() {
    #expect(Self.places(of: /\b(?:TODO|FIXME|XXX)\b/, in: Self.sources.filter { $0.isOurs }) == [])
  }
}
