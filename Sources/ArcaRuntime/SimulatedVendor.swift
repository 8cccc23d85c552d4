import ArcaTEE
import Foundation
import TEEAttestation

extension Installation {
  /// The simulated vendor of this machine, made once.
  public func simulatedAMD() throws(RuntimeError) -> SimulatedAMD {
    try makeFolder(data)
    if FileManager.default.fileExists(atPath: simulatedVendor) { return try loadedVendor() }
    let lock = try lockFile(simulatedVendor + ".lock")
    defer { close(lock) }
    if FileManager.default.fileExists(atPath: simulatedVendor) { return try loadedVendor() }
    let temporary = simulatedVendor + ".new"
    try? FileManager.default.removeItem(atPath: temporary)
    try makeFolder(temporary)
    do {
      // Valid from midnight on, so that a clock that is a little behind elsewhere does no harm.
      let now = Int64(Date().timeIntervalSince1970)
      let vendor = try SimulatedAMD.create(
        at: VerificationTime(unixSeconds: now / 86_400 * 86_400))
      for (name, content) in vendor.files {
        try System.replace("\(temporary)/\(name)", with: content, mode: 0o600)
      }
      let key = SimulatedPSPKey(key: vendor.vcekPrivateKey, vcek: vendor.vcek)
      try System.replace(temporary + "/psp", with: key.encoded(), mode: 0o600)
      try renameFile(temporary, simulatedVendor)
      return vendor
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(simulatedVendor): the simulated vendor: \(error)")
    }
  }

  private func loadedVendor() throws(RuntimeError) -> SimulatedAMD {
    do {
      return try SimulatedAMD { name in
        try? System.contents("\(simulatedVendor)/\(name)", max: 1 << 16)
      }
    } catch {
      throw RuntimeError(
        .state, "\(simulatedVendor): \(error); remove the folder to have a new vendor made")
    }
  }

  /// The key file of the simulated security processor; the vendor is made where there is none.
  func simulatedPSP() throws(RuntimeError) -> String {
    let path = simulatedVendor + "/psp"
    if !isAccessible(path, R_OK) { _ = try simulatedAMD() }
    return path
  }
}
