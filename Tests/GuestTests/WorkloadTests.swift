import ArcaManifest
import ArcaWire
import Crypto
import Foundation
import Testing

extension GuestTests {
  /// What an ordinary workload finds and does.
  @Suite struct WorkloadTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    func run(
      _ script: String, _ hostInput: HostInput = HostInput(), input: [UInt8] = [],
      _ change: (inout WorkloadManifest) -> Void = { _ in },
      atStart act: (GuestMachine) throws -> Void = { _ in }
    ) throws -> GuestMachine.Outcome {
      var manifest = disk.manifest(["sh", "-c", script])
      change(&manifest)
      return try withGuest(disk: disk.file) {
        try $0.run(manifest, hostInput, input: input, atStart: act)
      }
    }

    @Test func aRootWorkloadFindsAContainer() throws {
      let outcome = try run(
        """
        echo $$ $(grep -lx init /proc/[0-9]*/comm | wc -l) \
          $(id -u) $(id -g) $PWD $A $(hostname) $(umask)
        grep -E '^Cap|^NoNew' /proc/self/status
        grep -E ' (/|/dev|/dev/pts|/dev/shm|/dev/mqueue|/sys|/sys/fs/cgroup|/proc|/proc/sys) ' \
          /proc/mounts | while read a b c d e; do echo M $b $c ${d%%,*}; done
        ls -l /dev | while read a b c d e; do echo D $a $e; done
        grep -c . /proc/kcore; cat /sys/class/net/lo/operstate
        echo w > /new && cat /new; echo e >&2; echo r > /proc/sys/kernel/hostname; exit 7
        """)
      #expect(outcome.status == 7)
      let text = outcome.text
      #expect(outcome.lines.first == "1 0 0 0 / b box 0022")
      #expect(text.contains("CapInh:\t0000000000000000\nCapPrm:\t00000000800405fb"))
      #expect(text.contains("CapEff:\t00000000800405fb\nCapBnd:\t00000000800405fb"))
      #expect(text.contains("CapAmb:\t0000000000000000\nNoNewPrivs:\t0"))
      for mount in [
        "/ overlay rw", "/dev tmpfs rw", "/dev/pts devpts rw", "/dev/shm tmpfs rw",
        "/dev/mqueue mqueue rw", "/sys sysfs ro", "/sys/fs/cgroup cgroup2 ro", "/proc proc rw",
        "/proc/sys proc ro",
      ] {
        #expect(outcome.lines.contains("M \(mount)"), "\(mount)")
      }
      for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        #expect(text.contains(try Regex("D crw-rw-rw- .* \(device)\n")), "\(device)")
      }
      for (name, target) in [
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("ptmx", "pts/ptmx"),
      ] {
        #expect(text.contains("\(name) -> \(target)\n"))
      }
      #expect(outcome.lines.suffix(3) == ["0", "unknown", "w"])
      let error = String(decoding: outcome.error, as: UTF8.self)
      #expect(error.hasPrefix("e\n"))
      #expect(error.contains("Read-only file system"))
    }

    @Test func anotherUserHasNothingMoreThanItShould() throws {
      let outcome = try run(
        """
        id; pwd; touch mine && echo made; touch /no; echo again > /dev/stdout
        grep -E '^Cap(Prm|Eff|Bnd)|^NoNew' /proc/self/status; ulimit -n; umask; kill -9 1; echo on
        """
      ) {
        $0.process.uid = 1000
        $0.process.gid = 1001
        $0.process.additionalGids = [7]
        $0.process.cwd = "/srv/work"
        $0.process.umask = 0o077
        $0.process.noNewPrivileges = true
        $0.process.rlimits = [ResourceLimit(resource: 7, soft: 100, hard: 200)]
      }
      #expect(outcome.status == 0)
      #expect(
        outcome.lines == [
          "uid=1000 gid=1001 groups=7", "/srv/work", "made", "again", "CapPrm:\t0000000000000000",
          "CapEff:\t0000000000000000", "CapBnd:\t00000000800405fb", "NoNewPrivs:\t1", "100",
          "0077", "on",
        ])
      #expect(String(decoding: outcome.error, as: UTF8.self).contains("/no: Permission denied"))
    }

    @Test func anotherUserKeepsWhatIsAmbientAndHasTheLimitsOfEngines() throws {
      let outcome = try run("grep ^Cap /proc/self/status; ulimit -n; ulimit -Hn; ulimit -u") {
        $0.process.uid = 1000
        $0.process.ambientCapabilities = 0x8000_0400
      }
      #expect(
        outcome.lines
          == ["Inh", "Prm", "Eff"].map { "Cap\($0):\t0000000080000400" } + [
            "CapBnd:\t00000000800405fb", "CapAmb:\t0000000080000400", "1048576", "1048576",
            "1048576",
          ])
    }

    @Test func aReadOnlyRootTakesNoWritesAndATmpfsIsBounded() throws {
      let outcome = try run(
        "touch /x || echo closed; head -c 3000000 /dev/zero > /tmp/y || wc -c < /tmp/y; ls -ld /tmp"
      ) {
        $0.rootFilesystem.writableBytes = 0
        $0.mounts = [TemporaryMount(destination: "/tmp", sizeBytes: 1 << 20, mode: 0o1700)]
      }
      #expect(outcome.lines.prefix(2) == ["closed", "\(1 << 20)"])
      #expect(outcome.lines.last?.hasPrefix("drwx-----T") == true)
    }

    @Test func theHostsInputIsMerged() throws {
      let outcome = try run(
        "", HostInput(args: ["sh", "-c", "echo $X1 $A; hostname"], env: ["X1=y"], hostname: "else")
      ) {
        $0.hostMay.replaceArgs = true
        $0.hostMay.setEnv = ["X*"]
        $0.hostMay.setHostname = true
      }
      #expect(outcome.lines == ["y b", "else"])
    }

    @Test func aTerminalResizesAndIsTheWorkloads() throws {
      var before = ""
      let outcome = try run(
        """
        trap 'stty size' WINCH; stty size; tty; ls /dev/console
        until read a; do :; done; echo got $a; exit 3
        """,
        HostInput(terminal: HostInput.TerminalSize(rows: 24, columns: 80))
      ) {
        $0.process.uid = 5
      } atStart: { machine in
        before = try machine.outputUntil("/dev/console\r\n")
        machine.send(.windowSize(rows: 50, columns: 132))
        _ = try machine.outputUntil("50 132\r\n")
        machine.send(.input(Array("line\n".utf8)))
      }
      #expect(outcome.status == 3)
      #expect(before == "24 80\r\n/dev/pts/0\r\n/dev/console\r\n")
      #expect(outcome.text == "line\r\ngot line\r\n")
    }

    @Test func signalsReachTheWorkload() throws {
      let trapped = try run("trap 'echo term; exit 4' TERM; echo up; while :; do sleep 0.05; done")
      {
        _ in
      } atStart: { machine in
        _ = try machine.outputUntil("up\n")
        machine.send(.signal(15))
      }
      #expect(trapped.status == 4)
      #expect(trapped.text == "term\n")
      let killed = try run("sleep 100", atStart: { $0.send(.signal(9)) })
      #expect(killed.status == 137)
    }

    @Test func theLastOutputOfOrphansIsNotWaitedForByAnyone() throws {
      let outcome = try run("(sleep 100; echo late) & exit 5")
      #expect(outcome.status == 5)
      #expect(outcome.output.isEmpty)
    }

    /// Through a pipe in both directions, in pieces of every size.
    @Test func streamsAreBinaryClean() throws {
      let input = (0..<4 << 20).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
      let outcome = try run("cat", input: input)
      #expect(outcome.status == 0)
      #expect(Array(SHA256.hash(data: outcome.output)) == Array(SHA256.hash(data: input)))
    }

    @Test func noMoreIsSentThanTheHostGranted() throws {
      try withGuest(disk: disk.file) { machine in
        guard case .started? = try machine.open(disk.manifest(["yes"])) else {
          Issue.record("not started")
          return
        }
        var bytes = 0
        while bytes < Int(Wire.windowBytes), case .output(_, let part)? = try machine.next() {
          bytes += part.count
        }
        #expect(bytes == Int(Wire.windowBytes))
        // A signal still gets through, and nothing but the end follows.
        machine.send(.signal(9))
        machine.send(.credit(.standardOutput, 1 << 17))
        while true {
          switch try machine.next() {
          case .output?, .outputEnd?: continue
          case .exit(let status)?: #expect(status == 137)
          case let message: Issue.record("\(String(describing: message))")
          }
          break
        }
      }
    }

    @Test func aProgramThatCannotRunIsNamed() throws {
      for (program, code) in [
        ("nosuch", GuestFailure.commandNotFound), ("/bin/nosuch", .commandNotFound),
        ("/text", .commandNotExecutable), ("/bin", .commandNotExecutable),
      ] {
        let message = try withGuest(disk: disk.file) { try $0.open(disk.manifest([program])) }
        expectFailure(message, code)
      }
    }
  }
}
