import ArcaBytes
import TEEMeasurement
import Testing

@Suite struct EnclaveTests {
  /// Made for this test alone and published with it.
  private static let throwAwayKey = """
    -----BEGIN PRIVATE KEY-----
    MIIG/gIBADANBgkqhkiG9w0BAQEFAASCBugwggbkAgEAAoIBgQDKOK/5F/TFbONn
    KFUumgdN78D6HdU6ZVjfpu1PRsip8kJ06O1s4ZQrGhxw4yo6wHoohvAgXicSA4vq
    4Auqd5ch+f2+9ZmCIZQjsMIOEYlw131SJHbcVcE9WV/mfI8rPTDF23t4Hy8HrVva
    vSWcq24qBf0iPWavYhNR6xSztnaJ1rMKAsE9WrLLgVFoCgyxzwFXG/t1MEfc2U7E
    AEO00kdSVg9tSbkzt8IhX78I0Rg51jC8TtOY0d7SoAwA+7c7TDGKPGiUCsEjQkdy
    UfhmFED5S9BHbv1O6JqPr+nruR65OF5mFsUTIQsiCL3icjaN+mroXKaDBAKr1Daq
    UBEiAws0JGx4i5sRul6+9hvgmQPWRIUD+oNbQ0z5v5ecyuruUBknPZDJNkmRcu+D
    h71iUYIuiXq6mUEjAVJOaCSBxbU+ZoUx4NLBVZUaT1acMMlDrFq65QMe7FIK4JZC
    tcudmvFuxXR+3MKDt0mgd4pW4ngmvzN7hESx87RGi+xxYbIS9Q8CAQMCggGBAIbQ
    dVC6oy5Il5oa43Rmr4lKgKa+jibuOz/EnjTZ2xv21vibSPNBDXIRaEtCHCcq/BsE
    oBWUGgwCXUdAB8b6ZMFRU9Sju6wWYsJ11rQLsPXk/jbC+eg5K347lURTChzTddk8
    /Pq/dK/I5+cow73HnsauqMF+RHTsDOFHYyJ5pFvkd1wB1ijnId0A4PAGsyE0q49n
    /PjK2pM7idgALSM22jbkCkjb0M0lLBY/1LCLZXvkIH2J4mXhPzcVXVX9JNIyyoHX
    9YTHJdqc3xx/7bmKewLAd7krPk+NyTWLsH0uuZDohesj5xCy24cRKiumczWN8evn
    iSlbkEkPaIHSSkBLlTd6LWR6fnmAgCtXvq6A9+ERVhVz42/S9t+PIwWKV7O2Koyk
    cdCt2Jmm0Ik5BPVdMHdXhreE3ukNHE3YgrRoN0efRcMlNWaYhQ9tA1Dnpc2c1RiR
    1YyOXLtd373czYaL35OJ2Q4sq2JqQF0XGdAHExLc/A7Ti5yCh1H+wYZxAHELCwKB
    wQDtdyiLjVloMNffY37S0TGWZ0XgFw4t64omTfO4EfAlLmqb5CF+rZ2zR6cDHOy4
    r3a5NJHnFO7LvXuNrPI26wtwa97nTsC8x89FrhlqLqjYGjieqp3nXXqL3GP49K68
    PL9ht1UYUXaGE015XayJTUPv1JREqY9Q96IumGN3+QqgLxk636L56r6uNtEpJjnj
    1wjofW4esaVZzksQlJ9RWyFSiD7JgSEp5WdHUfWvEOqHNDtRQZNF3wOi0t0NxSCp
    g+cCgcEA2gFPwVKu8yYg6C6U/PNW3sPW0ZcRqahimRBtd+EYOq0q6XzI+2ckJCdX
    ndudBPYJTUzG3eW7cn+eWeeviqaf8IFJeoUcnrHPOERkcKjnLJBLRSIQTClgHox/
    G4a4pIIZ8o+Q9+AOJOVpPFSJaPh1i7GcYqhjdHYFqwr8+zBXssiDUklfrYYO1PUA
    ea8Wq2oSLYzUrWUhmAV7lVX4Am4Avu5wIBigRjKBzYLt78bxAz9+FAVgAVDlqLrt
    GfMQv+CZAoHBAJ5PcF0I5kV15T+XqeHgy7maLpVktB6dBsQz99AL9W4e8b1CwP8e
    aSIvxKy98yXKTyYjC+9jSd0o/Qkd9s9HXPWdP0TfKyiFNNkeu5wfGzq8Jb8caUTo
    /F09l/tNydLTKkEk42WLpFliM6Y+cwYzgp/jDYMbtOClFsm67PqmBxV0u3yVF1FH
    Kcl54MYZe+06BfBTnr8hGOaJh2BjFODna4xa1IZWFhvuRNo2o8oLRwTNfODWYi6U
    rRc3PgkuFcZX7wKBwQCRVjUrjHSiGWtFdGNTTOSUgo82ZLZxGuxmCvOlQLrRyMdG
    UzCnmhgYGjppPRNYpAYziIST7nz2/77mmnUHGb/1q4ZRrhMUdoolgu2gcJodtYeD
    bArdcOq/CFS9BHsYVrv3CmClQAlt7kYoOFubUE5dIRLscEJNpAPHXKindY/Mhazh
    hj/JBAnjTgBRH2RyRrbJCI3I7hZlWP0OOVABnqsp9ErAEGrZdwEzrJ6f2fYCKlQN
    WOqri0PF0fNmogsqlbsCgcEAwOP4oF2i8VYaXlz+G8S8WWbeDo5le8Wf2GXOu7QL
    KJa7Mnqe+Ehd0Z1xroduR8fMjTtNLtGNiOOEROkQVoHHw4RVbKxuVh1pOxxchrdR
    sKQgPGUkyXmtrY+JXmbHnNKURNO9gqnYU8MSjMCox0MLHRC+6bd/xIO1ut4XaBXv
    e35zAk5bvqUfqLprdXO3oDIlNUc3d/ZoLMLm34Mzd3xJkSCBn09IlywRZbV5J8AA
    Tpwdbjvt9S85M2Hki7a6U0Ui
    -----END PRIVATE KEY-----
    """

