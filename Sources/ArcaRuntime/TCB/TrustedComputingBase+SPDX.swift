import Foundation

extension TrustedComputingBase {
  /// The same as an SPDX 2.3 document in JSON.
  ///
  /// A file is a package of purpose FILE, since SPDX's own file entries demand SHA-1.
  ///
  /// - Parameter created: The time that the document says it was made at.
  /// - Returns: the document; its packages are the guest, the workload, and what they hold.
  public func spdx(created: Date) -> SPDXDocument {
    var packages = [
      SPDXDocument.Package("arca-guest", version: arcaVersion, id: "guest"),
      SPDXDocument.Package("workload", version: workloadDigest, id: "workload"),
    ]
    var relations = packages.map {
      SPDXDocument.Relationship("SPDXRef-DOCUMENT", "DESCRIBES", $0.SPDXID)
    }
    func add(_ package: SPDXDocument.Package, to owner: String, as relation: String) {
      packages.append(package)
      relations.append(SPDXDocument.Relationship("SPDXRef-\(owner)", relation, package.SPDXID))
    }
    for package in self.packages {
      add(
        SPDXDocument.Package(
          package.name, version: package.version, id: "package-\(packages.count)",
          sha256: package.sha256), to: "guest", as: "GENERATED_FROM")
    }
    for file in booted {
      add(
        SPDXDocument.Package(file: file, id: "file-\(packages.count)"), to: "guest", as: "CONTAINS")
    }
    for file in initrd {
      add(
        SPDXDocument.Package(
          file: File(name: "initrd:\(file.name)", bytes: file.bytes, sha256: file.sha256),
          id: "file-\(packages.count)"), to: "guest", as: "CONTAINS")
    }
    for file in image.files ?? [] {
      add(
        SPDXDocument.Package(file: file, id: "file-\(packages.count)"), to: "workload",
        as: "CONTAINS")
    }
    return SPDXDocument(
      name: "arca-tcb-\(tee)", documentNamespace: "urn:arca:tcb:\(tee):\(workloadDigest)",
      creationInfo: SPDXDocument.CreationInfo(
        created: created.formatted(.iso8601), creators: ["Tool: arca-\(arcaVersion)"]),
      packages: packages, relationships: relations)
  }
}

/// The parts of an SPDX 2.3 document that a software bill of materials needs (SPDX 2.3, annex D).
public struct SPDXDocument: Codable, Sendable {
  /// When and by what the document was made.
  public struct CreationInfo: Codable, Sendable {
    /// UTC, ISO 8601.
    public let created: String
    /// `Tool: NAME-VERSION`.
    public let creators: [String]
  }

  /// A digest of a package or file.
  public struct Checksum: Codable, Sendable {
    /// `SHA256`.
    public let algorithm: String
    /// Hexadecimal.
    public let checksumValue: String
  }

  /// A package, or a file as one.
  public struct Package: Codable, Sendable {
    /// `SPDXRef-` and a name of its own.
    public let SPDXID: String
    /// The package's name, or the file's path.
    public let name: String
    /// The package's version.
    public let versionInfo: String?
    /// Always `NOASSERTION`.
    public let downloadLocation: String
    /// Always false.
    public let filesAnalyzed: Bool
    /// Always `NOASSERTION`.
    public let licenseConcluded: String
    /// Always `NOASSERTION`.
    public let licenseDeclared: String
    /// Always `NOASSERTION`.
    public let copyrightText: String
    /// `FILE` for a file.
    public let primaryPackagePurpose: String?
    /// The SHA-256.
    public let checksums: [Checksum]?

    init(
      _ name: String, version: String? = nil, id: String, sha256: String? = nil,
      purpose: String? = nil
    ) {
      SPDXID = "SPDXRef-\(id)"
      self.name = name
      versionInfo = version
      downloadLocation = "NOASSERTION"
      filesAnalyzed = false
      licenseConcluded = "NOASSERTION"
      licenseDeclared = "NOASSERTION"
      copyrightText = "NOASSERTION"
      primaryPackagePurpose = purpose
      checksums = sha256.map { [Checksum(algorithm: "SHA256", checksumValue: $0)] }
    }

    init(file: TrustedComputingBase.File, id: String) {
      self.init(file.name, id: id, sha256: file.sha256, purpose: "FILE")
    }
  }

  /// How two parts belong together.
  public struct Relationship: Codable, Sendable {
    /// The part that this is said of.
    public let spdxElementId: String
    /// SPDX's word for the relation.
    public let relationshipType: String
    /// The other part.
    public let relatedSpdxElement: String

    init(_ element: String, _ relation: String, _ other: String) {
      spdxElementId = element
      relationshipType = relation
      relatedSpdxElement = other
    }
  }

  /// Always `SPDX-2.3`.
  public var spdxVersion = "SPDX-2.3"
  /// Always `CC0-1.0`, as SPDX demands.
  public var dataLicense = "CC0-1.0"
  /// Always `SPDXRef-DOCUMENT`.
  public var SPDXID = "SPDXRef-DOCUMENT"
  /// The document's name.
  public let name: String
  /// A name that no other document has.
  public let documentNamespace: String
  /// When and by what it was made.
  public let creationInfo: CreationInfo
  /// Packages and files.
  public let packages: [Package]
  /// How they belong together.
  public let relationships: [Relationship]
}
