import ArcaBytes

extension ReferenceValue {
  /// The SEV-SNP values of `launch` for 1 to `vcpusMax` vCPUs and every CPU signature QEMU knows.
  public static func snp(
    _ launch: SEVLaunch, vcpusMax: Int = 64, features: UInt64 = 1
  ) throws(MeasurementError) -> [ReferenceValue] {
    let firmware = try launch.snpFirmwareDigest()
    var values: [ReferenceValue] = []
    for (cpu, models) in modelsBySignature {
      let digests = try launch.snpDigests(
        vcpusMax: vcpusMax, cpu: cpu, features: features, firmwareDigest: firmware)
      values += numbered(digests, tee: "snp", models: models)
    }
    return values
  }

  /// The SEV-ES values of `launch` for 1 to `vcpusMax` vCPUs and every CPU signature QEMU knows.
  public static func sevES(
    _ launch: SEVLaunch, vcpusMax: Int = 64
  ) throws(MeasurementError) -> [ReferenceValue] {
    var values: [ReferenceValue] = []
    for (cpu, models) in modelsBySignature {
      values += numbered(
        try launch.sevESDigests(vcpusMax: vcpusMax, cpu: cpu), tee: "sev-es", models: models)
    }
    return values
  }

  /// The SEV value of `launch`.
  public static func sev(_ launch: SEVLaunch) -> ReferenceValue {
    ReferenceValue(
      tee: "sev", cpuModels: nil, vcpus: nil,
      digests: ["measurement": Hex.encode(launch.sevDigest())])
  }

  /// The TDX values: MRTD of the firmware; RTMR1 and RTMR2 of a kernel that is booted directly.
  public static func tdx(
    firmware: TDVF, boot: TDXDirectBoot?, order: TDVF.PageOrder = .singlePass
  ) throws(MeasurementError) -> ReferenceValue {
    var digests = ["mrtd": Hex.encode(firmware.mrtd(order: order))]
    if let boot {
      digests["rtmr1"] = Hex.encode(try boot.rtmr1())
      digests["rtmr2"] = Hex.encode(try boot.rtmr2())
    }
    return ReferenceValue(tee: "tdx", cpuModels: nil, vcpus: nil, digests: digests)
  }

  /// The SGX value of a Gramine enclave; `mrsigner` where it is signed already.
  public static func sgx(_ enclave: GramineEnclave, mrsigner: [UInt8]? = nil) -> ReferenceValue {
    var digests = ["mrenclave": Hex.encode(enclave.mrenclave())]
    if let mrsigner { digests["mrsigner"] = Hex.encode(mrsigner) }
    return ReferenceValue(tee: "sgx", cpuModels: nil, vcpus: nil, digests: digests)
  }

  private static func numbered(
    _ digests: [[UInt8]], tee: String, models: [String]
  ) -> [ReferenceValue] {
    digests.enumerated().map { index, digest in
      ReferenceValue(
        tee: tee, cpuModels: models, vcpus: index + 1,
        digests: ["measurement": Hex.encode(digest)])
    }
  }

  /// QEMU's models, grouped by signature, in the order of ``CPUSignature/models``.
  private static var modelsBySignature: [(CPUSignature, [String])] {
    var groups: [(CPUSignature, [String])] = []
    for (name, signature) in CPUSignature.models {
      if let index = groups.firstIndex(where: { $0.0 == signature }) {
        groups[index].1.append(name)
      } else {
        groups.append((signature, [name]))
      }
    }
    return groups
  }
}
