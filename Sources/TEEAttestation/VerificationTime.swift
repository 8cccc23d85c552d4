/// The moment that evidence is judged at: whole seconds since 1970-01-01T00:00:00Z.
///
/// A verifier never reads a clock; whoever calls it says which time it is.
public struct VerificationTime: Sendable, Hashable, Comparable {
  /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
  public let unixSeconds: Int64

  /// Creates the moment `unixSeconds` seconds after 1970-01-01T00:00:00Z.
  public init(unixSeconds: Int64) {
    self.unixSeconds = unixSeconds
  }

  /// Reads `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339, UTC only), or nil where `text` is not that.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 20, bytes[4] == 45, bytes[7] == 45, bytes[10] == 84, bytes[13] == 58,
      bytes[16] == 58, bytes[19] == 90
    else { return nil }
    let digits = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19].flatMap { bytes[$0] }
    self.init(digits: digits[...])
  }

  /// Reads the fourteen ASCII digits `YYYYMMDDHHMMSS`, or nil where they name no moment.
  init?(digits: ArraySlice<UInt8>) {
    guard digits.count == 14, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
    let start = digits.startIndex
    func number(_ from: Int, _ count: Int) -> Int64 {
      digits[start + from..<start + from + count].reduce(0) { $0 * 10 + Int64($1 - 48) }
    }
    let year = number(0, 4)
    let month = number(4, 2)
    let day = number(6, 2)
    let hour = number(8, 2)
    let minute = number(10, 2)
    let second = number(12, 2)
    guard year >= 1, (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year),
      hour < 24, minute < 60, second < 60
    else { return nil }
    let days = Self.daysSinceEpoch(year, month, day)
    unixSeconds = days * 86_400 + hour * 3_600 + minute * 60 + second
  }

  /// Orders by time.
  public static func < (left: Self, right: Self) -> Bool { left.unixSeconds < right.unixSeconds }

  /// The moment as `YYYY-MM-DDTHH:MM:SSZ`.
  public var text: String {
    let day = unixSeconds >= 0 ? unixSeconds / 86_400 : (unixSeconds - 86_399) / 86_400
    let second = unixSeconds - day * 86_400
    let date = Self.date(daysSinceEpoch: day)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let year = String(repeating: "0", count: max(0, 4 - "\(date.year)".count)) + "\(date.year)"
    return "\(year)-\(two(date.month))-\(two(date.day))T"
      + "\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
  }

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: return 30
    default: return 31
    }
  }

  // The civil calendar in eras of 400 years that start in March, so that the leap day comes last.
  private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month > 2 ? year : year - 1
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func date(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted >= 0 ? shifted / 146_097 : (shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
