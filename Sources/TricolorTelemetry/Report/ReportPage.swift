// Finished runs as one page that needs nothing else: styles, scripts and the runs' own JSON objects lie in the file, so it can be mailed, archived
// and opened without a network. The verdict is text in the page; bands, curves and tables are drawn by its script from the objects, by the same
// code that draws a running process.

/// Writes pages of recorded runs.
public enum ReportPage {
  /// The file's text.
  ///
  /// - Parameter runs: at least one; of several the figures and bands are laid side by side and over each other.
  public static func text(_ runs: [RecordedRun]) -> String {
    let title = runs.map { $0.name == $0.workload ? "tricolor run \($0.workload)" : $0.name }.joined(separator: ", ")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(title))</title>
      <link rel="icon" href="data:,">
      <style>
      \(TimelinePage.style)\(TimelinePage.reportStyle)</style>
      </head>
      <body>
      <header>
      <h1>\(escaped(title))</h1>
      </header>
      \(verdicts(runs))<noscript><p class="bad">Bands, curves and tables are drawn by a script.</p></noscript>
      <main id="report"></main>
      <script type="application/json" id="data">\(inScript(data(runs)))</script>
      <script>
      \(TimelinePage.drawing)</script>
      <script>
      \(TimelinePage.reportDrawing)</script>
      </body>
      </html>

      """
  }

  /// Of many runs the curve says more than all the sentences, which are folded.
  private static func verdicts(_ runs: [RecordedRun]) -> String {
    let all = runs.map { verdict($0, isNamed: runs.count > 1) }.joined()
    if runs.count < 3 { return all }
    let sentence = SweepCurve(runs).map { "<p><b>\(escaped($0.sentence))</b></p>\n" } ?? ""
    return sentence + "<details>\n<summary>What each run came to</summary>\n\(all)</details>\n"
  }

  private static func verdict(_ run: RecordedRun, isNamed: Bool) -> String {
    let verdict = Verdict(run)
    let sentences = verdict.sentences.map { "<li>\(escaped($0))</li>" }.joined(separator: "\n")
    let name = isNamed ? "<h2>\(escaped(run.name))</h2>\n" : ""
    return """
      <section class="verdict">
      \(name)<p class="\(verdict.isGood ? "good" : "bad")">\(escaped(verdict.ending))</p>
      <ul>
      \(sentences)
      </ul>
      </section>

      """
  }

  private static func data(_ runs: [RecordedRun]) -> JSONValue {
    [
      "names": .array(runs.map { .string($0.name) }), "runs": .array(runs.map(\.json)),
      "comparison": runs.count > 1 ? RunComparison(runs).json : .null, "sweep": SweepCurve(runs)?.json ?? .null,
    ]
  }

  /// JSON that no parser of HTML takes for the end of a script or the beginning of a comment.
  private static func inScript(_ value: JSONValue) -> String {
    replacing("<", by: "\\u003c", in: value.text(indented: false))
  }

  private static func escaped(_ text: String) -> String {
    [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")].reduce(text) { text, pair in
      replacing(Character(pair.0), by: pair.1, in: text)
    }
  }

  private static func replacing(_ character: Character, by replacement: String, in text: String) -> String {
    text.split(separator: character, omittingEmptySubsequences: false).joined(separator: replacement)
  }
}
