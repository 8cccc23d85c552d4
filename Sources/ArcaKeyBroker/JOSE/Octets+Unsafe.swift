import Crypto
import Foundation

extension AES.GCM.Nonce {
  /// The nonce's 12 bytes.
  var octets: [UInt8] { Array(self) }
}

extension SymmetricKey {
  /// A copy of the key's bytes; the copy is not wiped, so it is taken only where an interface
  /// demands bytes.
  var octets: [UInt8] {
    // SAFETY: the buffer is read within the closure only, and copied.
    unsafe withUnsafeBytes { unsafe Array($0) }
  }
}

extension SHA256 {
  /// Hashes a shared secret where it lies, without a copy.
  mutating func update(_ shared: SharedSecret) {
    // SAFETY: the buffer is read within the closure only.
    unsafe shared.withUnsafeBytes { unsafe update(bufferPointer: $0) }
  }
}
