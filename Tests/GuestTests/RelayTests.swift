import ArcaBytes
import ArcaManifest
import ArcaWire
import Foundation
import Testing

extension GuestTests {
  /// A host that plays with the connection to the key broker: a named failure each time.
  @Suite struct RelayTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    func manifest() -> WorkloadManifest {
      var manifest = disk.manifest(["true"])
      manifest.keyBroker = KeyBrokerAccess(
        url: "https://broker.example:8443/base", publicKeys: [[UInt8](repeating: 1, count: 32)])
      manifest.secrets = [Secret(resource: "kbs:///a/b/c", target: .variable("X"))]
      return manifest
    }

    /// What the guest says after `answer` to its wish for a connection.
    func last(_ answer: (GuestMachine) -> Void) throws -> GuestMessage? {
      try withGuest(disk: disk.file) { machine in
        guard case .brokerOpen(let host, let port)? = try machine.open(manifest()) else {
          Issue.record("no wish for a connection")
          return nil
        }
        #expect(host == Array("broker.example".utf8))
        #expect(port == 8443)
        answer(machine)
        while true {
          switch try machine.next() {
          case .brokerData?, .brokerEnd?, .brokerCredit?, .log?: continue
          case let message: return message
          }
        }
      }
    }

    @Test func bytesBeforeTheConnectionEndTheGuest() throws {
      expectFailure(try last { $0.send(.brokerData([1])) }, .wire)
    }

    @Test func anEndBeforeTheConnectionEndsTheGuest() throws {
      expectFailure(try last { $0.send(.brokerEnd) }, .wire)
    }

    @Test func aSecondConnectionEndsTheGuest() throws {
      let message = try last {
        $0.send(.brokerOpened)
        $0.send(.brokerOpened)
      }
      expectFailure(message, .wire)
    }

    @Test func creditThatPassesTheWindowEndsTheGuest() throws {
      let message = try last {
        $0.send(.brokerOpened)
        $0.send(.credit(.keyBroker, Wire.windowBytes))
      }
      expectFailure(message, .wire)
    }

    @Test func whatIsNoTLSIsNotTheKeyBroker() throws {
      let message = try last {
        $0.send(.brokerOpened)
        $0.send(.brokerData(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)))
        $0.send(.brokerEnd)
      }
      expectFailure(message, .keyBrokerIdentity)
    }
  }
}
