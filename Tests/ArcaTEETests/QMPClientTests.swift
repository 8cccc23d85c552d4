import ArcaTEE
import Crypto
import Foundation
import TEEAttestation
import TEEMeasurement
import Testing

/// A QEMU whose security processor is the simulated one, as far as its monitor shows.
private final class MonitoredVMM: @unchecked Sendable {
  let socket: Int32
  let platform = SimulatedSEVPlatform()
  var greeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}"
  /// Answers that replace the right ones, by command.
  var answers: [String: String] = [:]
  private(set) var commands: [String] = []
  private let inside: Int32

  init() throws {
    (socket, inside) = try System.socketPair()
  }

  /// Speaks until the other end has gone.
  func serve() {
    Thread { [self] in
      say(greeting)
      var buffer: [UInt8] = []
      while case .bytes? = try? System.read(inside, into: &buffer, max: 1 << 16) {
        guard
          let command = try? JSONSerialization.jsonObject(with: Data(buffer)) as? [String: Any],
          let name = command["execute"] as? String
        else { break }
        commands.append(name)
        say(answers[name] ?? answer(name, command["arguments"] as? [String: String] ?? [:]))
      }
      close(inside)
    }.start()
  }

  private func say(_ line: String) { try? System.writeAll(inside, Array((line + "\r\n").utf8)) }

  private func answer(_ name: String, _ arguments: [String: String]) -> String {
    do {
      switch name {
      case "query-sev":
        let version = platform.version
        return "{\"event\": \"STOP\"}\r\n{\"return\": {\"enabled\": true, \"api-major\": "
          + "\(version.major), \"api-minor\": \(version.minor), \"build-id\": \(version.build), "
          + "\"policy\": 15, \"state\": \"launch-secret\", \"handle\": 1}}"
      case "query-sev-launch-measure":
        return "{\"return\": {\"data\": \"\(base64(try platform.measure()))\"}}"
      case "sev-inject-launch-secret":
        try platform.secret(
          header: decodedBase64(arguments["packet-header"] ?? "") ?? [],
          ciphertext: decodedBase64(arguments["secret"] ?? "") ?? [])
      case "cont": try platform.finish()
      default: break
      }
      return "{\"return\": {}}"
    } catch {
      return "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\(error)\"}}"
    }
  }
}

@Suite("The launch of a SEV guest, held for its owner")
struct QMPClientTests {
  private let policy: UInt32 = 0x0f
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// A platform that has measured `booted`, and the session that its owner made.
  private func launched(_ booted: [UInt8]) throws -> (MonitoredVMM, SEVSession) {
    let vmm = try MonitoredVMM()
    let chain = try vmm.platform.chain()
    let owner = try SEVSession(
      with: try SEVChain(chain.bytes, roots: [("test", chain.root)]), policy: policy)
    try vmm.platform.start(policy: policy, certificate: owner.certificate, session: owner.blob)
    try vmm.platform.update(booted)
    vmm.serve()
    return (vmm, owner)
  }

  /// What the owner does with the launch record, in another thread, as `arca sev secret` does.
  private func answer(_ owner: SEVSession, expecting booted: [UInt8]) {
    let folder = folder.path
    let policy = policy
    Thread {
      for _ in 0..<100 {
        usleep(50_000)
        guard let bytes = try? System.contents(folder + "/sev-launch", max: 4096),
          let record = try? SEVLaunchRecord(decoding: bytes),
          let expected = try? SEVLaunchMeasure(
            launchDigest: Array(SHA256.hash(data: booted)), policy: policy,
            api: (record.api[0], record.api[1], record.api[2]), nonce: Array(record.blob[32...]),
            integrityKey: owner.integrityKey)
        else { continue }
        guard expected.blob == record.blob,
          let packed = try? owner.secret(
            SEVSecretTable.encoded([([UInt8](repeating: 7, count: 16), [1, 2, 3])]),
            measurement: expected.measurement)
        else { return }
        let packet = SEVSecretPacket(header: packed.header, secret: packed.ciphertext)
        try? System.replace(folder + "/sev-secret", with: packet.encoded())
        return
      }
    }.start()
  }

