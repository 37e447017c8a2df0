// The page that draws a run's bands. Styles and scripts are files of their own, compiled into the program: a program that is moved elsewhere
// has them, and the page asks for nothing outside it. `style` and `drawing` are all that a page of a finished run needs besides the samples:
// `absorb(history, …)` takes what `Timeline.members` writes, `drawBands` draws it.

/// Parts of pages with the bands of a run.
public enum TimelinePage {
  /// The style sheet.
  public static let style = text(PackageResources.timeline_css)
  /// The script that draws.
  public static let drawing = text(PackageResources.timeline_js)
  /// What a page of finished runs adds to the style sheet.
  static let reportStyle = text(PackageResources.report_css)
  /// The script that draws a page of finished runs.
  static let reportDrawing = text(PackageResources.report_js)

  /// The page of a running process. It asks for `samples?since=N` beside itself.
  public static let live = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>tricolor</title>
    <link rel="icon" href="data:,">
    <style>
    \(style)</style>
    </head>
    <body>
    <header>
    <h1 id="title">tricolor</h1>
    <p id="subtitle" class="faint"></p>
    <p id="status" class="faint" role="status">Connecting.</p>
    </header>
    <noscript><p class="bad">The picture is drawn by a script; /metrics has the figures without.</p></noscript>
    <dl id="facts"></dl>
    <div id="windows" class="windows" role="group" aria-label="Time shown"></div>
    <main id="bands"></main>
    <script>
    \(drawing)</script>
    <script>
    \(text(PackageResources.live_js))</script>
    </body>
    </html>

    """

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
