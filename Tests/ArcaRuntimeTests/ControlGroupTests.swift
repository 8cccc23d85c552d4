import ArcaOCI
import ArcaRuntime
import Foundation
import Testing

/// Control groups made of ordinary files, as the kernel lays out theirs.
@Suite final class ControlGroupTests {
  private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
    "arca-group-\(UUID().uuidString)")

  deinit { try? FileManager.default.removeItem(at: root) }

  private func write(_ files: [String: String]) throws {
    for (name, text) in files {
      let file = root.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
  }

  private func encoded(_ value: JSONValue?) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(try #require(value)), as: UTF8.self)
  }

  private func versionOne(beneath path: String = "", root mounted: String = "/") -> ControlGroup {
    let controllers = ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"]
    return ControlGroup(
      membership: "9:name=systemd:/x\n"
        + controllers.enumerated().map { "\($0):\($1):\(path)/box" }.joined(separator: "\n")
        + "\n0::/x\n",
      mounts: "30 23 0:1 / /sys rw - sysfs sysfs rw\n"
        + controllers.map {
          "31 30 0:2 \(mounted) \(root.path)/\($0) rw,relatime shared:5 - cgroup cgroup rw,\($0)\n"
        }.joined())
  }

  private var versionTwo: ControlGroup {
    ControlGroup(
      membership: "0::/slice/box\n",
      mounts: "26 23 0:24 / \(root.path) rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n")
  }

  @Test func versionOneIsPrintedAsRuncPrintsIt() throws {
    try write([
      "cpuacct/box/cpuacct.usage": "9244456\n",
      "cpuacct/box/cpuacct.usage_percpu": "2941645 6302811 \n",
      "cpuacct/box/cpuacct.usage_all": "cpu user system\n0 11 4000000\n1 0 5\n",
      "cpuacct/box/cpuacct.stat": "user 3\nsystem 7\n",
      "cpu/box/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 900\n",
      "cpuset/box/cpuset.cpus": "0-2,5\n", "cpuset/box/cpuset.mems": "0\n",
      "cpuset/box/cpuset.sched_load_balance": "1\n",
      "cpuset/box/cpuset.sched_relax_domain_level": "-1\n",
      "memory/box/memory.limit_in_bytes": "104857600\n",
      "memory/box/memory.usage_in_bytes": "819200\n",
      "memory/box/memory.max_usage_in_bytes": "2252800\n", "memory/box/memory.failcnt": "0\n",
      "memory/box/memory.memsw.limit_in_bytes": "9223372036854771712\n",
      "memory/box/memory.stat": "cache 4096\nrss 61440\n",
      "memory/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
      "pids/box/pids.current": "1\n", "pids/box/pids.max": "20\n",
      "blkio/box/blkio.throttle.io_service_bytes_recursive":
        "254:0 Read 8192\n254:0 Total 8192\nTotal 8192\n",
    ])
    let group = versionOne()
    let found = group.statistics
    #expect(
      try encoded(found["cpu"]) == """
        {"throttling":{"periods":4,"throttledPeriods":2,"throttledTime":900},\
        "usage":{"kernel":70000000,"percpu":[2941645,6302811],"percpu_kernel":[4000000,5],\
        "percpu_user":[11,0],"total":9244456,"user":30000000}}
        """)
    #expect(try encoded(found["cpuset"]?["cpus"]) == "[0,1,2,5]")
    #expect(found["cpuset"]?["sched_relax_domain_level"]?.integer == -1)
    #expect(
      try encoded(found["memory"]) == """
        {"cache":4096,"kernel":{"failcnt":0,"limit":0},"kernelTCP":{"failcnt":0,"limit":0},\
        "raw":{"cache":4096,"rss":61440},"swap":{"failcnt":0,"limit":9223372036854771712},\
        "usage":{"failcnt":0,"limit":104857600,"max":2252800,"usage":819200}}
        """)
    #expect(try encoded(found["pids"]) == #"{"current":1,"limit":20}"#)
    #expect(
      try encoded(found["blkio"]) == """
        {"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":8192},\
        {"major":254,"op":"Total","value":8192}]}
        """)
    #expect(try encoded(found["hugetlb"]) == "{}")
    #expect(found["network_interfaces"] == .null)
    #expect(group.memoryKills == 3)
  }

  @Test func versionTwoIsPrintedInTheSameShape() throws {
    try write([
      "slice/box/cpu.stat":
        "usage_usec 12\nuser_usec 5\nsystem_usec 7\nnr_periods 0\nnr_throttled 0\n"
        + "throttled_usec 0\n",
      "slice/box/cpuset.cpus.effective": "0-1\n", "slice/box/memory.max": "max\n",
      "slice/box/memory.current": "1000\n", "slice/box/memory.swap.max": "0\n",
      "slice/box/memory.swap.current": "24\n", "slice/box/memory.stat": "anon 8\nfile 16\n",
      "slice/box/memory.events": "low 0\noom 1\noom_kill 1\n",
      "slice/box/pids.current": "7\n", "slice/box/pids.max": "max\n",
      "slice/box/io.stat": "8:16 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
      "slice/box/hugetlb.2MB.current": "2097152\n", "slice/box/hugetlb.2MB.rsvd.current": "0\n",
      "slice/box/hugetlb.2MB.events": "max 9\n",
    ])
    let found = versionTwo.statistics
    #expect(
      try encoded(found["cpu"])
        == #"{"throttling":{},"usage":{"kernel":7000,"total":12000,"user":5000}}"#)
    #expect(try encoded(found["cpuset"]?["cpus"]) == "[0,1]")
    #expect(
      try encoded(found["memory"]?["usage"])
        == #"{"failcnt":0,"limit":18446744073709551615,"usage":1000}"#)
    #expect(
      try encoded(found["memory"]?["swap"])
        == #"{"failcnt":0,"limit":18446744073709551615,"usage":1024}"#)
    #expect(found["memory"]?["cache"]?.integer == 16)
    #expect(try encoded(found["pids"]) == #"{"current":7}"#)
    #expect(
      try encoded(found["blkio"]?["ioServiceBytesRecursive"]) == """
        [{"major":8,"minor":16,"op":"Read","value":4096},{"major":8,"minor":16,"op":"Write"}]
        """)
    #expect(try encoded(found["hugetlb"]) == #"{"2MB":{"failcnt":9,"usage":2097152}}"#)
    #expect(versionTwo.memoryKills == 1)
  }

  @Test(arguments: [("/outer", "/outer"), ("", "/"), ("/outer/two", "/outer/two")])
  func aHierarchyOfWhichAPartIsMountedIsReadFromThere(path: String, mounted: String) throws {
    try write(["pids/box/pids.current": "5\n"])
    let found = versionOne(beneath: path, root: mounted).statistics
    #expect(found["pids"]?["current"]?.integer == 5)
  }

  @Test func whatTheKernelDoesNotSayIsLeftOutAndNothingTraps() throws {
    try write([
      "pids/box/pids.current": "not a number\n", "cpuset/box/cpuset.cpus": "9-1,0-99999999999,x\n",
      "cpuacct/box/cpuacct.stat": "user 18446744073709551615\n",
      "cpuacct/box/cpuacct.usage_all": "cpu user system\n1\n",
      "blkio/box/blkio.throttle.io_service_bytes_recursive": "Read\n8 Read 5\n",
    ])
    let found = versionOne().statistics
    #expect(try encoded(found["pids"]) == "{}")
    #expect(found["cpuset"]?["cpus"] == nil)
    #expect(try encoded(found["cpu"]?["usage"]?["user"]) == "18446744073709551615")
    let nothing = ControlGroup(membership: "bad\n1:pids\n", mounts: "short line\n- - - -\n")
    #expect(try encoded(nothing.statistics["memory"]?["usage"]) == #"{"failcnt":0,"limit":0}"#)
  }

  @Test(arguments: [
    ("500ms", 500), ("5s", 5000), ("1m30s", 90_000), ("2h", 7_200_000), ("1.5s", 1500),
  ])
  func durationsAreThoseOfRunc(text: String, milliseconds: Int64) throws {
    #expect(try OCIStore.milliseconds(text) == milliseconds)
  }

  @Test(arguments: ["", "5", "s", "0s", "-5s", "5 s", "nan", "infs", "25h", "1e9h", "0.1ms"])
  func anythingElseIsRefused(text: String) throws {
    #expect {
      try OCIStore.milliseconds(text)
    } throws: {
      ($0 as? RuntimeError)?.code == .usage
    }
  }
}
