/// An image's passwd(5) and group(5), to turn `user[:group]` into ids.
struct AccountFiles {
  struct Account {
    var uid: UInt32
    var gid: UInt32
    var additionalGids: [UInt32]
    var home: String
  }

  private let passwd: [[Substring]]
  private let group: [[Substring]]

  init(passwd: [UInt8], group: [UInt8]) {
    self.passwd = Self.lines(passwd, fieldsMin: 4)
    self.group = Self.lines(group, fieldsMin: 3)
  }

  /// The account of `user[:group]` (OCI image-spec, `User`); empty is root.
  ///
  /// Without a group, the primary group and the memberships of the user's name apply; an id without
  /// an entry has group 0. Names must exist.
  func resolve(_ text: String) throws(ManifestTextError) -> Account {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let userPart = parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "0"
    let entry = passwd.first { $0[0] == userPart } ?? passwd.first { $0[2] == userPart }
    let uid: UInt32
    if let entry, let id = UInt32(entry[2]) {
      uid = id
    } else if let id = UInt32(userPart) {
      uid = id
    } else {
      throw ManifestTextError(
        .unknownUser,
        "user `\(userPart)`: not in the image's /etc/passwd; use a number or a name there")
    }
    var account = Account(
      uid: uid, gid: entry.flatMap { UInt32($0[3]) } ?? 0, additionalGids: [],
      home: entry.flatMap { $0.count > 5 && !$0[5].isEmpty ? String($0[5]) : nil } ?? "/")
    if parts.count == 2, !parts[1].isEmpty {
      account.gid = try groupID(parts[1])
    } else if let name = entry?[0] {
      account.additionalGids = group.compactMap { line in
        let isMember = line.count > 3 && line[3].split(separator: ",").contains(name)
        return isMember ? UInt32(line[2]) : nil
      }
      account.additionalGids.removeAll { $0 == account.gid }
    }
    return account
  }

  private func groupID(_ text: Substring) throws(ManifestTextError) -> UInt32 {
    if let entry = group.first(where: { $0[0] == text }), let id = UInt32(entry[2]) { return id }
    guard let id = UInt32(text) else {
      throw ManifestTextError(
        .unknownUser, "group `\(text)`: not in the image's /etc/group; use a number or a name there"
      )
    }
    return id
  }

  private static func lines(_ file: [UInt8], fieldsMin: Int) -> [[Substring]] {
    String(decoding: file, as: UTF8.self).split(separator: "\n")
      .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
      .filter { $0.count >= fieldsMin }
  }
}
