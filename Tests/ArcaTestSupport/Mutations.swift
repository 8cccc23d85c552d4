import Foundation

/// What a test that changes one byte at a time changes it to.
public enum Mutations {
  /// Whether each byte takes every other value, which `ARCA_MUTATIONS=all` asks for (minutes).
  private static let isExhaustive = ProcessInfo.processInfo.environment["ARCA_MUTATIONS"] == "all"

  /// The values in place of `byte`: its lowest and highest bit flipped and `more`, or all 255.
  public static func values(of byte: UInt8, and more: [UInt8] = []) -> Set<UInt8> {
    let few = Set([byte ^ 0x01, byte ^ 0x80] + more)
    return (isExhaustive ? Set(UInt8.min...UInt8.max) : few).subtracting([byte])
  }
}
