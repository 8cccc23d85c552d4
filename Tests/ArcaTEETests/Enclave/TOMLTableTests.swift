import ArcaTEE
import Testing

/// The layout of tomli-w, by which `gramine-sgx-sign` writes manifests.
@Suite struct TOMLTableTests {
  @Test func valuesComeBeforeTables() {
    let table = TOMLTable([
      "a": .table(TOMLTable(["b": .table(TOMLTable(["c d": .number(1)])), "e": .flag(true)])),
      "f": .text("tab\t \u{1}\u{7f}\n\"\\"), "g": .table(TOMLTable([:])),
    ])
    #expect(
      table.text == """
        f = "tab\t \\u0001\\u007f\\n\\"\\\\"

        [a]
        e = true

        [a.b]
        "c d" = 1

        [g]

        """)
  }

  @Test func tablesStandInLinesWhereAllOfThemFit() {
    func table(_ count: Int) -> TOMLTable {
      TOMLTable(["k": .text(String(repeating: "é", count: count))])
    }
    // Four columns before, `{ k = "" },` around: 100 columns.
    let fits = TOMLTable(["s": .table(TOMLTable(["t": .tables([table(85), table(1)])]))])
    #expect(fits.text.hasPrefix("[s]\nt = [\n    { k = \"éé"))
    #expect(fits.text.hasSuffix("\" },\n    { k = \"é\" },\n]\n"))
    let long = TOMLTable(["s": .table(TOMLTable(["t": .tables([table(86), table(1)])]))])
    #expect(long.text.hasPrefix("[[s.t]]\nk = \"éé"))
    #expect(long.text.hasSuffix("\"\n\n[[s.t]]\nk = \"é\"\n"))
    #expect(TOMLTable(["t": .tables([])]).text == "t = []\n")
  }
}
