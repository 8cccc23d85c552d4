import ArcaBytes

/// Writes a small CBOR map, field by field; the counterpart of ``RecordReader``.
package struct RecordWriter {
  private var entries: [CBOR.Entry] = []

  package init() {}

  package func bytes(_ key: String, _ value: [UInt8]) -> Self { adding(key, .bytes(value)) }
  package func unsigned(_ key: String, _ value: UInt64) -> Self { adding(key, .unsigned(value)) }
  package func bool(_ key: String, _ value: Bool) -> Self { adding(key, .bool(value)) }
  package func text(_ key: String, _ value: String) -> Self {
    adding(key, .text(Array(value.utf8)))
  }
  package func texts(_ key: String, _ values: [String]) -> Self {
    adding(key, .array(values.map { .text(Array($0.utf8)) }))
  }

  package func encoded() -> [UInt8] { CBOR.map(entries).encoded() }

  private func adding(_ key: String, _ value: CBOR) -> Self {
    var copy = self
    copy.entries.append(CBOR.Entry(Array(key.utf8), value))
    return copy
  }
}

/// Reads a small CBOR map of Arca's own, refusing fields of the wrong type or out of their bounds.
package struct RecordReader {
  private let entries: [CBOR.Entry]
  private let thing: String

  package init(_ encoded: [UInt8], of thing: String) throws(TEEError) {
    self.thing = thing
    do {
      guard case .map(let entries) = try CBOR.decode(encoded) else {
        throw TEEError(.description, "\(thing) is not a CBOR map")
      }
      self.entries = entries
    } catch let error as BytesError {
      throw TEEError(.description, "\(thing): \(error.code) at byte \(error.offset)")
    } catch let error as TEEError {
      throw error
    } catch {
      throw TEEError(.description, "\(thing): \(error)")
    }
  }

  package func bytes(_ key: String, count: Int? = nil) throws(TEEError) -> [UInt8] {
    guard case .bytes(let value) = try field(key), count == nil || value.count == count else {
      throw fault(key)
    }
    return value
  }

  package func unsigned(
    _ key: String, _ bounds: ClosedRange<UInt64> = 0...UInt64.max
  ) throws(TEEError) -> UInt64 {
    guard case .unsigned(let value) = try field(key), bounds.contains(value) else {
      throw fault(key)
    }
    return value
  }

  package func bool(_ key: String) throws(TEEError) -> Bool {
    guard case .bool(let value) = try field(key) else { throw fault(key) }
    return value
  }

  package func text(_ key: String) throws(TEEError) -> String {
    guard case .text(let value) = try field(key) else { throw fault(key) }
    return String(decoding: value, as: UTF8.self)
  }

  package func texts(_ key: String) throws(TEEError) -> [String] {
    guard case .array(let values) = try field(key) else { throw fault(key) }
    var texts: [String] = []
    for value in values {
      guard case .text(let utf8) = value else { throw fault(key) }
      texts.append(String(decoding: utf8, as: UTF8.self))
    }
    return texts
  }

  private func field(_ key: String) throws(TEEError) -> CBOR {
    let wanted = Array(key.utf8)
    guard let entry = entries.first(where: { $0.key == wanted }) else { throw fault(key) }
    return entry.value
  }

  private func fault(_ key: String) -> TEEError {
    TEEError(.description, "\(thing): the field \(key) is missing or out of its bounds")
  }
}
