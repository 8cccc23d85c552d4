import ArcaBytes
import TEEAttestation
import Yams

/// A mapping of a YAML document, with the name to call it by in errors.
struct DocumentNode {
  let name: String
  private let code: KeyBrokerError.Code
  private let mapping: [(key: String, value: Node)]

  init(yaml: String, name: String, code: KeyBrokerError.Code) throws(KeyBrokerError) {
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      throw KeyBrokerError(code, "\(name): not YAML: \(error)")
    }
    guard let node else { throw KeyBrokerError(code, "\(name): empty") }
    try self.init(node, name: name, code: code)
  }

  private init(
    _ node: Node, name: String, code: KeyBrokerError.Code
  ) throws(KeyBrokerError) {
    guard case .mapping(let mapping) = node else {
      throw KeyBrokerError(code, "\(name): expected a mapping")
    }
    self.name = name
    self.code = code
    var members: [(key: String, value: Node)] = []
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key else {
        throw KeyBrokerError(code, "\(name): a key that is no text")
      }
      members.append((scalar.string, value))
    }
    self.mapping = members
  }

  func fault(_ member: String, _ expected: String) -> KeyBrokerError {
    KeyBrokerError(code, "\(name).\(member): expected \(expected)")
  }

  func expectMembers(_ names: Set<String>) throws(KeyBrokerError) {
    if let unknown = mapping.first(where: { !names.contains($0.key) }) {
      throw KeyBrokerError(
        code,
        "\(name).\(unknown.key): not known; expected "
          + names.sorted().joined(separator: ", "))
    }
  }

  func has(_ member: String) -> Bool { mapping.contains { $0.key == member } }

  private func node(_ member: String) throws(KeyBrokerError) -> Node {
    guard let node = mapping.first(where: { $0.key == member })?.value else {
      throw fault(member, "to be there")
    }
    return node
  }

  func optional(_ member: String) throws(KeyBrokerError) -> DocumentNode? {
    try has(member) ? DocumentNode(try node(member), name: "\(name).\(member)", code: code) : nil
  }

  func text(_ member: String) throws(KeyBrokerError) -> String {
    guard case .scalar(let scalar) = try node(member), !scalar.string.isEmpty else {
      throw fault(member, "a text")
    }
    return scalar.string
  }

  func number(_ member: String, default standard: Int) throws(KeyBrokerError) -> Int {
    guard has(member) else { return standard }
    guard let number = Int(try text(member)), number > 0 else {
      throw fault(member, "a whole number above 0")
    }
    return number
  }

  func flag(_ member: String) throws(KeyBrokerError) -> Bool {
    guard has(member) else { return false }
    switch try text(member) {
    case "true": return true
    case "false": return false
    default: throw fault(member, "true or false")
    }
  }

  func textMembers() throws(KeyBrokerError) -> [(String, String)] {
    var members: [(String, String)] = []
    for (key, _) in mapping { members.append((key, try text(key))) }
    return members
  }

  func texts(_ member: String) throws(KeyBrokerError) -> [String] {
    guard case .sequence(let sequence) = try node(member), !sequence.isEmpty else {
      throw fault(member, "a list that is not empty")
    }
    var texts: [String] = []
    for element in sequence {
      guard case .scalar(let scalar) = element else { throw fault(member, "a list of texts") }
      texts.append(scalar.string)
    }
    return texts
  }

  func sequence(_ member: String) throws(KeyBrokerError) -> [DocumentNode] {
    guard case .sequence(let sequence) = try node(member) else { throw fault(member, "a list") }
    var nodes: [DocumentNode] = []
    for (index, element) in sequence.enumerated() {
      nodes.append(try DocumentNode(element, name: "\(name).\(member)[\(index)]", code: code))
    }
    return nodes
  }

  func words<Word: RawRepresentable & CaseIterable>(
    _ member: String, _ type: Word.Type
  ) throws(KeyBrokerError) -> [Word] where Word.RawValue == String {
    var words: [Word] = []
    for text in try texts(member) {
      guard let word = Word(rawValue: text) else {
        throw fault(member, "words of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
      }
      words.append(word)
    }
    return words
  }

  func isAny(_ member: String) throws(KeyBrokerError) -> Bool {
    guard case .scalar(let scalar) = try node(member) else { return false }
    guard scalar.string == "any" else { throw fault(member, "'any' or a list") }
    return true
  }

  func expectation(_ member: String) throws(KeyBrokerError) -> Expectation<String> {
    try isAny(member) ? .any : .oneOf(try texts(member))
  }

  func digests(
    _ member: String, widths: [Int]
  ) throws(KeyBrokerError) -> Expectation<[UInt8]> {
    if try isAny(member) { return .any }
    var digests: [[UInt8]] = []
    for text in try texts(member) {
      guard let digest = Hex.decode(text), widths.contains(digest.count) else {
        throw fault(member, "'any' or digests of \(widths) bytes in hexadecimal")
      }
      digests.append(digest)
    }
    return .oneOf(digests)
  }
}
