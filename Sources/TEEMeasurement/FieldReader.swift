import ArcaBytes

/// A ``ByteReader`` whose errors name the thing that was being read.
struct FieldReader {
  private var reader: ByteReader
  private let thing: String
  private let code: MeasurementError.Code

  /// Reads `bytes`, which are `thing` ("the firmware's TDVF descriptor").
  init(_ bytes: ArraySlice<UInt8>, _ thing: String, _ code: MeasurementError.Code) {
    reader = ByteReader(bytes)
    self.thing = thing
    self.code = code
  }

  /// Bytes that are left.
  var remaining: Int { reader.remaining }

  mutating func u16() throws(MeasurementError) -> UInt16 {
    do { return try reader.u16() } catch { throw cut(error) }
  }

  mutating func u32() throws(MeasurementError) -> UInt32 {
    do { return try reader.u32() } catch { throw cut(error) }
  }

  mutating func u64() throws(MeasurementError) -> UInt64 {
    do { return try reader.u64() } catch { throw cut(error) }
  }

  mutating func slice(_ count: Int) throws(MeasurementError) -> ArraySlice<UInt8> {
    do { return try reader.slice(count) } catch { throw cut(error) }
  }

  /// The error that `thing` is wrong as `what` says.
  func refused(_ what: String) -> MeasurementError {
    MeasurementError(code, "\(thing) \(what)")
  }

  private func cut(_ error: BytesError) -> MeasurementError {
    refused("is cut short at byte \(error.offset)")
  }
}
