import ArcaBytes

// What writes manifests; a guest reads them alone, and is compiled without this file.

extension WorkloadManifest {
  /// The deterministic CBOR of the manifest.
  public func encoded() -> [UInt8] {
    var entries = [
      CBOR.Entry("version", .unsigned(Self.schemaVersion)),
      CBOR.Entry("rootFilesystem", rootFilesystem.cbor),
      CBOR.Entry("process", process.cbor),
      CBOR.Entry("hostname", .text(hostname)),
      CBOR.Entry("mounts", .array(mounts.map { $0.cbor })),
      CBOR.Entry("hostMay", hostMay.cbor),
    ]
    if let keyBroker { entries.append(CBOR.Entry("keyBroker", keyBroker.cbor)) }
    if !secrets.isEmpty {
      entries.append(CBOR.Entry("secrets", .array(secrets.map { $0.cbor })))
    }
    if !volumes.isEmpty {
      entries.append(CBOR.Entry("volumes", .array(volumes.map { $0.cbor })))
    }
    if hasNetwork { entries.append(CBOR.Entry("network", .bool(true))) }
    if let pod { entries.append(CBOR.Entry("pod", pod.cbor)) }
    if !workloadMay.allowsNothing {
      entries.append(CBOR.Entry("workloadMay", workloadMay.cbor))
    }
    return CBOR.map(entries).encoded()
  }

  /// The workload digest: SHA-256 of the deterministic CBOR, 32 bytes.
  public var digest: [UInt8] { ManifestDigest.sha256(encoded()) }
}

extension Pod {
  var cbor: CBOR {
    var entries = [
      CBOR.Entry("place", .unsigned(UInt64(place))),
      CBOR.Entry("ports", .array(ports.map { .array($0.map { .unsigned(UInt64($0)) }) })),
    ]
    if let key { entries.append(CBOR.Entry("key", .text(key))) }
    return .map(entries)
  }
}

extension RootFilesystem {
  var cbor: CBOR {
    var entries = [
      CBOR.Entry("rootHash", .bytes(rootHash)),
      CBOR.Entry("salt", .bytes(salt)),
      CBOR.Entry("dataBlocks", .unsigned(dataBlocks)),
      CBOR.Entry("hashStartBlock", .unsigned(hashStartBlock)),
      CBOR.Entry("writableBytes", .unsigned(writableBytes)),
    ]
    if let encryptionKey {
      entries.append(CBOR.Entry("encryptionKey", .text(encryptionKey)))
    }
    return .map(entries)
  }
}

extension WorkloadProcess {
  var cbor: CBOR {
    var entries = [
      CBOR.Entry("args", .texts(args)),
      CBOR.Entry("env", .texts(env)),
      CBOR.Entry("cwd", .text(cwd)),
      CBOR.Entry("uid", .unsigned(UInt64(uid))),
      CBOR.Entry("gid", .unsigned(UInt64(gid))),
      CBOR.Entry("additionalGids", .array(additionalGids.map { .unsigned(UInt64($0)) })),
      CBOR.Entry("umask", .unsigned(UInt64(umask))),
      CBOR.Entry("capabilities", .unsigned(capabilities)),
      CBOR.Entry("rlimits", .array(rlimits.map { $0.cbor })),
      CBOR.Entry("noNewPrivileges", .bool(noNewPrivileges)),
      CBOR.Entry("stopSignal", .unsigned(UInt64(stopSignal))),
    ]
    if ambientCapabilities != 0 {
      entries.append(CBOR.Entry("ambientCapabilities", .unsigned(ambientCapabilities)))
    }
    return .map(entries)
  }
}

extension ResourceLimit {
  var cbor: CBOR {
    .map([
      CBOR.Entry("resource", .unsigned(UInt64(resource))),
      CBOR.Entry("soft", .unsigned(soft)),
      CBOR.Entry("hard", .unsigned(hard)),
    ])
  }
}

extension TemporaryMount {
  var cbor: CBOR {
    .map([
      CBOR.Entry("destination", .text(destination)),
      CBOR.Entry("sizeBytes", .unsigned(sizeBytes)),
      CBOR.Entry("mode", .unsigned(UInt64(mode))),
    ])
  }
}

extension HostRules {
  var cbor: CBOR {
    var entries = [
      CBOR.Entry("replaceArgs", .bool(replaceArgs)),
      CBOR.Entry("setEnv", .texts(setEnv)),
      CBOR.Entry("setHostname", .bool(setHostname)),
      CBOR.Entry("attachTerminal", .bool(attachTerminal)),
      CBOR.Entry("sendInput", .bool(sendInput)),
      CBOR.Entry("receiveOutput", .bool(receiveOutput)),
    ]
    if execute { entries.append(CBOR.Entry("execute", .bool(true))) }
    if !writeFiles.isEmpty { entries.append(CBOR.Entry("writeFiles", .texts(writeFiles))) }
    if !shareFolders.isEmpty { entries.append(CBOR.Entry("shareFolders", .texts(shareFolders))) }
    return .map(entries)
  }
}

extension KeyBrokerAccess {
  var cbor: CBOR {
    .map([
      CBOR.Entry("url", .text(url)),
      CBOR.Entry("publicKeys", .array(publicKeys.map { .bytes($0) })),
    ])
  }
}

extension Secret {
  var cbor: CBOR {
    let resource = CBOR.Entry("resource", .text(self.resource))
    switch target {
    case .file(let path, let mode, let uid, let gid):
      return .map([
        resource, CBOR.Entry("path", .text(path)), CBOR.Entry("mode", .unsigned(UInt64(mode))),
        CBOR.Entry("uid", .unsigned(UInt64(uid))), CBOR.Entry("gid", .unsigned(UInt64(gid))),
      ])
    case .variable(let name): return .map([resource, CBOR.Entry("env", .text(name))])
    }
  }
}

extension EncryptedVolume {
  var cbor: CBOR {
    .map([
      CBOR.Entry("name", .text(name)), CBOR.Entry("destination", .text(destination)),
      CBOR.Entry("key", .text(key)), CBOR.Entry("readOnly", .bool(isReadOnly)),
    ])
  }
}

extension WorkloadRules {
  var cbor: CBOR {
    .map([
      CBOR.Entry("getEvidence", .bool(getEvidence)), CBOR.Entry("getToken", .bool(getToken)),
      CBOR.Entry("getResources", .texts(getResources)),
    ])
  }
}

extension CBOR.Entry {
  init(_ key: String, _ value: CBOR) {
    self.init(Array(key.utf8), value)
  }
}

extension CBOR {
  static func text(_ string: String) -> CBOR { .text(Array(string.utf8)) }

  static func texts(_ strings: [String]) -> CBOR {
    .array(strings.map { .text($0) })
  }
}
