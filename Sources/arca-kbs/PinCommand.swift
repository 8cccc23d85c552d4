import ArcaBytes
import ArcaKeyBroker
import ArgumentParser
import Crypto
import Foundation
import NIOSSL

/// `arca-kbs pin`: what a workload's manifest names the broker by.
struct PinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin",
    abstract: "Print the SHA-256 of the server's public key, as manifests name the broker by it.")

  @OptionGroup var option: FolderOption

  func run() throws { print(try option.folder.pin()) }
}

extension BrokerFolder {
  /// SHA-256 of the SubjectPublicKeyInfo of the server's certificate, in hexadecimal.
  func pin() throws -> String {
    guard let leaf = try NIOSSLCertificate.fromPEMFile(certificate).first else {
      throw CommandError("\(certificate): holds no certificate")
    }
    return Hex.encode(Array(SHA256.hash(data: try leaf.extractPublicKey().toSPKIBytes())))
  }
}
