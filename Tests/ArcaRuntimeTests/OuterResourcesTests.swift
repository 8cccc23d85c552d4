import ArcaRuntime
import Foundation
import Testing

@Suite struct OuterResourcesTests {
  private func resources(_ options: String...) throws -> OuterResources {
    try OuterResources(options: OCICommandLine(["update"] + options + ["id"]))
  }

  @Test func theGroupGetsRoomForTheMachineBesideTheGuest() throws {
    let asked = try resources("--memory", "\(512 << 20)", "--memory-swap", "\(600 << 20)")
    let memory = try asked.leavingRoom(forGuestMiB: 512).memory
    let mebibyte: Int64 = 1 << 20
    #expect(memory?.limit == 768 * mebibyte)
    #expect(memory?.swap == 856 * mebibyte)
  }

  @Test(arguments: [1, 511 << 20, Int64.max])
  func whatTheGuestCannotGiveBackIsRefused(_ limit: Int64) throws {
    let asked = try resources("--memory", "\(limit)")
    #expect {
      try asked.leavingRoom(forGuestMiB: 512)
    } throws: {
      ($0 as? RuntimeError)?.code == .unsupported
    }
  }

  @Test func zerosOfEnginesAreNoRequestAndNoLimitStays() throws {
    let sent = Data(#"{"memory":{"limit":0,"swap":-1,"reservation":0},"cpu":{"quota":5}}"#.utf8)
    let decoded = try JSONDecoder().decode(OuterResources.self, from: sent)
    let result = try decoded.leavingRoom(forGuestMiB: 512)
    #expect(result.memory?.limit == nil)
    #expect(result.memory?.reservation == nil)
    #expect(result.memory?.swap == -1)
    #expect(result.cpu?["quota"]?.integer == 5)
  }

  @Test func optionsOfRuncAndCrunAreRead() throws {
    let asked = try resources(
      "--cpu-share", "7", "--cpu-quota=50", "--cpuset-cpus", "0-1", "--pids-limit", "9")
    #expect(asked.cpu?["shares"]?.integer == 7)
    #expect(asked.cpu?["quota"]?.integer == 50)
    #expect(asked.cpu?["cpus"] == .text("0-1"))
    #expect(asked.pids?["limit"]?.integer == 9)
    #expect {
      try resources("--cpu-quota", "much")
    } throws: {
      ($0 as? RuntimeError)?.code == .usage
    }
  }
}
