/// What a launch on hardware asks for besides what every launch has.
public struct HardwareLaunch: Sendable, Equatable {
  /// QEMU's name of the CPU model; SEV-ES and SEV-SNP measure its signature.
  public var cpuModel: String
  /// The guest policy of SEV-SNP (AMD 56860, table 10) or SEV (AMD 55766, chapter 3).
  public var policy: UInt64
  /// Which bit of an address says that memory is encrypted (CPUID Fn8000_001F, EBX).
  public var encryptionBit: Int
  /// How many address bits encryption takes away (CPUID Fn8000_001F, EBX).
  public var reducedAddressBits: Int
  /// SEV-SNP: the ID block, 96 bytes, or empty.
  public var idBlock: [UInt8] = []
  /// SEV-SNP: the ID authentication structure, 4,096 bytes, or empty.
  public var idAuthentication: [UInt8] = []
  /// SEV: whether the owner's `session` and `dh-cert` are in the job's folder.
  public var hasSession = false
  /// TDX: whether the host's quote generation service is at ``OuterPath/quoteService``.
  public var hasQuoteService = false

  /// The policies that Arca launches with unless told otherwise.
  public enum DefaultPolicy {
    /// SEV-SNP: bit 17 must be set; SMT allowed; no debugger, no migration agent.
    public static let snp: UInt64 = 0x30000
    /// SEV: no debugger, no key sharing, no migration.
    public static let sev: UInt64 = 0x0b
    /// SEV-ES: the same, and SEV-ES demanded.
    public static let sevES: UInt64 = 0x0f

    /// The policy of `kind`; TDX has attributes in its place.
    public static func of(_ kind: LaunchKind) -> UInt64 {
      switch kind {
      case .snp: snp
      case .sevES: sevES
      case .sev: sev
      case .tdx, .sgx, .simulatedSNP, .simulatedTDX, .simulatedSGX: 0
      }
    }
  }

  /// TD attributes: SEPT_VE_DISABLE (bit 28), no debugger (Intel 348549, ATTRIBUTES).
  public static let tdAttributes: UInt64 = 1 << 28

  /// A launch of these parts.
  public init(
    cpuModel: String, policy: UInt64, encryptionBit: Int = 51, reducedAddressBits: Int = 1
  ) {
    self.cpuModel = cpuModel
    self.policy = policy
    self.encryptionBit = encryptionBit
    self.reducedAddressBits = reducedAddressBits
  }

  func adding(to writer: RecordWriter) -> RecordWriter {
    writer.text("cpuModel", cpuModel).unsigned("policy", policy)
      .unsigned("encryptionBit", UInt64(encryptionBit))
      .unsigned("reducedAddressBits", UInt64(reducedAddressBits))
      .bytes("idBlock", idBlock).bytes("idAuthentication", idAuthentication)
      .bool("hasSession", hasSession).bool("hasQuoteService", hasQuoteService)
  }

  init(_ record: RecordReader) throws(TEEError) {
    cpuModel = try record.text("cpuModel")
    policy = try record.unsigned("policy")
    encryptionBit = Int(try record.unsigned("encryptionBit", 32...63))
    reducedAddressBits = Int(try record.unsigned("reducedAddressBits", 0...63))
    idBlock = try record.bytes("idBlock")
    idAuthentication = try record.bytes("idAuthentication")
    hasSession = try record.bool("hasSession")
    hasQuoteService = try record.bool("hasQuoteService")
    guard [0, 96].contains(idBlock.count), [0, 4096].contains(idAuthentication.count) else {
      throw TEEError(
        .description,
        "launch description: ID block of \(idBlock.count) and ID authentication of "
          + "\(idAuthentication.count) bytes; expected 96 and 4096, or neither")
    }
  }
}
