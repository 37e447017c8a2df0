// Reads "WORKLOAD --option value --option=value ...". Anything wrong ends the program with a usage error.

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

final class CommandLine {
  private CommandLine() {}

  static Run parse(String[] arguments, List<Workload> workloads) {
    if (arguments.length > 0 && arguments[0].equals("--help")) printWorkloads(workloads);
    Run run = new Run(find(arguments, workloads));
    for (int index = 1; index < arguments.length; index++) {
      String argument = arguments[index];
      if (argument.equals("--help")) printHelp(run.workload);
      int equals = argument.indexOf('=');
      String name = nameIn(equals < 0 ? argument : argument.substring(0, equals), run.workload);
      if (equals < 0 && ++index == arguments.length) throw new Ending(Ending.USAGE, "--" + name + " needs a value");
      set(run, name, equals < 0 ? arguments[index] : argument.substring(equals + 1));
    }
    return run;
  }

  private static Workload find(String[] arguments, List<Workload> workloads) {
    String names = workloads.stream().map(Workload::name).collect(Collectors.joining(", "));
    if (arguments.length == 0) throw new Ending(Ending.USAGE, "name a workload: " + names);
    return workloads.stream().filter(each -> each.name().equals(arguments[0])).findFirst().orElseThrow(
        () -> new Ending(Ending.USAGE, "there is no workload \"" + arguments[0] + "\"; use " + names));
  }

  private static Optional<Option> ownOption(String name, Workload workload) {
    return workload.options().stream().filter(each -> each.name().equals(name)).findFirst();
  }

  private static String nameIn(String argument, Workload workload) {
    String name = argument.startsWith("--") ? argument.substring(2) : "";
    if (name.equals("threads") || name.equals("seed") || ownOption(name, workload).isPresent()) return name;
    throw new Ending(
        Ending.USAGE,
        workload.name() + " has no option \"" + argument + "\"; " + workload.name() + " --help lists its options");
  }

  private static void set(Run run, String name, String text) {
    switch (name) {
      case "threads" -> run.threads = (int) Option.threads(run.workload).parse(text);
      case "seed" -> run.seed = parseSeed(text);
      default -> run.set(name, ownOption(name, run.workload).orElseThrow().parse(text));
    }
  }

  private static long parseSeed(String text) {
    try {
      if (text.matches("[0-9]+")) return Long.parseUnsignedLong(text);
    } catch (NumberFormatException error) {
      // Too large: refused below, like everything else.
    }
    throw new Ending(Ending.USAGE, "--seed: \"" + text + "\" is not allowed; use 0 to 18446744073709551615");
  }

  private static void printWorkloads(List<Workload> workloads) {
    for (Workload each : workloads) System.out.printf("  %-14s %s%n", each.name(), each.summary());
    System.exit(0);
  }

  private static void printHelp(Workload workload) {
    System.out.println(workload.name() + ": " + workload.summary());
    for (Option option : workload.options()) System.out.println(option.helpLine());
    System.out.println(Option.threads(workload).helpLine());
    System.out.println("  --seed       what random numbers begin with (default: " + Run.DEFAULT_SEED + ")");
    System.exit(0);
  }
}
