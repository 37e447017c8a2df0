// Snapshots by the command: SIGQUIT during a run, and `tricolor snapshot` on what it wrote.

import Foundation
import Testing

@Suite("Heap snapshots by the command")
struct SnapshotTests {
  /// A folder that is removed at the end, in which a run writes its snapshots.
  private final class Folder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit {
      do { try FileManager.default.removeItem(at: url) } catch { Issue.record("removing \(url.path): \(error)") }
    }

    /// The snapshots in it, in order, that are whole.
    func snapshots() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: url.path).filter { $0.hasSuffix(".heapsnapshot") }.sorted()
        .map { url.appendingPathComponent($0).path }
    }
  }

  /// Two snapshots of a run that goes on, and what it said of them.
  private func taken(_ folder: Folder) throws -> (files: [String], errors: String) {
    let command = try Command(
      ["run", "churn", "--records", "20000", "--threads", "1", "--duration", "60s", "--quiet"], folder: folder.url)
    let process = command.process.processIdentifier
    for count in 1...2 {
      // At first the run may not have come to where it listens, or may have nothing yet.
      repeat {
        usleep(300_000)
        kill(process, SIGQUIT)
        usleep(700_000)
        #expect(command.process.isRunning)
      } while try folder.snapshots().count < count && command.process.isRunning
    }
    kill(process, SIGTERM)
    let outcome = try command.finish()
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("INTERRUPTED"))
    return (try folder.snapshots(), outcome.errors)
  }

  @Test("a run that gets SIGQUIT writes snapshots and goes on; the command reads, compares and explains them")
  func sigquit() throws {
    let folder = try Folder()
    let (files, errors) = try taken(folder)
    try #require(files.count >= 2)
    #expect(errors.contains(URL(fileURLWithPath: files[0]).lastPathComponent) && errors.contains("retained"))
    let table = try Command.run(["snapshot", files[1]])
    #expect(table.exitCode == 0, "\(table.errors)")
    #expect(table.output.contains("objects") && table.output.contains("bytes"))
    let difference = try Command.run(["snapshot", files[0], files[1]])
    #expect(difference.exitCode == 0 && difference.output.contains(" objects, "))
    let layout = try #require(table.output.split(separator: "\n").dropFirst(2).first?.split(separator: "  ").last)
    let why = try Command.run(["snapshot", files[1], "--why", String(layout)])
    #expect(why.exitCode == 0, "\(why.errors)")
    let number = try #require(why.output.split(separator: "@").last?.dropLast())
    let again = try Command.run(["snapshot", files[1], "--why", String(number)])
    #expect(again.exitCode == 0 && again.output.hasSuffix("@\(number)\n"), "\(again.errors)")
  }

  @Test("what is no snapshot, and what a snapshot does not have, is wrong input")
  func wrongInput() throws {
    let file = TemporaryFile()
    try "{\"snapshot\":3}".write(toFile: file.path, atomically: true, encoding: .utf8)
    let broken = try Command.run(["snapshot", file.path])
    #expect(broken.exitCode == 64 && broken.errors.contains(file.path) && broken.errors.contains("at byte 12"))
    let missing = try Command.run(["snapshot", "/no/such.heapsnapshot"])
    #expect(missing.exitCode == 64 && missing.errors.contains("/no/such.heapsnapshot"))
    let small =
      #"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],"#
      + #""node_types":[["synthetic"]],"#
      + #""edge_fields":["type","name_or_index","to_node"],"edge_types":[["element"]]},"node_count":1,"edge_count":0},"#
      + #""nodes":[0,0,1,0,0],"edges":[],"strings":[""]}"#
    try small.write(toFile: file.path, atomically: true, encoding: .utf8)
    #expect(try Command.run(["snapshot", file.path]).exitCode == 0)
    let unknown = try Command.run(["snapshot", file.path, "--why", "Session"])
    #expect(unknown.exitCode == 64 && unknown.errors.contains("Session"))
  }
}
