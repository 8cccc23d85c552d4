import ArcaBytes
import ArcaManifest
import ArcaWire
import Foundation
import TEEEvidence
import Testing

extension GuestTests {
  /// arca-init as Gramine's first program: no descriptor is handed on, and evidence comes from
  /// pseudo-files, for which a tree in a mount namespace of its own stands in.
  @Suite(.enabled(if: geteuid() == 0, "namespaces need root"))
  struct GramineTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    /// What the pseudo-files do, as the stand-in is told.
    enum Tree: String {
      /// What Gramine's do: a quote is made as it is opened, over the data written last.
      case right
      /// The quote is over other data.
      case stale
      /// The enclave was built without DCAP: there is no quote.
      case none
      /// There are no such files.
      case absent
      /// What is given as a quote is none.
      case noQuote = "no-quote"
    }

    private static let script = """
      import os, sys
      os.execvp("unshare", ["unshare", "-mn", "--propagation", "private", sys.executable, "-c",
          os.environ.pop("INSIDE"), *sys.argv[1:]])
      """

    private static let inside = """
      import os, socket, subprocess, sys, threading
      tree, folder = os.environ.pop("TREE"), "/dev/attestation"
      template = bytearray.fromhex(os.environ.pop("QUOTE"))
      subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
      subprocess.run(["mount", "-t", "tmpfs", "none", "/dev"], check=True)
      def write(name, content):
          with open(f"{folder}/{name}", "wb") as file: file.write(content)
      def quote():
          with open(f"{folder}/quote", "wb") as file:
              with open(f"{folder}/user_report_data", "rb") as data:
                  content = (data.read() + bytes(64))[:64]
              template[368:432] = bytes(64) if tree == "stale" else content
              file.write(b"text" if tree == "no-quote" else template)
      if tree != "absent":
          os.mkdir(folder)
          write("attestation_type", b"none" if tree == "none" else b"dcap")
          write("user_report_data", bytes(64))
          if tree != "none":
              os.mkfifo(f"{folder}/quote")
              threading.Thread(target=quote, daemon=True).start()
      listener = socket.create_server(("127.0.0.1", 40961))
      outer = socket.socket(socket.AF_UNIX)
      outer.connect(sys.argv[1])
      init = subprocess.Popen(["arca-init"], executable=sys.argv[2], close_fds=True)
      inner = listener.accept()[0]
      def relay(one, other):
          try:
              while chunk := one.recv(65536): other.sendall(chunk)
              other.shutdown(socket.SHUT_WR)
          except OSError: pass
      threading.Thread(target=relay, args=(outer, inner), daemon=True).start()
      relay(inner, outer)
      sys.exit(init.wait())
      """

    private func start<Result>(
      _ manifest: WorkloadManifest, _ tree: Tree, _ body: (GuestMachine) throws -> Result
    ) throws -> Result {
      let environment = [
        "ARCA_TEE": "sgx", "ARCA_WORKLOAD": Hex.encode(manifest.digest), "TREE": tree.rawValue,
        "QUOTE": Hex.encode(GuestMachine.quote(EnclaveReport().encoded, .sgx)),
        "INSIDE": Self.inside, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
      ]
      let enclave = try GuestMachine(enclave: environment, by: Self.script)
      defer { enclave.close() }
      return try body(enclave)
    }

    @Test func theQuoteOfThePseudoFilesStartsTheWorkload() throws {
      let manifest = disk.manifest(["true"])
      try start(manifest, .right) {
        guard case .evidence(let bytes)? = try $0.open(manifest) else {
          Issue.record("no evidence")
          return
        }
        guard case .sgx(let report) = try Quote(bytes).body else {
          Issue.record("no enclave's quote")
          return
        }
        #expect(report.reportData != [UInt8](repeating: 0, count: 64))
        guard case .started? = try $0.next() else {
          Issue.record("not started")
          return
        }
        #expect(try $0.next() == nil, "the line outlived execve")
      }
    }

    @Test(arguments: [Tree.stale, .none, .absent, .noQuote])
    func withoutItNothingStarts(_ tree: Tree) throws {
      let manifest = disk.manifest(["true"])
      try start(manifest, tree) { expectFailure(try $0.open(manifest), .evidence) }
    }

    @Test func anotherManifestThanTheMeasuredEnvironmentNamesIsRefused() throws {
      try start(disk.manifest(["true"]), .right) {
        expectFailure(try $0.open(disk.manifest(["false"])), .identity)
      }
    }

    @Test func theHostCannotGiveEvidenceItself() throws {
      let manifest = disk.manifest(["true"])
      try start(manifest, .right) {
        try $0.ready()
        $0.send(.evidence([1, 2, 3]))
        expectFailure(try $0.next(), .wire)
      }
    }
  }
}
