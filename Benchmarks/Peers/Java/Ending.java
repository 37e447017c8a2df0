// Why the program ends early: a sentence for standard error, and an exit code.

final class Ending extends RuntimeException {
  static final int CHECK_FAILED = 1;
  static final int USAGE = 64;
  static final int INTERNAL = 70;

  private static final long serialVersionUID = 1;

  final int exitCode;

  Ending(int exitCode, String sentence) {
    super(sentence);
    this.exitCode = exitCode;
  }
}
