/// A natural number of any size, as far as SIGSTRUCT's arithmetic needs one.
///
/// Time is not constant: the numbers are moduli and signatures, and what ``EnclaveKey`` computes
/// once, by its owner, with nobody to take the time.
struct NaturalNumber: Equatable, Sendable {
  /// 32-bit digits, least significant first, without leading zeros.
  private var digits: [UInt32]

  init(littleEndian bytes: some Collection<UInt8>) {
    digits = []
    digits.reserveCapacity(bytes.count / 4 + 1)
    for (index, byte) in bytes.enumerated() {
      if index % 4 == 0 { digits.append(0) }
      digits[index / 4] |= UInt32(byte) << UInt32(8 * (index % 4))
    }
    trim()
  }

  private init(digits: [UInt32]) {
    self.digits = digits
    trim()
  }

  /// The number in `count` bytes, least significant first, or nil where it needs more.
  func littleEndian(count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    for digit in digits {
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: digit >> shift))
      }
    }
    while let last = bytes.last, last == 0 { bytes.removeLast() }
    guard bytes.count <= count else { return nil }
    return bytes + [UInt8](repeating: 0, count: count - bytes.count)
  }

  static func < (left: NaturalNumber, right: NaturalNumber) -> Bool {
    guard left.digits.count == right.digits.count else {
      return left.digits.count < right.digits.count
    }
    for (one, other) in zip(left.digits.reversed(), right.digits.reversed()) where one != other {
      return one < other
    }
    return false
  }

  static func * (left: NaturalNumber, right: NaturalNumber) -> NaturalNumber {
    var product = [UInt32](repeating: 0, count: left.digits.count + right.digits.count)
    for (i, one) in left.digits.enumerated() {
      var carry: UInt64 = 0
      for (j, other) in right.digits.enumerated() {
        let sum = UInt64(one) * UInt64(other) + UInt64(product[i + j]) + carry
        product[i + j] = UInt32(truncatingIfNeeded: sum)
        carry = sum >> 32
      }
      product[i + right.digits.count] = UInt32(truncatingIfNeeded: carry)
    }
    return NaturalNumber(digits: product)
  }

  /// Quotient and remainder by long division, bit by bit; nil where `divisor` is zero.
  func divided(by divisor: NaturalNumber) -> (quotient: NaturalNumber, remainder: NaturalNumber)? {
    guard !divisor.digits.isEmpty else { return nil }
    var quotient = [UInt32](repeating: 0, count: digits.count)
    var remainder = NaturalNumber(digits: [])
    for index in digits.indices.reversed() {
      for bit in (UInt32(0)..<32).reversed() {
        remainder.double(adding: digits[index] >> bit & 1)
        if !(remainder < divisor) {
          remainder.subtract(divisor)
          quotient[index] |= 1 << bit
        }
      }
    }
    return (NaturalNumber(digits: quotient), remainder)
  }

  /// Twice the number, and `bit`.
  func doubled(adding bit: UInt32) -> NaturalNumber {
    var number = self
    number.double(adding: bit)
    return number
  }

  /// The number less one that is not greater.
  func subtracting(_ other: NaturalNumber) -> NaturalNumber {
    var number = self
    number.subtract(other)
    return number
  }

  private mutating func double(adding bit: UInt32) {
    var carry = bit
    for index in digits.indices {
      let next = digits[index] >> 31
      digits[index] = digits[index] << 1 | carry
      carry = next
    }
    if carry != 0 { digits.append(carry) }
  }

  /// Subtracts a number that is not greater.
  private mutating func subtract(_ other: NaturalNumber) {
    var borrow: Int64 = 0
    for index in digits.indices {
      let subtrahend = index < other.digits.count ? Int64(other.digits[index]) : 0
      let difference = Int64(digits[index]) - subtrahend - borrow
      borrow = difference < 0 ? 1 : 0
      digits[index] = UInt32(truncatingIfNeeded: difference)
    }
    trim()
  }

  private mutating func trim() {
    while let last = digits.last, last == 0 { digits.removeLast() }
  }
}
