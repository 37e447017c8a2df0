// The report as a page: the object of `--json` with the recorded timeline, and whatever the page makes of it.

import TricolorTelemetry

extension RunReport {
  /// The HTML file of `--report`.
  public var page: String {
    get throws { ReportPage.text([try RecordedRun(json, name: workload)]) }
  }
}
