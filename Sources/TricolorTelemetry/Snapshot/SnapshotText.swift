// Snapshots in words, for terminals: the table by layout, the difference of two, and why an object is alive.

import Tricolor

/// Texts about snapshots. Each ends with a line's end.
public enum SnapshotText {
  private static let widths = [14, 12, 12]

  /// How much there is, and the `most` layouts that retain most; all for nil.
  ///
  /// - Throws: `SnapshotError` when there is no memory to find out what retains what.
  public static func table(_ snapshot: HeapSnapshot, most: Int? = nil) throws(SnapshotError) -> String {
    let layouts = try snapshot.layouts()
    var text = "\(Figures.count(snapshot.objectCount)) objects, \(Figures.bytes(snapshot.bytes)), "
    text += "\(Figures.count(snapshot.referenceCount)) references"
    if snapshot.heldNanoseconds > 0 { text += "; threads held for \(Figures.duration(snapshot.heldNanoseconds))" }
    text += "\n" + row("objects", "bytes", "retained", "layout")
    for layout in layouts.prefix(most ?? layouts.count) {
      text += row(
        Figures.count(layout.objects), Figures.bytes(layout.bytes), Figures.bytes(layout.retainedBytes), layout.name)
    }
    if let most, layouts.count > most { text += "and \(layouts.count - most) layouts more\n" }
    return text
  }

  /// What has changed from one snapshot to a later one, by layout.
  ///
  /// - Throws: as `table`.
  public static func difference(from earlier: HeapSnapshot, to later: HeapSnapshot) throws(SnapshotError) -> String {
    let (objects, bytes) = (later.objectCount - earlier.objectCount, later.bytes - earlier.bytes)
    var text = "\(signed(objects)) objects, \(signed(bytes: bytes))\n"
    let changes = try later.difference(since: earlier)
    if changes.isEmpty { return text + "no layout has changed\n" }
    text += row("objects", "bytes", "retained", "layout")
    for change in changes {
      text += row(
        signed(change.objects), signed(bytes: change.bytes), signed(bytes: change.retainedBytes), change.name)
    }
    return text
  }

  /// A path, a line a step, each with what would be garbage without it.
  public static func path(_ path: HeapPath) -> String {
    var text = row("bytes", "retained", "", "")
    for (depth, step) in path.steps.enumerated() {
      let place = depth == 0 ? "" : String(repeating: "  ", count: min(depth, 20)) + step.place + " -> "
      text += row(
        Figures.bytes(step.object.bytes), Figures.bytes(step.object.retainedBytes), "", place + "\(step.object)")
    }
    return text
  }

  private static func signed(_ value: Int) -> String { (value > 0 ? "+" : "") + Figures.count(value) }
  private static func signed(bytes value: Int) -> String { (value > 0 ? "+" : "") + Figures.bytes(value) }

  private static func row(_ first: String, _ second: String, _ third: String, _ name: String) -> String {
    var line = Figures.padded(first, widths[0]) + Figures.padded(second, widths[1])
    if !third.isEmpty { line += Figures.padded(third, widths[2]) }
    return name.isEmpty ? line + "\n" : line + "  " + name + "\n"
  }
}
