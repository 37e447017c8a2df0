// latency: what a collector does to the slowest operations of a program that does nothing unusual. A map holds a window of messages; each
// insert makes a message, fills it byte by byte, puts it under its number, and removes the one that left the window. Every insert
// is timed, from before the allocation to after the removal; the first ones are run by the interpreter.

import java.util.List;

final class Latency implements Workload {
  @Override
  public String name() {
    return "latency";
  }

  @Override
  public String summary() {
    return "a map with a sliding window of messages; every insert is timed";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("window", 1, 1L << 32, 200_000, "messages that are kept"),
        Option.number("inserts", 1, 1L << 40, 2_000_000, "messages made"),
        Option.number("bytes", 1, 1 << 30, 1024, "bytes in a message"));
  }

  @Override
  public int mostThreads() {
    return 1;
  }

  @Override
  public void perform(Run run, Report report) {
    long window = run.value("window");
    long inserts = run.value("inserts");
    int bytes = run.intValue("bytes");
    MessageMap messages = new MessageMap();
    Histogram durations = new Histogram();
    for (long number = 0; number < inserts; number++) {
      long began = System.nanoTime();
      insert(messages, number, window, bytes);
      durations.record(System.nanoTime() - began);
    }
    report.endMeasuring();
    report.operations = inserts;
    report.durations = durations;
    report.verified = isIntact(messages, inserts, window, bytes);
    report.result.put("window", window);
    report.result.put("bytes", bytes);
  }

  private static void insert(MessageMap messages, long number, long window, int bytes) {
    byte[] message = new byte[bytes];
    for (int index = 0; index < message.length; index++) message[index] = (byte) number;
    messages.add(number, message);
    if (number >= window) messages.remove(number - window);
  }

  /** Whether the map holds exactly the last messages and all their bytes. */
  private static boolean isIntact(MessageMap messages, long inserts, long window, int bytes) {
    long first = Math.max(inserts - window, 0);
    if (messages.count() != inserts - first) return false;
    for (long number = first; number < inserts; number++) {
      byte[] message = messages.get(number);
      if (message == null || message.length != bytes) return false;
      for (byte each : message) {
        if (each != (byte) number) return false;
      }
    }
    return true;
  }
}
