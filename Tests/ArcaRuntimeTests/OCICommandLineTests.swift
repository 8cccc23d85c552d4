import ArcaRuntime
import Testing

@Suite struct OCICommandLineTests {
  @Test func readsWhatEnginesCall() throws {
    let containerd = try OCICommandLine(
      [
        "--root", "/r", "--log", "/l", "--log-format", "json", "--systemd-cgroup", "create",
        "--bundle", "/b", "--pid-file", "/p", "id-1",
      ])
    #expect(containerd.operation == .create)
    #expect(containerd.value("root") == "/r")
    #expect(containerd.value("bundle") == "/b")
    #expect(containerd.has("systemd-cgroup"))
    #expect(try containerd.id() == "id-1")
    let podman = try OCICommandLine(["delete", "--force", "abc"])
    #expect(podman.operation == .delete)
    #expect(podman.has("force"))
    #expect(try podman.id() == "abc")
    let kill = try OCICommandLine(["kill", "--all", "abc", "9"])
    #expect(kill.arguments == ["abc", "9"])
    let exec = try OCICommandLine(["exec", "-d", "--process=/f", "abc", "sh", "-c", "--force"])
    #expect(exec.value("process") == "/f")
    #expect(exec.has("detach"))
    #expect(exec.arguments == ["abc", "sh", "-c", "--force"])
  }

  @Test(arguments: [
    (["run", "--bundle", "/b", "id"], true), (["run", "--bundle=/b", "id"], true),
    (["run", "image", "cat"], false), (["run", "--rm", "image"], false), (["ps"], false),
    (["--root", "/r", "ps", "id"], true), (["create", "--bundle", "b", "id"], true),
    (["state", "id"], true), (["measure", "image"], false), (["--help"], false), ([], false),
  ])
  func tellsTheTwoCommandLinesApart(arguments: [String], isEngines: Bool) {
    #expect(OCICommandLine.isMeant(by: arguments) == isEngines)
  }

  @Test(arguments: ["", "..", "a/b", ".hidden", "a b", "a\nb"])
  func anIdThatIsNoNameIsRefused(id: String) throws {
    let line = try OCICommandLine(["state", id])
    do {
      _ = try line.id()
      Issue.record("\(id) was taken")
    } catch {
      #expect(error.code == .usage)
    }
  }

  @Test(arguments: [["--root"], ["--root", "/r"], ["--root", "/r", "fly"]])
  func aCommandLineWithoutAnOperationIsRefused(arguments: [String]) {
    do {
      _ = try OCICommandLine(arguments)
      Issue.record("it was taken")
    } catch {
      #expect(error.code == .usage)
    }
  }
}
