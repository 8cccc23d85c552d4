import ArcaBytes
import ArcaManifest
import Testing

/// What the guest reads of a volume before it knows that the volume is one.
@Suite struct VolumeHeaderTests {
  let key = (0..<32).map { UInt8($0) }
  let header = VolumeHeader(
    generation: 7, diskSectors: 196_608, dataSectors: 190_000,
    salt: [UInt8](repeating: 5, count: 32))

  @Test func aHeaderIsReadAsItWasWritten() {
    let block = header.block(key: key)
    #expect(block.count == VolumeHeader.blockBytes)
    #expect(VolumeHeader(block, key: key) == header)
  }

  @Test func everyChangedByteAndAnotherKeyAreRefused() {
    let block = header.block(key: key)
    for index in 0..<120 {
      var changed = block
      changed[index] ^= 0x10
      // Behind the authentication code there is nothing that is read.
      #expect((VolumeHeader(changed, key: key) == nil) == (index < 96), "byte \(index)")
    }
    var other = key
    other[31] ^= 1
    #expect(VolumeHeader(block, key: other) == nil)
  }

  @Test func whatIsNoBlockIsRefused() {
    let block = header.block(key: key)
    for bytes in [[], Array(block.dropLast()), block + [0], [UInt8](repeating: 0, count: 4096)] {
      #expect(VolumeHeader(bytes, key: key) == nil)
    }
  }

  @Test func eachFormattingHasItsOwnDataKey() {
    var other = header
    other.salt[0] ^= 1
    #expect(header.dataKey(from: key).count == 16)
    #expect(header.dataKey(from: key) != other.dataKey(from: key))
    #expect(header.dataKey(from: key) != Array(key.prefix(16)))
  }

  func decide(
    _ found: VolumeHeader?, _ counter: UInt64, sectors: UInt64 = 196_608, isBlank: Bool = false
  ) -> VolumeHeader.Decision {
    VolumeHeader.decide(found, counter: counter, diskSectors: sectors, isBlank: isBlank)
  }

  @Test func onlyTheNewestStateIsAccepted() {
    #expect(decide(header, 7) == .advance(header, headerToo: true))
    #expect(decide(header, 6) == .advance(header, headerToo: false), "cut short in between")
    #expect(decide(header, 8) == .refused(.rolledBack))
    #expect(decide(header, 5) == .refused(.ahead))
    #expect(decide(header, .max) == .refused(.rolledBack))
  }

  @Test func aDiskIsFormattedOnlyBeforeItsKeyWasEverUsed() {
    #expect(decide(nil, 0, isBlank: true) == .format)
    #expect(decide(nil, 0) == .refused(.foreign))
    #expect(decide(nil, 1, isBlank: true) == .refused(.replaced))
    #expect(decide(nil, 1) == .refused(.replaced))
  }

  @Test func anotherSizeIsRefused() {
    #expect(decide(header, 7, sectors: 196_600) == .refused(.resized))
    var absurd = header
    absurd.dataSectors = header.diskSectors
    #expect(decide(absurd, 7) == .refused(.resized))
  }

  /// A start that is killed at any step, and repeated, comes to an accepted state and no other.
  @Test func aStartCutShortAnywhereCanBeRepeated() {
    for cut in 0...3 {
      var disk: VolumeHeader? = header
      var counter: UInt64 = 7
      for step in 0..<cut where step < 2 {
        guard case .advance(var next, _) = decide(disk, counter) else { continue }
        if step == 0 {
          next.generation += 1
          disk = next
        } else {
          counter = next.generation
        }
      }
      guard case .advance = decide(disk, counter) else {
        Issue.record("refused after \(cut) steps")
        continue
      }
    }
  }

  /// RFC 5869, test cases 1 and 3, and RFC 4231, test case 6.
  @Test func keyDerivationIsTheStandards() {
    let secret = [UInt8](repeating: 0x0b, count: 22)
    let derived = KeyDerivation.key(
      32, from: secret, salt: [], purpose: "", KeyDerivation.hmac)
    #expect(
      Hex.encode(derived) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    let long = KeyDerivation.hmac(
      Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      [UInt8](repeating: 0xaa, count: 131))
    #expect(
      Hex.encode(long) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
  }
}
