import ArcaImage
import ArcaTEE
import Foundation

/// When the parts of a start were done, for `--timing`.
struct Marks {
  static var now: UInt64 { System.monotonicMicroseconds }

  private let begun = Marks.now
  var image: UInt64 = 0
  var prepared: UInt64 = 0

  /// Prints what each part took, in milliseconds, and when it was done.
  func report(_ status: LaunchStatus) {
    var last = begun
    func line(_ name: String, _ moment: UInt64?) {
      guard let moment, moment >= last else { return }
      let took = Double(moment - last) / 1000
      let total = Double(moment - begun) / 1000
      complain(String(format: "timing: %@ %.1f ms, at %.1f ms", name, took, total))
      last = moment
    }
    line("image found or converted", image)
    line("manifest, bundle", prepared)
    line("outer container", status.marks[.launcher])
    line("vmm executed", status.marks[.vmm])
    line("boot measured (while the guest boots)", status.marks[.measured])
    line("guest ready", status.marks[.ready])
    line("evidence", status.marks[.evidence])
    line("first instruction of the workload", status.marks[.started])
    line("workload", status.marks[.ended])
  }
}

/// Shows the progress of a conversion on one line of a terminal.
final class ProgressLine: Sendable {
  private let shows = isTerminal(2)

  var handler: ImageProgressHandler? {
    guard shows else { return nil }
    return { progress in
      let percent = progress.totalBytes == 0 ? 100 : progress.doneBytes * 100 / progress.totalBytes
      let text = "\rarca: \(progress.stage.rawValue) \(percent) %\u{1b}[K"
      try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
  }

  func end() {
    guard shows else { return }
    try? FileHandle.standardError.write(contentsOf: Data("\r\u{1b}[K".utf8))
  }
}
