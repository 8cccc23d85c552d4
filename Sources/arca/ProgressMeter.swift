import ArcaImage
import Dispatch
import Foundation

/// Shows the progress of a conversion on standard error: a line that is drawn over on a terminal,
/// elsewhere a line for every stage that starts more than a second after the beginning.
final class ProgressMeter: @unchecked Sendable {
  /// Whether standard error is a terminal.
  let isTerminal = isatty(STDERR_FILENO) == 1

  private let started = DispatchTime.now()
  private var lastDrawn: DispatchTime?
  private var stage: ImageProgress.Stage?

  /// Called on the converting thread alone.
  var handler: ImageProgressHandler { { self.show($0) } }

  /// Clears the line.
  func finish() {
    if isTerminal, lastDrawn != nil { write("\r\u{1b}[K") }
  }

  private func show(_ progress: ImageProgress) {
    let now = DispatchTime.now()
    if isTerminal {
      if let last = lastDrawn, seconds(from: last, to: now) < 0.1 { return }
      lastDrawn = now
      let percent = progress.totalBytes == 0 ? 100 : progress.doneBytes * 100 / progress.totalBytes
      let total = decimalSize(progress.totalBytes)
      write("\r\u{1b}[K\(progress.stage.rawValue) \(percent) % of \(total)")
    } else if progress.stage != stage, seconds(from: started, to: now) > 1 {
      stage = progress.stage
      write("\(progress.stage.rawValue) \(decimalSize(progress.totalBytes))\n")
    }
  }

  private func seconds(from start: DispatchTime, to end: DispatchTime) -> Double {
    Double(end.uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
