import Foundation
import TEEAttestation

extension CollateralBundle {
  /// Reads the files of a bundle in `folder`; files with other names are left alone.
  public init(folder: String) throws(AttestationError) {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
    else {
      throw AttestationError(
        .inputOutput, "\(folder): expected a folder that arca attest collect wrote")
    }
    var files: [File: [UInt8]] = [:]
    for file in File.allCases {
      let path = "\(folder)/\(file.rawValue)"
      guard names.contains(file.rawValue) else { continue }
      guard let content = FileManager.default.contents(atPath: path) else {
        throw AttestationError(.inputOutput, "\(path): cannot be read")
      }
      guard content.count <= CollateralResponse.bytesMax else {
        throw AttestationError(.tooLarge, "\(path): \(content.count) bytes, expected 4 MiB at most")
      }
      files[file] = [UInt8](content)
    }
    self.init(files: files)
  }

  /// Writes the files into `folder`, which is made; files with other names there stay.
  public func write(to folder: String) throws(AttestationError) {
    for file in File.allCases {
      guard let content = files[file] else { continue }
      try DurableFile.write(content, to: "\(folder)/\(file.rawValue)")
    }
  }
}
