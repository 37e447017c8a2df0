// One random program as a child process, and how a failing one is made smaller.

import Glibc
import ShadowPrograms

struct Program {
  var mode: String
  var seed: UInt64
  var threads: Int
  var operations: Int
  var without: Set<Operation>

  struct Outcome {
    let failed: Bool
    /// How it ended and the end of what it printed.
    let text: String
  }

  var arguments: [String] {
    var arguments = [
      "--once", "--mode", mode, "--seed", "\(seed)", "--threads", "\(threads)", "--operations", "\(operations)",
    ]
    if !without.isEmpty { arguments += ["--without", without.map(\.rawValue).sorted().joined(separator: ",")] }
    return arguments
  }

  var commandLine: String { "tricolor-fuzz " + arguments.joined(separator: " ") }

  /// Runs the program in a child, which is killed after `timeout` seconds.
  func run(timeout: Int) -> Outcome {
    var pipeEnds: [Int32] = [0, 0]
    guard pipe(&pipeEnds) == 0 else { return Outcome(failed: true, text: "no pipe: error \(errno)") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 1)
    posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 2)
    posix_spawn_file_actions_addclose(&actions, pipeEnds[0])
    var argv: [UnsafeMutablePointer<CChar>?] = ([CommandLine.arguments[0]] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var child = pid_t()
    let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, &argv, environ)
    close(pipeEnds[1])
    defer { close(pipeEnds[0]) }
    if code != 0 { return Outcome(failed: true, text: "no child: error \(code)") }
    let (text, inTime) = readAll(pipeEnds[0], seconds: timeout)
    if !inTime { kill(child, SIGKILL) }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    if !inTime { return Outcome(failed: true, text: text + "\nhung: killed after \(timeout) s") }
    return Outcome(failed: status != 0, text: text + (status & 0x7f != 0 ? "\nended by signal \(status & 0x7f)" : ""))
  }

  /// What the child prints until it closes its output, the last 4 KiB; false when that takes longer than `seconds`.
  private func readAll(_ descriptor: Int32, seconds: Int) -> (String, Bool) {
    var text: [UInt8] = []
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if Glibc.poll(&poll, 1, 1000) <= 0 { continue }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { return (String(decoding: text, as: UTF8.self), true) }
      text = (text + buffer[0..<count]).suffix(4096)
    }
    return (String(decoding: text, as: UTF8.self), false)
  }

  /// The smallest program found that still fails in one of five tries.
  func shrunk(timeout: Int) -> Program {
    var smallest = self
    var improved = true
    while improved {
      improved = false
      for candidate in smallest.candidates where candidate.fails(tries: 5, timeout: timeout) {
        smallest = candidate
        improved = true
        say("smaller: \(smallest.commandLine)", to: 2)
        break
      }
    }
    return smallest
  }

  private func fails(tries: Int, timeout: Int) -> Bool { (0..<tries).contains { _ in run(timeout: timeout).failed } }

  private var candidates: [Program] {
    var found: [Program] = []
    for divisor in [8, 2] where operations / divisor >= 100 { found.append(changed { $0.operations /= divisor }) }
    if threads > 1 { found.append(changed { $0.threads -= 1 }) }
    for operation in Operation.allCases where !without.contains(operation) {
      found.append(changed { $0.without.insert(operation) })
    }
    return found
  }

  private func changed(_ change: (inout Program) -> Void) -> Program {
    var copy = self
    change(&copy)
    return copy
  }
}

/// Writes a line at once, so that nothing of it is lost when the process is ended.
func say(_ line: String, to descriptor: Int32 = 1) {
  let bytes = Array((line + "\n").utf8)
  var written = 0
  while written < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, bytes.count - written) }
    if count <= 0 { return }
    written += count
  }
}
