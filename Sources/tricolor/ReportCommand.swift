// `tricolor report`: runs that have been written with `--json --timeline`, as a page or at the terminal, one or several over each other.

import ArgumentParser
import Glibc
import Harness
import TricolorPlatform
import TricolorTelemetry

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show recorded runs: one, two over each other, or a curve over several limits.",
    discussion: """
      Each file is what tricolor run --timeline --json FILE wrote. Without --html the report goes to the terminal, as wide as COLUMNS says. Runs \
      under three or more limits are also drawn as a curve of what they cost, with its knee.
      """)

  @Argument(help: ArgumentHelp("Recorded runs.", valueName: "FILE.json"))
  var files: [String]

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write a page that needs nothing else (- is standard output).", valueName: "FILE.html"))
  var html: String?

  @Flag(help: "Show the runs at the terminal, also when a page is written.")
  var text = false

  @Flag(help: "Draw with letters and signs alone; so it is done where the locale is not UTF-8.")
  var ascii = false

  func run() throws {
    let runs = try named(files.map(read))
    if let html {
      let page = try OutputFile(html, option: "--html")
      if page.isStandardOutput && text { throw UsageError("--html - and --text both go to standard output: give one") }
      try page.write(ReportPage.text(runs))
    }
    if html == nil || text {
      print(TerminalReport(width: Self.width, isASCII: ascii || !Self.localeIsUTF8).text(runs), terminator: "")
    }
  }

  private func read(_ path: String) throws -> RecordedRun {
    let json = try JSONValue(text: InputFile.bytes(path), name: path)
    do throws(RecordedRun.Malformed) {
      return try RecordedRun(json, name: Self.name(path))
    } catch {
      throw UsageError("\(path): \(error)")
    }
  }

  /// The file's name without folders and ending.
  private static func name(_ path: String) -> String {
    let file = path.split(separator: "/").last.map(String.init) ?? path
    return file.hasSuffix(".json") ? String(file.dropLast(5)) : file
  }

  /// Runs whose files have one name in several folders are called by their whole paths.
  private func named(_ runs: [RecordedRun]) -> [RecordedRun] {
    if Set(runs.map(\.name)).count == runs.count { return runs }
    return zip(runs, files).map { run, path in
      var run = run
      run.name = path
      return run
    }
  }

  /// COLUMNS, or the terminal's width, or 100.
  private static var width: Int {
    if let columns = CurrentProcess.environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    var size = winsize()
    return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 100
  }

  /// Where nothing is said of the locale, nothing is known against UTF-8.
  private static var localeIsUTF8: Bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"]
    guard let locale = names.lazy.compactMap({ CurrentProcess.environment($0) }).first(where: { !$0.isEmpty }) else {
      return true
    }
    let text = locale.lowercased()
    return text.contains("utf-8") || text.contains("utf8")
  }
}
