extension Wire {
  /// The port of 127.0.0.1 at which the launcher waits for an enclave that inherits no descriptors.
  public static let enclavePort: UInt16 = 40_961
}
