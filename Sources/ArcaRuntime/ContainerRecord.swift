import ArcaTEE

/// What is written down about a container when it is made.
public struct ContainerRecord: Sendable {
  /// Twelve hexadecimal digits, unique on the machine.
  public var id: String
  /// The name, the id where none was given.
  public var name: String
  /// The image as it was asked for.
  public var image: String
  /// The digest of the image's manifest, by which the store finds it.
  public var imageDigest: String
  /// The workload's argument vector.
  public var args: [String]
  /// Seconds since 1970 at which it was made.
  public var createdSeconds: UInt64
  /// The workload digest, 32 bytes.
  public var workloadDigest: [UInt8]
  /// The signal that asks the workload to stop.
  public var stopSignal: UInt8
  /// Whether the container is removed once it has ended.
  public var isRemoved: Bool
  /// Where the evidence goes, or empty.
  public var evidencePath: String
  /// The kind of TEE.
  public var tee: LaunchKind
  /// Where the guest's key broker is connected to, HOST:PORT, or empty.
  public var keyBroker: String

  func encoded() -> [UInt8] {
    RecordWriter()
      .text("id", id).text("name", name).text("image", image).text("imageDigest", imageDigest)
      .texts("args", args).unsigned("createdSeconds", createdSeconds)
      .bytes("workloadDigest", workloadDigest).unsigned("stopSignal", UInt64(stopSignal))
      .bool("isRemoved", isRemoved).text("evidencePath", evidencePath)
      .text("tee", tee.rawValue).text("keyBroker", keyBroker)
      .encoded()
  }

  init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "container record")
    id = try record.text("id")
    name = try record.text("name")
    image = try record.text("image")
    imageDigest = try record.text("imageDigest")
    args = try record.texts("args")
    createdSeconds = try record.unsigned("createdSeconds")
    workloadDigest = try record.bytes("workloadDigest", count: 32)
    stopSignal = UInt8(try record.unsigned("stopSignal", 1...64))
    isRemoved = try record.bool("isRemoved")
    evidencePath = try record.text("evidencePath")
    guard let tee = LaunchKind(rawValue: try record.text("tee")) else {
      throw TEEError(.description, "container record: unknown kind of TEE")
    }
    self.tee = tee
    keyBroker = try record.text("keyBroker")
  }

  init(
    image: String, imageDigest: String, name: String?, args: [String], createdSeconds: UInt64,
    workloadDigest: [UInt8], stopSignal: UInt8, isRemoved: Bool, evidencePath: String,
    tee: LaunchKind, keyBroker: String
  ) {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    id = String((String(repeating: "0", count: 16) + digits).suffix(12))
    self.name = name ?? id
    self.image = image
    self.imageDigest = imageDigest
    self.args = args
    self.createdSeconds = createdSeconds
    self.workloadDigest = workloadDigest
    self.stopSignal = stopSignal
    self.isRemoved = isRemoved
    self.evidencePath = evidencePath
    self.tee = tee
    self.keyBroker = keyBroker
  }
}
