// Lines of CSV and of JSON, one by one; real readers meet whole files in the command's tests.

import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Line formats")
struct LineFormatTests {
  @Test("a line of CSV has a value for every name, and nothing for what there is none of")
  func csv() {
    var sample = TimelineSample()
    sample.time = 7
    sample.residentBytes = 123
    sample.stallNanoseconds = 9
    let names = TimelineSample.csvHeading.dropLast().split(separator: ",").map(String.init)
    let values = sample.csvLine.dropLast().split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    #expect(names == TimelineSample.columns)
    let fields = Dictionary(uniqueKeysWithValues: zip(names, values))
    #expect(names.count == values.count)
    #expect(fields["time"] == "7" && fields["resident"] == "123" && fields["stall"] == "9")
    #expect(fields["goal"] == "" && fields["hold"] == "")
    #expect(sample.csvLine.hasSuffix("\n"))
  }

  @Test("histograms keep every count, four bars a doubling, and no bar without one")
  func bars() throws {
    let lengths: [UInt64: Int] = [0: 1, 100: 3, 101: 2, 1_000_000: 5]
    var counts = [Int](repeating: 0, count: DurationCounts.bucketCount)
    for (length, count) in lengths { counts[DurationCounts.bucket(of: length)] += count }
    let bars = try #require(DurationCounts(totalNanoseconds: 0) { counts[$0] }.bars.elements).compactMap(\.elements)
    #expect(bars.map { $0[2] } == [1, 5, 5])
    for (bar, length) in zip(bars, [0, 100, 1_000_000] as [Double]) {
      let (low, high) = (try #require(bar[0].number), try #require(bar[1].number))
      #expect(low <= length && length <= high && (high < 16 || (high + 1) / low <= 1.26))
    }
  }
}
