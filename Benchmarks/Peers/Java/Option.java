// An option: whole numbers from `least` to `most` that are multiples of `step`; or one of some words, whose index is the value.

import java.util.List;

record Option(String name, long least, long most, int step, long fallback, List<String> choices, String help) {
  /** As many elements as an array can have. */
  static final long MOST_ELEMENTS = Integer.MAX_VALUE - 8;

  static Option number(String name, long least, long most, long fallback, String help) {
    return new Option(name, least, most, 1, fallback, List.of(), help);
  }

  static Option choice(String name, List<String> choices, String help) {
    return new Option(name, 0, choices.size() - 1, 1, 0, choices, help);
  }

  static Option threads(Workload workload) {
    int group = workload.threadGroup();
    return new Option("threads", group, workload.mostThreads(), group, group, List.of(), "client threads");
  }

  /** The value of a text; anything that is not allowed ends the program. */
  long parse(String text) {
    if (!choices.isEmpty() && choices.contains(text)) return choices.indexOf(text);
    // At most 18 digits, which fit.
    if (choices.isEmpty() && text.matches("0*[0-9]{1,18}")) {
      long value = Long.parseLong(text);
      if (value >= least && value <= most && value % step == 0) return value;
    }
    throw new Ending(Ending.USAGE, "--" + name + ": \"" + text + "\" is not allowed; use " + allowed());
  }

  String allowed() {
    if (!choices.isEmpty()) return String.join(", ", choices);
    if (least == most) return Long.toString(least);
    return (step > 1 ? "a multiple of " + step + ", " : "") + least + " to " + most;
  }

  String helpLine() {
    String shown = choices.isEmpty() ? Long.toString(fallback) : choices.get((int) fallback);
    return String.format("  --%-10s %s; %s (default: %s)", name, help, allowed(), shown);
  }
}
