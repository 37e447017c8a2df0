// `tricolor run --scenario` is a program of its own, tricolor-scenario, beside this one: reading YAML takes Foundation, 4 MiB resident that the
// limits of runs would have to pay for.

import Glibc
import Harness
import TricolorPlatform

/// The program that plays scenarios.
enum ScenarioProgram {
  /// Makes this process that program.
  ///
  /// - Throws: when it cannot be started; otherwise it does not return.
  static func become(_ arguments: [String]) throws {
    let own = try CurrentProcess.executablePath()
    let path = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/tricolor-scenario"
    var words = ([String(path)] + arguments).map { strdup($0) } as [UnsafeMutablePointer<CChar>?]
    words.append(nil)
    execv(String(path), words)
    let reason = String(cString: strerror(errno))
    for word in words { free(word) }
    throw UsageError(
      "--scenario: \(path) cannot be started: \(reason); it is built with `swift build --product tricolor-scenario`")
  }
}
