import ArcaBytes
import ArcaManifest
import ArcaWire
import Foundation
import Testing

extension GuestTests {
  /// A host that breaks the rules: each time a named failure, and never a hang.
  @Suite struct HostileHostTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    func machine<Result>(_ body: (GuestMachine) throws -> Result) throws -> Result {
      try withGuest(disk: disk.file, body)
    }

    /// Bytes that are no frames, or frames that do not belong there.
    enum Malformed: String, CaseIterable {
      case anotherVersion, twoGigabytes, noSuchChannel, flood, startBeforeManifest
      case evidenceThatNobodyAskedFor

      var bytes: [UInt8] {
        switch self {
        case .anotherVersion: [9, 0, 1, 0, 0, 0, 0, 0]
        case .twoGigabytes: [1, 0, 1, 0, 0xff, 0xff, 0xff, 0x7f]
        case .noSuchChannel: [1, 7, 1, 0, 0, 0, 0, 0]
        case .flood: [UInt8](repeating: 0x5a, count: 1 << 21)
        case .startBeforeManifest: [1, 0, 3, 0, 0, 0, 0, 0]
        case .evidenceThatNobodyAskedFor: [1, 0, 4, 0, 0, 0, 0, 0]
        }
      }
    }

    @Test(arguments: Malformed.allCases)
    func brokenFramesEndTheGuest(_ malformed: Malformed) throws {
      try machine {
        try $0.ready()
        $0.send(raw: malformed.bytes)
        expectFailure(try $0.next(), .wire)
      }
    }

    @Test func aFloodOfMessagesBeforeTheEvidenceEndsTheGuest() throws {
      try machine {
        _ = try $0.open(disk.manifest(["true"]), evidence: .none)
        for _ in 0..<100 { $0.send(.signal(15)) }
        expectFailure(try $0.next(), .wire)
      }
    }

    /// Each request is answered; what a host that never listens could have pile up has a bound.
    ///
    /// The guest's kernel itself holds what fits the queues of the port, which QEMU 10 makes eight
    /// times as long: 4 MiB of requests, and 32 MiB of answers to 8 MiB of them.
    @Test func aHostThatNeverListensIsNoLongerHeard() throws {
      try machine {
        guard case .started? = try $0.open(disk.manifest(["sleep", "100"])) else {
          Issue.record("not started")
          return
        }
        let request = HostMessage.toSession(1, .execute([])).frame.header
        let requests = Array(repeatElement(request, count: (24 << 20) / request.count).joined())
        let isTakenWhole = $0.socket.send(requests, milliseconds: 5000)
        #expect(!isTakenWhole)
        guard case .ofSession(1, .failure(.hostInput, _))? = try $0.next() else {
          Issue.record("a request was not refused")
          return
        }
      }
    }

    @Test func moreInputThanGrantedEndsTheGuest() throws {
      try machine {
        guard case .started? = try $0.open(disk.manifest(["sleep", "100"])) else {
          Issue.record("not started")
          return
        }
        let piece = [UInt8](repeating: 1, count: Wire.streamBytesMax)
        for _ in 0...Int(Wire.windowBytes) / piece.count { $0.send(.input(piece)) }
        while true {
          let message = try $0.next()
          if case .inputCredit? = message {
            for _ in 0..<8 { $0.send(.input(piece)) }
            continue
          }
          expectFailure(message, .wire)
          break
        }
      }
    }

    @Test func moreCreditThanTheWindowEndsTheGuest() throws {
      try machine {
        guard case .started? = try $0.open(disk.manifest(["sleep", "100"])) else {
          Issue.record("not started")
          return
        }
        $0.send(.credit(.standardError, 1))
        expectFailure(try $0.next(), .wire)
      }
    }

    @Test func anotherManifestThanTheTEEReportsIsRefused() throws {
      let message = try machine {
        try $0.open(disk.manifest(["true"]), evidence: .otherManifest)
      }
      expectFailure(message, .identity)
    }

    @Test(arguments: [GuestMachine.Evidence.wrongReportData, .truncated])
    func badEvidenceIsRefused(_ evidence: GuestMachine.Evidence) throws {
      let message = try machine { try $0.open(disk.manifest(["true"]), evidence: evidence) }
      expectFailure(message, .evidence)
    }

    /// The digest is right, but what it names is no manifest.
    @Test func whatIsNoManifestIsRefused() throws {
      var manifest = disk.manifest(["true"])
      manifest.process.cwd = "relative"
      let message = try machine { try $0.open(manifest) }
      expectFailure(message, .manifest)
    }

    @Test func whatNoRuleAllowsIsRefused() throws {
      let terminal = HostInput.TerminalSize(rows: 24, columns: 80)
      for input in [
        HostInput(env: ["LD_PRELOAD=/x"]), HostInput(args: ["sh"]), HostInput(hostname: "other"),
        HostInput(terminal: terminal),
      ] {
        var manifest = disk.manifest(["true"])
        manifest.hostMay = HostRules()
        let message = try machine { try $0.open(manifest, input) }
        expectFailure(message, .hostInput)
      }
    }

    /// A pod's ports are not taken for the guest's own where the host leaves its link out.
    @Test func aPodWithoutItsLinkDoesNotStart() throws {
      var manifest = disk.manifest(["true"])
      manifest.hasNetwork = true
      manifest.pod = Pod(place: 0, ports: [[80], [81]])
      for network in [nil, HostNetwork(interfaces: [], routes: [])] {
        var input = HostInput()
        input.network = network
        let message = try machine { try $0.open(manifest, input) }
        expectFailure(message, .hostInput)
      }
    }

    @Test func inputThatTheManifestForbidsEndsTheGuest() throws {
      var manifest = disk.manifest(["cat"])
      manifest.hostMay.sendInput = false
      let outcome = try machine { try $0.run(manifest, input: [1]) }
      expectFailure(outcome.last, .hostInput)
    }

    @Test func outputThatTheManifestKeepsIsDropped() throws {
      var manifest = disk.manifest(["sh", "-c", "echo secret; echo secret >&2; exit 3"])
      manifest.hostMay.receiveOutput = false
      let outcome = try machine { try $0.run(manifest) }
      #expect(outcome.status == 3)
      #expect(outcome.output.isEmpty && outcome.error.isEmpty)
    }

    @Test func aHostThatLeavesEndsTheMachine() throws {
      // Closing the channel is all that is done; withGuest demands that the machine then ends.
      try machine { _ = try $0.open(disk.manifest(["true"]), evidence: .none) }
      try machine { _ = try $0.open(disk.manifest(["sleep", "1000"])) }
    }
  }
}
