import Foundation
import Testing

/// docs/threat-model.md names attacks and the test that shows each defence; both must be there.
@Suite struct ThreatModelTests {
  /// The rows of the table of attacks: name, and what its last cell names.
  static let attacks: [(name: String, tests: [String])] = {
    let path = TidyTests.root.appending(path: "docs/threat-model.md")
    guard let text = try? String(contentsOf: path, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 3, cells[0].wholeMatch(of: /`[a-z-]+`/) != nil else { return nil }
      let tests = cells[2].matches(of: /`([^`]+)`/).map { String($0.1) }
      return (String(cells[0].dropFirst().dropLast()), tests)
    }
  }()

  /// Whether a test of that name is in the tree: `FILE: NAME`, `Suite.function` or `Suite`.
  static func exists(_ test: String) -> Bool {
    if let match = test.wholeMatch(of: /(Tests\/\S+): (.+)/) {
      let path = TidyTests.root.appending(path: String(match.1))
      return (try? String(contentsOf: path, encoding: .utf8))?.contains(match.2) ?? false
    }
    let parts = test.split(separator: ".")
    guard let suite = parts.first, parts.count <= 2 else { return false }
    return TidyTests.sources.contains { source in
      source.path.hasPrefix("Tests/") && source.lines.contains { $0.contains("struct \(suite) ") }
        && (parts.count == 1 || source.lines.contains { $0.contains("func \(parts[1])(") })
    }
  }

  @Test func everyAttackHasANameOfItsOwnAndATestThatIsThere() {
    #expect(Self.attacks.count >= 40)
    #expect(Set(Self.attacks.map(\.name)).count == Self.attacks.count)
    for attack in Self.attacks {
      #expect(!attack.tests.isEmpty, "\(attack.name)")
      for test in attack.tests { #expect(Self.exists(test), "\(attack.name): \(test)") }
    }
  }

  /// The names that lines of mutants.txt start with, behind `mark`.
  static func mutants(_ mark: Character) -> [String] {
    let path = TidyTests.root.appending(path: "Tests/Integration/mutants.txt")
    guard let text = try? String(contentsOf: path, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").filter { $0.first == mark }.flatMap { line in
      let names = line.dropFirst().prefix { $0 != ":" && $0 != "(" }
      return names.split(separator: " ").map(String.init).filter { $0 != "alone" }
    }
  }

  /// The lines that mutants.txt takes away, each run of them with its file.
  static let takenAway: [(path: String, lines: [Substring])] = {
    let list = TidyTests.root.appending(path: "Tests/Integration/mutants.txt")
    let text = (try? String(contentsOf: list, encoding: .utf8)) ?? ""
    var path = ""
    var runs: [(path: String, lines: [Substring])] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      switch line.first {
      case "-":
        if runs.last?.path != path || runs.last?.lines.isEmpty ?? true { runs.append((path, [])) }
        runs[runs.count - 1].lines.append(line.dropFirst())
      case "=", "?", "!", "#", nil: break
      case "+": runs.append((path, []))
      default: path = String(line)
      }
    }
    return runs.filter { !$0.lines.isEmpty }
  }()

  @Test func whatIsTakenAwayStandsInItsFileOnce() throws {
    #expect(Self.takenAway.count >= 50)
    for run in Self.takenAway {
      let file = TidyTests.root.appending(path: run.path)
      let text = "\n" + (try String(contentsOf: file, encoding: .utf8))
      let count = text.components(separatedBy: "\n\(run.lines.joined(separator: "\n"))\n").count - 1
      #expect(count == 1, "\(run.path): \(run.lines.first ?? "")")
    }
  }

  @Test func ofEveryAttackTheDefenceIsTakenAwayOrIsNotOurs() {
    let names = Set(Self.attacks.map(\.name))
    let mutated = Set(Self.mutants("="))
    let excused = Set(Self.mutants("!"))
    #expect(mutated.count >= 50)
    #expect(names.subtracting(mutated).subtracting(excused) == [])
    #expect(mutated.union(excused).union(Self.mutants("?")).subtracting(names) == [])
    // Of these the test of one defence is excused, not the attack.
    #expect(mutated.intersection(excused) == ["answer-foreign"])
  }

  @Test func aTestThatIsNotThereIsNotFound() {
    #expect(!Self.exists("HostileHostTests.nothingOfTheKind"))
    #expect(!Self.exists("NoSuchTests"))
    #expect(!Self.exists("Tests/Integration/run.sh: test_nothing"))
  }
}
