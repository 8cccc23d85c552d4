import ArcaOCI
import Foundation

/// Documents of a hostile registry: what is accepted is the same after writing and reading again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImageDocuments(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let document = Data(UnsafeBufferPointer(start: start, count: count))
  checkRoundTrip(ImageIndex.self, document)
  checkRoundTrip(ImageManifest.self, document)
  checkRoundTrip(ImageConfiguration.self, document)
  return 0
}

private func checkRoundTrip<Value: Codable & Equatable>(_ type: Value.Type, _ document: Data) {
  guard let value = try? JSONDecoder().decode(type, from: document) else { return }
  let written = try? JSONEncoder().encode(value)
  precondition(written.flatMap { try? JSONDecoder().decode(type, from: $0) } == value)
}
