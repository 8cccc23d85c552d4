/// Gathers what a verification finds, so that a verdict has every reason and not only the first.
struct Findings: Sendable {
  /// Whatever the caller does not hand in and the decision needs.
  private(set) var missing: [String] = []
  /// Every check so far.
  private(set) var checks: [Check] = []
  /// Whether the chain ends in a simulated vendor's root.
  var simulated = false
  /// Status of the platform's TCB, where the vendor issues one.
  var tcbStatus: TCBStatus?
  /// Advisories that apply.
  var advisories: [String] = []
  /// Set where there is nothing but a chain to judge by.
  var chainOnly = false

  init() {
    checks.reserveCapacity(64)
  }

  /// Records a check.
  @discardableResult
  mutating func check(
    _ name: String, expected: ClaimValue, found: ClaimValue, passed: Bool, else failure: VerdictKind
  ) -> Bool {
    checks.append(
      Check(name: name, expected: expected, found: found, passed: passed, failure: failure))
    return passed
  }

  /// Records that `found` must equal `expected`.
  @discardableResult
  mutating func equal(
    _ name: String, _ found: ClaimValue, _ expected: ClaimValue,
    else failure: VerdictKind = .mismatch
  ) -> Bool {
    check(name, expected: expected, found: found, passed: expected == found, else: failure)
  }

  /// Records that `flag` must be `expected`.
  @discardableResult
  mutating func flag(
    _ name: String, _ found: Bool, is expected: Bool = true, else failure: VerdictKind
  ) -> Bool {
    equal(name, .flag(found), .flag(expected), else: failure)
  }

  /// Records that `time` must be within `from...until`.
  @discardableResult
  mutating func validity(
    _ name: String, _ time: VerificationTime, from: VerificationTime, until: VerificationTime
  ) -> Bool {
    check(
      name, expected: .period(from, until), found: .time(time),
      passed: from <= time && time <= until, else: .expired)
  }

  /// Records that `what` could not be parsed.
  mutating func malformed(_ what: String, _ error: AttestationError) {
    check(
      what, expected: .text("well formed"), found: .text(error.detail), passed: false,
      else: error.code == .unknownCriticalExtension || error.code == .unsupportedAlgorithm
        ? .mismatch : .malformed)
  }

  /// Records that `what` is needed and absent.
  mutating func lacks(_ what: String) {
    missing.append(what)
  }

  /// Whether nothing has failed and nothing is missing.
  var hold: Bool { missing.isEmpty && checks.allSatisfy(\.passed) }

  /// What the findings come to.
  var kind: VerdictKind {
    var worst: VerdictKind = tcbStatus?.verdict ?? .valid
    func consider(_ kind: VerdictKind) { if kind.severity > worst.severity { worst = kind } }
    if chainOnly { consider(.chainValid) }
    if !missing.isEmpty { consider(.undecided) }
    for check in checks where !check.passed { consider(check.failure) }
    return worst
  }
}
