import ArcaBytes
import Glibc

/// What the owner of a SEV or SEV-ES guest needs to judge its launch.
public struct SEVLaunchRecord: Sendable, Equatable {
  /// Version of the processor's interface, and its firmware's build.
  public var api: [UInt8]
  /// The guest policy that the platform reports.
  public var policy: UInt32
  /// LAUNCH_MEASURE: measurement, 32 bytes, and nonce, 16 bytes.
  public var blob: [UInt8]

  /// A record of these parts.
  public init(api: [UInt8], policy: UInt32, blob: [UInt8]) {
    self.api = api
    self.policy = policy
    self.blob = blob
  }

  /// The CBOR of the record.
  public func encoded() -> [UInt8] {
    RecordWriter().bytes("api", api).unsigned("policy", UInt64(policy)).bytes("blob", blob)
      .encoded()
  }

  /// Reads a record that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "SEV launch record")
    api = try record.bytes("api", count: 3)
    policy = UInt32(try record.unsigned("policy", 0...UInt64(UInt32.max)))
    blob = try record.bytes("blob", count: 48)
  }
}

/// The owner's answer to a launch: a secret for the guest, which only a measurement that the owner
/// accepted can be sealed to.
public struct SEVSecretPacket: Sendable, Equatable {
  /// Flags, initialisation vector and authentication code, 52 bytes.
  public var header: [UInt8]
  /// The encrypted table of secrets.
  public var secret: [UInt8]

  /// A packet of these parts.
  public init(header: [UInt8], secret: [UInt8]) {
    self.header = header
    self.secret = secret
  }

  /// The CBOR of the packet.
  public func encoded() -> [UInt8] {
    RecordWriter().bytes("header", header).bytes("secret", secret).encoded()
  }

  /// Reads a packet that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "SEV secret packet")
    header = try record.bytes("header", count: 52)
    secret = try record.bytes("secret")
    guard secret.count <= 16384, secret.count % 16 == 0 else {
      throw TEEError(.description, "SEV secret packet: \(secret.count) bytes of secret")
    }
  }
}

/// Holds a SEV guest before its first instruction until its owner has judged the launch.
package struct SEVLaunchControl {
  /// The file, in the folder of results, that the measurement is written to.
  package static let recordName = "sev-launch"
  /// The file there that the owner's packet is awaited in.
  package static let packetName = "sev-secret"
  private static let waitSeconds = 600

  /// What stands in the packet's place where the owner refuses the launch for this reason.
  package static func refusal(_ reason: String) -> [UInt8] {
    RecordWriter().text("refusal", reason).encoded()
  }

  /// The reason that ``refusal(_:)`` wrote, or nil where `bytes` are no refusal.
  package static func refusal(in bytes: [UInt8]) -> String? {
    try? RecordReader(bytes, of: "SEV refusal").text("refusal")
  }

  private let folder: String
  private var client: QMPClient

  /// Control over the QEMU whose monitor is at `monitor`.
  package init(monitor: Int32, folder: String) throws(TEEError) {
    client = try QMPClient(monitor)
    self.folder = folder
  }

  /// Writes down what the platform measured, for whoever is to judge it.
  package mutating func measure() throws(TEEError) {
    let platform = try client.platform()
    let record = SEVLaunchRecord(
      api: [platform.api.major, platform.api.minor, platform.api.build], policy: platform.policy,
      blob: try client.launchMeasurement())
    try System.replace("\(folder)/\(Self.recordName)", with: record.encoded())
  }

  /// Waits for the owner's packet where there is an owner, and lets the guest run.
  ///
  /// `isGivenUp` is asked five times a second.
  package mutating func resume(
    afterOwner hasOwner: Bool, isGivenUp: () -> Bool
  ) throws(TEEError) {
    if hasOwner {
      let packet = try awaitPacket(isGivenUp)
      try client.inject(header: packet.header, secret: packet.secret)
    }
    try client.resume()
  }

  private func awaitPacket(_ isGivenUp: () -> Bool) throws(TEEError) -> SEVSecretPacket {
    let end = System.monotonicMicroseconds + UInt64(Self.waitSeconds) * 1_000_000
    while System.monotonicMicroseconds < end {
      let path = "\(folder)/\(Self.packetName)"
      if let bytes = try? System.contents(path, max: 1 << 15) {
        if let reason = Self.refusal(in: bytes) { throw TEEError(.keyBrokerRefused, reason) }
        return try SEVSecretPacket(decoding: bytes)
      }
      guard !isGivenUp() else {
        throw TEEError(.supervisorGone, "ended while the owner's secret was awaited")
      }
      usleep(200_000)
    }
    throw TEEError(
      .startTimeout,
      "the owner sent no secret in \(Self.waitSeconds) s: see `arca sev secret --help`")
  }
}
