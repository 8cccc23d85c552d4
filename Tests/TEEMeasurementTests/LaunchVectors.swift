import ArcaBytes
import ArcaTestSupport
import Foundation
import Testing

/// The launch-measurement vectors in the folder that ARCA_VECTORS names.
enum LaunchVectors {
  static let folder = URL(fileURLWithPath: VectorFolder.path).appendingPathComponent("launch")

  /// CI never skips: there the tests run and fail where the folder is absent.
  static let areExpected = VectorFolder.isCI || VectorFolder.isPresent

  /// Whether the folder has the file `path`; a folder of the same layout need not have every one.
  static func has(_ path: String) -> Bool {
    !VectorFolder.isPresent
      || FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path)
  }

  static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(bytes(path)))
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appendingPathComponent(path)))
  }

  /// An input file.
  ///
  /// Large ones may live once, in the public folder beside this one.
  static func input(_ name: String) throws -> [UInt8] {
    let file = "launch/inputs/\((name as NSString).lastPathComponent)"
    let beside = URL(fileURLWithPath: VectorFolder.path).deletingLastPathComponent().path
    let shared = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    let places = [
      VectorFolder.path, "\(beside)/public", "\(beside)/vectors", "\(shared)/shared/vectors",
    ]
    for place in places {
      if let content = FileManager.default.contents(atPath: "\(place)/\(file)") {
        return [UInt8](content)
      }
    }
    throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: file])
  }

  /// The folders under `path` that hold a vector.json.
  static func cases(_ path: String) throws -> [String] {
    let all = try FileManager.default.contentsOfDirectory(
      atPath: folder.appendingPathComponent(path).path)
    return all.sorted().map { "\(path)/\($0)" }.filter {
      FileManager.default.fileExists(
        atPath: folder.appendingPathComponent("\($0)/vector.json").path)
    }
  }
}

/// The bytes that hexadecimal text in a vector spells.
func hexBytes(_ text: String) throws -> [UInt8] {
  try #require(Hex.decode(text))
}
