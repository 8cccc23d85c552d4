extension TCBStatus {
  /// Whether security updates are missing.
  var isOutOfDate: Bool { self == .outOfDate || self == .outOfDateConfigurationNeeded }

  /// Whether the status asks for a look at the platform's configuration.
  var needsConfiguration: Bool {
    switch self {
    case .configurationNeeded, .configurationAndSWHardeningNeeded, .outOfDateConfigurationNeeded,
      .tdRelaunchAdvisedConfigurationNeeded:
      true
    default: false
    }
  }

  /// This platform's status once a part of it (quoting enclave, TDX module) has the status `part`
  /// (quote verification library, "TCB status convergence").
  func converged(with part: TCBStatus) -> TCBStatus {
    if self == .revoked || part == .revoked { return .revoked }
    guard part.isOutOfDate else { return self }
    switch self {
    case .upToDate, .swHardeningNeeded: return .outOfDate
    case .configurationNeeded, .configurationAndSWHardeningNeeded:
      return .outOfDateConfigurationNeeded
    default: return self
    }
  }

  /// The status of a TD that was launched at this status and runs now at `current`.
  func relaunched(current: TCBStatus) -> TCBStatus {
    if current == .revoked { return .revoked }
    guard isOutOfDate, !current.isOutOfDate else { return self }
    return needsConfiguration || current.needsConfiguration
      ? .tdRelaunchAdvisedConfigurationNeeded : .tdRelaunchAdvised
  }
}
