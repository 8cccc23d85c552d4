import Foundation
import Synchronization
import TEEAttestation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Asks the vendors' services over HTTP; every call waits for its answer.
public struct HTTPCollateralFetcher: CollateralFetching, Sendable {
  private static let timeoutSeconds = 30.0
  private let session: URLSession

  /// A fetcher that keeps no cookies and no cache of its own.
  public init() {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = Self.timeoutSeconds
    session = URLSession(configuration: configuration)
  }

  /// Gets the document; statuses other than 200 and answers above 4 MiB are errors.
  public func response(
    to request: CollateralRequest
  ) throws(AttestationError) -> CollateralResponse {
    guard let address = URL(string: request.address) else {
      throw AttestationError(.inputOutput, "\(request.name): \(request.address) is not a URL")
    }
    let answer = Answer()
    session.dataTask(with: address) { body, response, error in
      answer.give(body, response as? HTTPURLResponse, error)
    }.resume()
    let (body, response, fault) = answer.wait()
    guard let response else {
      throw AttestationError(
        .inputOutput, "\(request.name): no answer from \(request.address): \(fault ?? "unknown")")
    }
    guard response.statusCode == 200 else {
      throw AttestationError(
        .inputOutput,
        "\(request.name): \(request.address) answered \(response.statusCode), expected 200"
          + Self.advice(for: response.statusCode))
    }
    guard body.count <= CollateralResponse.bytesMax else {
      throw AttestationError(
        .tooLarge, "\(request.name): \(request.address) sent \(body.count) bytes")
    }
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      if let name = name as? String, let value = value as? String {
        headers[name.lowercased()] = value
      }
    }
    return CollateralResponse(body: body, headers: headers)
  }

  private static func advice(for status: Int) -> String {
    switch status {
    case 404: "; the service does not know this platform: check the service's address"
    case 429: "; the service limits requests: try again in a minute"
    default: ""
    }
  }

  /// Hands one answer from the session's thread to the one that waits.
  private final class Answer: Sendable {
    private let arrived = DispatchSemaphore(value: 0)
    private let content = Mutex<([UInt8], HTTPURLResponse?, String?)>(([], nil, nil))

    func give(_ body: Data?, _ response: HTTPURLResponse?, _ error: (any Error)?) {
      let fault = error.map { "\(($0 as NSError).localizedDescription)" }
      content.withLock { $0 = ([UInt8](body ?? Data()), response, fault) }
      arrived.signal()
    }

    func wait() -> ([UInt8], HTTPURLResponse?, String?) {
      arrived.wait()
      return content.withLock { $0 }
    }
  }
}
