import ArcaRuntime
import Testing

@Suite struct TapNameTests {
  /// The kernel takes 15 bytes; its largest process id has seven digits.
  @Test func everyNameFitsTheKernelAndIsReadBack() {
    for place in TapName.places {
      let name = TapName(place: place, interface: 7, launcher: 4_194_304)
      #expect(name.text.utf8.count <= 15)
      #expect(TapName(name.text) == name)
    }
  }

  @Test func aPodsLinkIsNoOrdinaryTap() {
    let link = TapName(podLinkAt: 7, launcher: 4_194_304)
    #expect(link.text.utf8.count <= 15)
    #expect(TapName(link.text)?.isPodLink == true)
    #expect(!TapName(place: 7, interface: 8, launcher: 1).isPodLink)
  }

  @Test(arguments: [
    "eth0", "arca0", "arca0.0", "arca0-1", "arca8.0-1", "arca.0-1", "arca0.-1", "arca0.0-",
    "arca0.0-x", "arca0.0-1-2", "arca0.0.0-1", "",
  ])
  func anEnginesInterfaceIsNotTakenForATap(_ name: String) {
    #expect(TapName(name) == nil)
  }

  @Test func aTapOfAProcessThatHasGoneIsNotInUse() {
    #expect(!TapName(place: 0, interface: 0, launcher: .max).isInUse)
  }
}
