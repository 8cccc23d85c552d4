import ArcaBytes
import Crypto
import Foundation
import TEEAttestation

/// Keeps answers on disk for as long as their requests allow.
///
/// Several processes may share one folder: files appear whole or not at all.
public struct CachedCollateralFetcher<Origin: CollateralFetching>: CollateralFetching {
  private let origin: Origin
  private let folder: String
  private let now: VerificationTime

  /// A cache in `folder` (made when first written) before `origin`; `now` decides what is fresh.
  public init(_ origin: Origin, folder: String, now: VerificationTime) {
    self.origin = origin
    self.folder = folder
    self.now = now
  }

  /// The stored answer where it is fresh, else the origin's, which is stored.
  ///
  /// An answer that cannot be stored is still an answer; a stored one that cannot be read is asked
  /// for again.
  public func response(
    to request: CollateralRequest
  ) throws(AttestationError) -> CollateralResponse {
    let path = "\(folder)/\(Hex.encode(Array(SHA256.hash(data: Array(request.address.utf8))))).json"
    if let entry = Entry(path: path), entry.address == request.address,
      entry.storedAt <= now.unixSeconds,
      now.unixSeconds - entry.storedAt < request.freshSeconds
    {
      return CollateralResponse(body: [UInt8](entry.body), headers: entry.headers)
    }
    let response = try origin.response(to: request)
    let entry = Entry(
      address: request.address, storedAt: now.unixSeconds, headers: response.headers,
      body: Data(response.body))
    if let encoded = try? JSONEncoder().encode(entry) {
      try? DurableFile.write([UInt8](encoded), to: path)
    }
    return response
  }
}

private struct Entry: Codable {
  let address: String
  let storedAt: Int64
  let headers: [String: String]
  let body: Data

  init(address: String, storedAt: Int64, headers: [String: String], body: Data) {
    self.address = address
    self.storedAt = storedAt
    self.headers = headers
    self.body = body
  }

  init?(path: String) {
    guard let content = FileManager.default.contents(atPath: path),
      let entry = try? JSONDecoder().decode(Entry.self, from: content)
    else { return nil }
    self = entry
  }
}
