import TEEEvidence
import Testing

@Suite struct TDReportStructureTests {
  /// A structure whose bytes tell their offsets, by blocks of 16.
  static let sample: [UInt8] = {
    var bytes = (0..<TDReportStructure.byteCount).map { UInt8($0 / 16) }
    bytes[0] = TDReportStructure.type
    return bytes
  }()

  @Test func fieldsAreWhereTheModulePutsThem() throws {
    let report = try TDReportStructure(Self.sample)
    #expect(report.reportData == Array(Self.sample[128..<192]))
    #expect(report.reportData.first == 8)
    #expect(report.mrConfigID == Array(Self.sample[576..<624]))
    #expect(report.mrConfigID.first == 36)
  }

  @Test func anythingElseIsRefused() {
    #expect(throws: EvidenceError.self) { try TDReportStructure(Array(Self.sample.dropLast())) }
    #expect(throws: EvidenceError.self) { try TDReportStructure(Self.sample + [0]) }
    var enclave = Self.sample
    enclave[0] = 0
    let error = #expect(throws: EvidenceError.self) { try TDReportStructure(enclave) }
    #expect(error?.code == .unknownType)
  }
}
