import ArcaBytes

/// A ``ArcaBytes/ByteReader`` whose errors name the field that was being read.
struct FieldReader {
  private var reader: ByteReader
  /// Offset of the first byte within the evidence, so that errors count from its start.
  private let base: Int

  init(_ bytes: ArraySlice<UInt8>, base: Int = 0) {
    reader = ByteReader(bytes)
    self.base = base
  }

  var remaining: Int { reader.remaining }
  var offset: Int { base + reader.offset }

  mutating func slice(_ field: StaticString, _ count: Int) throws(EvidenceError)
    -> ArraySlice<UInt8>
  {
    do { return try reader.slice(count) } catch { throw truncated(field) }
  }

  mutating func array(_ field: StaticString, _ count: Int) throws(EvidenceError) -> [UInt8] {
    Array(try slice(field, count))
  }

  mutating func u8(_ field: StaticString) throws(EvidenceError) -> UInt8 {
    do { return try reader.u8() } catch { throw truncated(field) }
  }

  mutating func u16(_ field: StaticString) throws(EvidenceError) -> UInt16 {
    do { return try reader.u16() } catch { throw truncated(field) }
  }

  mutating func u32(_ field: StaticString) throws(EvidenceError) -> UInt32 {
    do { return try reader.u32() } catch { throw truncated(field) }
  }

  mutating func u64(_ field: StaticString) throws(EvidenceError) -> UInt64 {
    do { return try reader.u64() } catch { throw truncated(field) }
  }

  mutating func skip(_ field: StaticString, _ count: Int) throws(EvidenceError) {
    _ = try slice(field, count)
  }

  func expectEnd(_ structure: StaticString) throws(EvidenceError) {
    guard remaining == 0 else {
      throw EvidenceError(.trailing, structure, at: offset)
    }
  }

  private func truncated(_ field: StaticString) -> EvidenceError {
    EvidenceError(.truncated, field, at: offset)
  }
}