  private let identity = EnclaveIdentity(
    mrenclave: [UInt8](repeating: 0xab, count: 32), attributes: [UInt8](repeating: 4, count: 16),
    attributesMask: [UInt8](repeating: 0xff, count: 16), miscSelect: 0, miscMask: .max,
    productID: 7, securityVersion: 3, date: 0x2026_0131)

  private func code(_ body: () throws -> Void) -> MeasurementError.Code? {
    #expect(throws: MeasurementError.self, performing: body)?.code
  }

  @Test func signedStructureVerifiesAndReadsBack() throws {
    let signed = try Sigstruct(signing: identity, keyPEM: Self.throwAwayKey)
    try signed.verify()
    #expect(try Sigstruct(bytes: signed.bytes) == signed)
    #expect(signed.identity == identity)
    #expect(signed.mrsigner.count == 32)
  }

  @Test func everyByteThatEINITLooksAtCounts() throws {
    let signed = try Sigstruct(signing: identity, keyPEM: Self.throwAwayKey)
    // EINIT ignores what is neither signed nor a key, a signature or a quotient.
    let ignored = Set(0x404..<0x410)
    for offset in stride(from: 0, to: Sigstruct.byteCount, by: 7) where !ignored.contains(offset) {
      var bytes = signed.bytes
      bytes[offset] ^= 0x10
      let refusal = code { try Sigstruct(bytes: bytes).verify() }
      #expect([.sigstructSignature, .sigstructMalformed].contains(refusal), "byte \(offset)")
    }
  }

  @Test func unsuitableKeysAndSizesAreRefused() throws {
    #expect(code { _ = try Sigstruct(signing: identity, keyPEM: "none") } == .keyUnsuitable)
    var short = identity
    short.mrenclave = [1]
    #expect(
      code { _ = try Sigstruct(signing: short, keyPEM: Self.throwAwayKey) } == .lengthWrong)
    #expect(code { _ = try Sigstruct(bytes: [0]) } == .sigstructMalformed)
  }

  @Test func pageStreamsKeepTheProcessorsOrder() throws {
    var create = ByteWriter()
    create.append("ECREATE\0".utf8)
    create.u32(1)
    create.u64(0x2000)
    create.zeros(44)
    func record(_ name: String, _ offset: UInt64) -> [UInt8] {
      var writer = ByteWriter()
      writer.append(name.utf8)
      writer.zeros(8 - name.utf8.count)
      writer.u64(offset)
      writer.zeros(48)
      return writer.bytes
    }
    let chunk = [UInt8](repeating: 1, count: 256)
    let good = create.bytes + record("EADD", 0x1000) + record("EEXTEND", 0x1100) + chunk
    let measured = try SGXS.mrenclave(good)
    #expect(try SGXS.mrenclave(good + record("UNMEASRD", 0x1200) + chunk) == measured)
    let bad = [
      [], good + [0], record("EADD", 0), create.bytes + create.bytes,
      create.bytes + record("EADD", 0x2000), create.bytes + record("EADD", 0x10),
      create.bytes + record("EEXTEND", 0) + chunk, good + record("EEXTEND", 0x2000) + chunk,
      good + record("EEXTEND", 0x1001) + chunk, good + record("EEXTEND", 0x1200),
      good + record("EREMOVE", 0x1000),
    ]
    for (index, stream) in bad.enumerated() {
      #expect(code { _ = try SGXS.mrenclave(stream) } == .enclaveMalformed, "\(index)")
    }
  }

  @Test func manifestsOfOtherFormsAreRefused() throws {
    let good = "[sgx]\nenclave_size = \"8M\"\nmax_threads = 2\ndebug = true\n"
    let manifest = try GramineManifest(Array(good.utf8))
    #expect(manifest.enclaveBytes == 8 << 20)
    #expect(manifest.threads == 2)
    #expect(manifest.isDebuggable)
    #expect(!manifest.addsPagesOnDemand)
    for (from, to) in [
      ("\"8M\"", "\"8X\""), ("\"8M\"", "\"1\""), ("\"8M\"", "\"9999999999999999999G\""),
      ("2", "0"), ("2", "two"), ("true", "yes"), ("[sgx]", "[other]"),
    ] {
      let text = good.replacing(from, with: to)
      #expect(code { _ = try GramineManifest(Array(text.utf8)) } == .enclaveMalformed, "\(text)")
    }
    #expect(code { _ = try GramineEnclave(manifest: manifest, libpal: [1]) } == .enclaveMalformed)
  }
}
