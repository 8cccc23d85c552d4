import ArcaTEE

extension Doctor {
  var tdxProcessor: Finding {
    let what = "an Intel processor with TDX"
    guard facts.processor.vendor == "GenuineIntel" else {
      return missing(
        what, "the processor is \(facts.processor.vendor)",
        "use Intel Xeon of the 5th generation or later (of the 4th, the TDX models)")
    }
    guard facts.processor.flags.contains("tdx_host_platform") else {
      return missing(
        what, "/proc/cpuinfo has no tdx_host_platform",
        "enable TME-MT and TDX in the machine's setup, and use Linux 6.16 or later on bare metal")
    }
    return met(what, "/proc/cpuinfo has tdx_host_platform")
  }

  var tdxParameter: Finding {
    let what = "TDX in the host's kernel"
    guard let value = facts.parameters["kvm_intel/tdx"] else {
      return missing(
        what, "kvm_intel has no parameter tdx", "use Linux 6.16 or later with CONFIG_KVM_INTEL_TDX")
    }
    guard ["Y", "1"].contains(value) else {
      return missing(
        what, "kvm_intel.tdx is \(value)",
        "boot with kvm_intel.tdx=1 nohibernate, and see `dmesg | grep -i tdx`")
    }
    return met(what, "kvm_intel.tdx is \(value)")
  }

  var tdxFirmware: Finding {
    let what = "OVMF with TDVF"
    guard let path = facts.tdxFirmware else {
      return missing(
        what, "no OVMF.inteltdx.fd",
        "install it (Debian: ovmf-inteltdx), or run `arca tools fetch`")
    }
    return met(what, path)
  }

  var quoteService: Finding {
    let what = "Intel's quote generation service"
    guard facts.paths.contains(HostFacts.quoteService) else {
      return missing(
        what, "nothing listens at \(HostFacts.quoteService)",
        "install Intel's DCAP package tdx-qgs, register the platform, and start qgsd")
    }
    return met(what, HostFacts.quoteService)
  }

  // MARK: - SGX

  var sgxProcessor: Finding {
    let what = "an Intel processor with SGX"
    guard facts.processor.hasSGX else {
      return missing(
        what, "CPUID Fn0000_0007 does not name it",
        "use an Intel Xeon of the 3rd generation or later with SGX enabled in the machine's setup")
    }
    return met(what, "CPUID Fn0000_0007 names it")
  }

  var sgxDevice: Finding {
    let what = OuterPath.enclaveDevice
    guard facts.paths.contains(what) else {
      return missing(what, "there is none", "use Linux 5.11 or later with CONFIG_X86_SGX")
    }
    return met(what, "there")
  }

  var gramine: Finding {
    let what = "Gramine"
    guard let folder = facts.gramine else {
      return missing(
        what, "no gramine-sgx",
        "install Gramine 1.9 or later, or name its folder by \(Gramine.variable)")
    }
    return met(what, folder)
  }

  var enclaveService: Finding {
    let what = "Intel's AESM service"
    let path = OuterPath.enclaveService + "/aesm.socket"
    guard facts.paths.contains(path) else {
      return missing(
        what, "nothing listens at \(path)", "install Intel's sgx-aesm-service and its DCAP plugins")
    }
    return met(what, path)
  }
}
