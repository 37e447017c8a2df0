// Snapshots as files: what is written is read again as it was, keeps V8's format by an own checker's rules, and files that are wrong are
// refused with what is wrong in them.

import Foundation
import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Heap snapshot files")
struct SnapshotFileTests {
  private struct Item: Managed {
    static let slot = TypeSlot()
    var next: Reference<Item>?
    var others: Reference<ReferenceArray<Item>>?
    var bytes: Reference<Bytes>?
  }

  private static let checker = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("HeapSnapshots/validate.py")

  /// A snapshot of a graph with a ring, an array, and bytes.
  private func taken() throws -> HeapSnapshot {
    let heap = try Heap(configuration: .init())
    return try heap.withMutator { m in
      let first = try m.make(Item(next: nil, others: m.makeArray(of: Item.self, count: 20), bytes: nil))
      var last = first
      for index in 0..<20 {
        let next = try m.make(Item(next: nil, others: first.others, bytes: m.makeBytes(count: 10 * index)))
        last.next = next
        first.others![19 - index] = next
        last = next
      }
      last.next = first
      let root = m.root(first)
      defer { withExtendedLifetime(root) {} }
      return try heap.snapshot()
    }
  }

  /// The file of a snapshot, removed when `body` is done.
  private func withFile<R>(_ snapshot: HeapSnapshot, _ body: (URL) throws -> R) throws -> R {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).heapsnapshot")
    try snapshot.write(to: file.path)
    defer {
      do { try FileManager.default.removeItem(at: file) } catch { Issue.record("removing \(file.path): \(error)") }
    }
    return try body(file)
  }

  private func bytes(_ snapshot: HeapSnapshot) throws -> [UInt8] {
    try withFile(snapshot) { [UInt8](try Data(contentsOf: $0)) }
  }

  /// What the checker says of a file; nothing when it is right.
  private func complaints(_ path: String) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", Self.checker.path, path]
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect((process.terminationStatus == 0) == text.isEmpty, "\(text)")
    return text
  }

  @Test("a written snapshot is one by V8's rules, of a heap with objects and of an empty one")
  func format() throws {
    for snapshot in [try taken(), try Heap(configuration: .init()).snapshot()] {
      #expect(try withFile(snapshot) { try complaints($0.path) } == "")
    }
  }

  @Test("the checker finds what is wrong: a target, a count, a name", arguments: ["to_node", "edge_count", "name"])
  func checker(what: String) throws {
    let snapshot = try taken()
    try withFile(snapshot) { file in
      var object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      var (nodes, edges) = (try #require(object["nodes"] as? [Int]), try #require(object["edges"] as? [Int]))
      switch what {
      case "to_node": edges[5] += 1
      case "edge_count": nodes[4] += 1
      default: nodes[8] = 10_000
      }
      (object["nodes"], object["edges"]) = (nodes, edges)
      try JSONSerialization.data(withJSONObject: object).write(to: file)
      #expect(try complaints(file.path) != "")
    }
  }

  @Test("what is read is what was written: layouts, what they retain, paths, numbers")
  func roundTrip() throws {
    let written = try taken()
    let read = try HeapSnapshot(reading: bytes(written))
    #expect(try read.layouts() == written.layouts())
    #expect(try read.largestObjects(30) == written.largestObjects(30))
    #expect(read.referenceCount == written.referenceCount && read.bytes == written.bytes)
    for object in try written.largestObjects(30) {
      #expect(try "\(read.path(toObject: object.number)!)" == "\(written.path(toObject: object.number)!)")
    }
    #expect(try read.difference(since: written).isEmpty)
    #expect(try bytes(read) == bytes(written))
  }

  private static let meta = """
    {"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],"node_types":[["object","synthetic"],"string"],\
    "edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property","weak"],"x","node"]},
    """

  private func refusal(_ text: String) -> String {
    do {
      _ = try HeapSnapshot(reading: Array(text.utf8))
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test("a file of another program is read by its own description; weak edges are left out")
  func foreign() throws {
    let text =
      Self.meta + #""node_count":3,"edge_count":3},"more":{"x":[1,"]",null,-1.5e3,true]},"nodes":[1,0,1,0,2,0,1,3,8,1,"#
      + #"0,2,5,8,0],"edges":[1,3,5,2,3,10,0,7,10],"strings":["","A","B\u00e9\n\ud83d\ude00\"","f"]}"#
    let snapshot = try HeapSnapshot(reading: Array(text.utf8))
    #expect(snapshot.objectCount == 2 && snapshot.referenceCount == 1)
    #expect(try snapshot.layouts().map(\.name) == ["A", "Bé\n😀\""])
    #expect(try snapshot.layouts().map(\.retainedBytes) == [16, 8])
    #expect(try snapshot.path(toObject: 5)?.steps.map(\.place) == ["(f)", "[7]"])
  }

  @Test("wrong files are refused with what is wrong")
  func wrong() throws {
    let good = String(decoding: try bytes(try taken()), as: UTF8.self)
    #expect(refusal(good) == "")
    #expect(refusal("").contains("at byte 0"))
    #expect(refusal("{}").contains("missing"))
    #expect(refusal("[1]").contains("at byte 0"))
    #expect(refusal(String(good.dropLast(3))).contains("expected"))
    #expect(refusal(good + "x").contains("the end"))
    #expect(refusal(good.replacing("\"edge_count\":", with: "\"edge_count\":1")) != "")
    #expect(refusal(good.replacing("\"node_count\":", with: "\"node_count\":9999999")).contains("do not fit"))
    #expect(refusal(good.replacing("\"self_size\"", with: "\"size\"")).contains("self_size"))
    let tail = #""strings":["","A"]}"#
    let one = #""node_count":1,"edge_count":1},"#
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,1],"edges":[0,0,5],"# + tail).contains("leads to 5"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,1],"edges":[0,0,3],"# + tail).contains("leads to 3"))
    #expect(refusal(Self.meta + one + #""nodes":[1,7,1,0,1],"edges":[0,0,0],"# + tail).contains("name 7"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,1],"edges":[1,9,0],"# + tail).contains("name 9"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,0],"edges":[0,0,0],"# + tail).contains("belongs to no node"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,2],"edges":[0,0,0],"# + tail).contains("missing"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0],"edges":[0,0,0],"# + tail).contains("within a group"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,-3,1],"edges":[0,0,0],"# + tail).contains("not negative"))
    #expect(refusal(Self.meta + one + #""nodes":[1,0,1,0,1,1],"edges":[0,0,0],"# + tail) != "")
    #expect(refusal(String(repeating: "[", count: 100_000)) != "")
    #expect(refusal(#"{"x":"# + String(repeating: "[", count: 100_000)) != "")
  }

  @Test("no prefix of a file and no byte that is changed in it ends the program")
  func damaged() throws {
    let good = try bytes(try taken())
    for end in stride(from: 0, to: good.count, by: 7) {
      #expect(throws: (any Error).self) { try HeapSnapshot(reading: Array(good[..<end])) }
    }
    var seed: UInt64 = 0x5eed
    for _ in 0..<2000 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      var bad = good
      bad[Int(seed >> 33) % bad.count] = UInt8(truncatingIfNeeded: seed >> 24)
      // Read or refused: a changed number may well be another right one.
      if let read = try? HeapSnapshot(reading: bad) { _ = try read.layouts() }
    }
  }

  @Test("the tables name objects, bytes, what is retained and the layout, and changes with their sign")
  func text() throws {
    let snapshot = try taken()
    let lines = try SnapshotText.table(snapshot, most: 1).split(separator: "\n").map(String.init)
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("42 objects, ") && lines[0].contains("threads held for"))
    #expect(lines[1].split(separator: " ") == ["objects", "bytes", "retained", "layout"])
    #expect(lines[2].hasSuffix("  Item") && lines[2].contains(" 21 "))
    #expect(lines[3] == "and 2 layouts more")
    let empty = try Heap(configuration: .init()).snapshot()
    let difference = try SnapshotText.difference(from: snapshot, to: empty)
    #expect(difference.hasPrefix("-42 objects, -") && difference.contains("-21 ") && difference.contains("  Item\n"))
    #expect(try SnapshotText.difference(from: snapshot, to: snapshot).contains("no layout has changed"))
    let path = try SnapshotText.path(#require(try snapshot.path(toLayout: "reference array")))
    #expect(path.contains("root handles") || path.contains("stack of thread"))
    #expect(path.contains("-> reference array@"))
  }
}
