import ArcaBytes

/// The enclave that Gramine builds from its `libpal.so` and a signed manifest.
///
/// Memory is handed out from the top of the address range downwards; each area is then measured
/// upwards, page by page. The layout is that of Gramine 1.9 and its development tree in 2025.
public struct GramineEnclave: Sendable {
  private static let page: UInt64 = 4096
  private static let ssaFrames: UInt64 = 2
  private static let ssaFramePages: UInt64 = 4
  private static let stackBytes: UInt64 = 64 * page
  private static let signalStackBytes: UInt64 = 16 * page
  private static let heapStart: UInt64 = 0x10000
  private static let stackCanary: UInt64 = 0xbadb_adba_dbad
  /// Bytes of general registers at the end of a state save area frame.
  private static let gprBytes: UInt64 = 0xb8
  // SECINFO flags: read 1, write 2, execute 4, thread control 0x100, regular page 0x200.
  private static let readOnly: UInt64 = 0x201
  private static let readWrite: UInt64 = 0x203
  private static let threadControl: UInt64 = 0x100
  private static let regular: UInt64 = 0x200
  private static let heap: UInt64 = 0x207

  private let manifest: GramineManifest
  private let pal: EnclaveELF
  private let manifestBytes: [UInt8]
  private let ssa: UInt64
  private let tcs: UInt64
  private let tls: UInt64
  private let stacks: UInt64
  private let signalStacks: UInt64
  private let palAddress: UInt64

  /// Lays the enclave out; `libpal` is the bytes of Gramine's `libpal.so` for SGX.
  public init(manifest: GramineManifest, libpal: [UInt8]) throws(MeasurementError) {
    self.manifest = manifest
    pal = try EnclaveELF(libpal)
    manifestBytes = manifest.bytes + [0]
    let threads = UInt64(manifest.threads)
    var top = manifest.enclaveBytes
    func place(_ bytes: UInt64) throws(MeasurementError) -> UInt64 {
      let size = pagesUp(bytes)
      guard top >= size, top - size >= Self.heapStart else {
        throw MeasurementError(
          .enclaveMalformed,
          "an enclave of \(manifest.enclaveBytes) bytes is too small for \(threads) threads and "
            + "libpal; raise sgx.enclave_size")
      }
      top -= size
      return top
    }
    _ = try place(UInt64(manifestBytes.count))
    ssa = try place(threads * Self.ssaFrames * Self.ssaFramePages * Self.page)
    tcs = try place(threads * Self.page)
    tls = try place(threads * Self.page)
    stacks = try place(threads * Self.stackBytes)
    signalStacks = try place(threads * Self.signalStackBytes)
    palAddress = try place(pal.byteCount)
  }

  /// MRENCLAVE; 32 bytes.
  public func mrenclave() -> [UInt8] {
    var enclave = EnclaveMeasurement(
      byteCount: manifest.enclaveBytes, ssaFramePages: UInt32(Self.ssaFramePages))
    let threads = UInt64(manifest.threads)
    let ssaBytes = Self.ssaFrames * Self.ssaFramePages * Self.page
    let manifestSize = pagesUp(UInt64(manifestBytes.count))
    measure(
      &enclave, at: manifest.enclaveBytes - manifestSize, bytes: manifestSize,
      flags: Self.readOnly, contents: manifestBytes[...])
    measure(&enclave, at: ssa, bytes: threads * ssaBytes, flags: Self.readWrite)
    for thread in 0..<threads {
      measure(
        &enclave, at: tcs + thread * Self.page, bytes: Self.page, flags: Self.threadControl,
        contents: tcsPage(thread)[...])
    }
    for thread in 0..<threads {
      measure(
        &enclave, at: tls + thread * Self.page, bytes: Self.page, flags: Self.readWrite,
        contents: tlsPage(thread)[...])
    }
    // The first thread's stack is the highest.
    for thread in 0..<threads {
      measure(&enclave, at: stack(thread), bytes: Self.stackBytes, flags: Self.readWrite)
    }
    for thread in 0..<threads {
      measure(
        &enclave, at: signalStack(thread), bytes: Self.signalStackBytes, flags: Self.readWrite)
    }
    for segment in pal.segments { measure(&enclave, segment) }
    if !manifest.addsPagesOnDemand {
      for offset in stride(from: Self.heapStart, to: palAddress, by: Int(Self.page)) {
        enclave.add(offset: offset, flags: Self.heap)
      }
    }
    return enclave.finalize()
  }

  private func stack(_ thread: UInt64) -> UInt64 {
    stacks + (UInt64(manifest.threads) - 1 - thread) * Self.stackBytes
  }

  private func signalStack(_ thread: UInt64) -> UInt64 {
    signalStacks + (UInt64(manifest.threads) - 1 - thread) * Self.signalStackBytes
  }

  private func ssaFrame(_ thread: UInt64) -> UInt64 {
    ssa + thread * Self.ssaFrames * Self.ssaFramePages * Self.page
  }

  private func measure(
    _ enclave: inout EnclaveMeasurement, at address: UInt64, bytes: UInt64, flags: UInt64,
    contents: ArraySlice<UInt8> = []
  ) {
    for offset in stride(from: 0, to: bytes, by: Int(Self.page)) {
      enclave.addMeasured(
        offset: address + offset, flags: flags,
        contents: contents.dropFirst(Int(offset)).prefix(Int(Self.page)))
    }
  }

  private func measure(_ enclave: inout EnclaveMeasurement, _ segment: EnclaveELF.Segment) {
    let start = segment.address & ~(Self.page - 1)
    // Bytes around the segment in its first and last page are zero, not the file's.
    let lead = [UInt8](repeating: 0, count: Int(segment.address - start))
    measure(
      &enclave, at: palAddress + start,
      bytes: pagesUp(segment.address + segment.memoryBytes) - start,
      flags: Self.regular | segment.permissions, contents: (lead + segment.contents)[...])
  }

  /// The thread control structure (Intel SDM volume 3D, section 35.8).
  private func tcsPage(_ thread: UInt64) -> [UInt8] {
    page([
      (0x10, ssaFrame(thread)), (0x18, Self.ssaFrames << 32), (0x20, palAddress + pal.entry),
      (0x38, tls + thread * Self.page), (0x40, 0xfff | 0xfff << 32),
    ])
  }

  /// Gramine's own thread-local block (`struct pal_enclave_tcb`).
  private func tlsPage(_ thread: UInt64) -> [UInt8] {
    let address = tls + thread * Self.page
    let frame = ssaFrame(thread)
    return page([
      (0x0, address), (0x8, Self.stackCanary), (0x110, manifest.enclaveBytes),
      (0x118, tcs + thread * Self.page), (0x120, stack(thread) + Self.stackBytes),
      (0x130, signalStack(thread)), (0x138, signalStack(thread) + Self.signalStackBytes),
      (0x148, frame), (0x150, frame + Self.ssaFramePages * Self.page - Self.gprBytes),
      (0x1a0, UInt64(manifestBytes.count)), (0x1a8, Self.heapStart), (0x1b0, palAddress),
    ])
  }

  private func page(_ fields: [(offset: Int, value: UInt64)]) -> [UInt8] {
    var writer = ByteWriter(capacity: Int(Self.page))
    for field in fields {
      writer.zeros(field.offset - writer.bytes.count)
      writer.u64(field.value)
    }
    return writer.bytes
  }
}
