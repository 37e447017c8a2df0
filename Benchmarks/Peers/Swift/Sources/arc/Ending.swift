// Why the program ends early: a sentence for standard error, and an exit code.

struct Ending: Error {
  let exitCode: Int32
  let sentence: String

  init(exitCode: Int32, _ sentence: String) {
    self.exitCode = exitCode
    self.sentence = sentence
  }
}

extension Int32 {
  static let checkFailed: Int32 = 1
  static let usage: Int32 = 64
  static let internalError: Int32 = 70
}