  @Test("The owner compares, the secret goes in, and only then the guest runs")
  func life() throws {
    let booted = [UInt8]("firmware and kernel hashes".utf8)
    let (vmm, owner) = try launched(booted)
    defer { close(vmm.socket) }
    answer(owner, expecting: booted)
    var control = try SEVLaunchControl(monitor: vmm.socket, folder: folder.path)
    try control.measure()
    try control.resume(afterOwner: true) { false }
    #expect(vmm.platform.state == .running)
    #expect(vmm.platform.injected.count == 48)
    #expect(
      vmm.commands == [
        "qmp_capabilities", "query-sev", "query-sev-launch-measure", "sev-inject-launch-secret",
        "cont",
      ])
  }

  @Test("Another launch than the expected one gets no secret, and never runs")
  func otherLaunch() throws {
    let (vmm, owner) = try launched([UInt8]("something else".utf8))
    defer { close(vmm.socket) }
    answer(owner, expecting: [UInt8]("firmware and kernel hashes".utf8))
    var control = try SEVLaunchControl(monitor: vmm.socket, folder: folder.path)
    var asked = 0
    do {
      try control.measure()
      try control.resume(afterOwner: true) {
        asked += 1
        return asked > 5
      }
      Issue.record("the guest runs")
    } catch {
      #expect(error.code == .supervisorGone)
    }
    #expect(!vmm.commands.contains("cont"))
    #expect(vmm.platform.injected == [])
  }

  @Test("Where the broker refuses, its reason is the launch's end")
  func refusal() throws {
    let (vmm, _) = try launched([1])
    defer { close(vmm.socket) }
    var control = try SEVLaunchControl(monitor: vmm.socket, folder: folder.path)
    try control.measure()
    try System.replace(
      folder.path + "/sev-secret", with: SEVLaunchControl.refusal("status 401: no"))
    do {
      try control.resume(afterOwner: true) { false }
      Issue.record("the guest runs")
    } catch {
      #expect(error.code == .keyBrokerRefused)
      #expect(error.detail == "status 401: no")
    }
    #expect(vmm.platform.state == .secret)
    #expect(!vmm.commands.contains("sev-inject-launch-secret"))
  }

  @Test("Without an owner the measurement is kept and the guest runs")
  func noOwner() throws {
    let (vmm, _) = try launched([1])
    defer { close(vmm.socket) }
    var control = try SEVLaunchControl(monitor: vmm.socket, folder: folder.path)
    try control.measure()
    try control.resume(afterOwner: false) { false }
    #expect(vmm.platform.state == .running)
    let record = try SEVLaunchRecord(
      decoding: try System.contents(folder.path + "/sev-launch", max: 4096))
    #expect(record.api == [1, 55, 21])
    #expect(record.policy == 15)
  }

  @Test(
    "Answers that are none are errors of the monitor",
    arguments: [
      ("query-sev", "{\"return\": {\"api-major\": 256}}"),
      ("query-sev", "{\"return\": {}}"), ("query-sev", "nonsense"),
      ("query-sev", "{\"return\": {}} trailing"),
      ("query-sev-launch-measure", "{\"return\": {\"data\": \"AAAA\"}}"),
      ("query-sev-launch-measure", "{\"return\": {\"data\": 5}}"),
      ("query-sev-launch-measure", "{\"error\": {\"desc\": \"no\"}}"),
      ("cont", "{\"error\": {\"desc\": \"no\"}}"), ("qmp_capabilities", "{\"error\": {}}"),
    ])
  func malformed(command: String, answer: String) throws {
    let (vmm, _) = try launched([1])
    defer { close(vmm.socket) }
    vmm.answers[command] = answer
    do {
      var control = try SEVLaunchControl(monitor: vmm.socket, folder: folder.path)
      try control.measure()
      try control.resume(afterOwner: false) { false }
      Issue.record("\(command): \(answer) was accepted")
    } catch {
      #expect(error.code == .vmm)
    }
  }
}
