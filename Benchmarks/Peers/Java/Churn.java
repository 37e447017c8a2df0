// churn: a steady live set under constant replacement. Every client keeps a table of records; each operation makes a record of random
// size and puts it in a random place, where it remembers the one it replaces, but not that one's own predecessor. At the end each
// record must carry its place's last stamp in every byte.

import java.util.Arrays;
import java.util.List;

final class Churn implements Workload {
  private static final class Record {
    final int stamp;
    final byte[] bytes;
    Record previous;

    Record(int stamp, byte[] bytes, Record previous) {
      this.stamp = stamp;
      this.bytes = bytes;
      this.previous = previous;
    }

    static Record replacing(Record previous, int stamp, int size) {
      if (previous != null) previous.previous = null;
      byte[] bytes = new byte[size];
      Arrays.fill(bytes, (byte) stamp);
      return new Record(stamp, bytes, previous);
    }

    boolean isIntact(int expected) {
      if (stamp != expected) return false;
      for (byte each : bytes) {
        if (each != (byte) expected) return false;
      }
      return true;
    }
  }

  private static final class Client {
    final Record[] table;
    final int[] stamps;

    Client(int share) {
      table = new Record[share];
      stamps = new int[share];
    }

    void replace(SplitMix64 random, long operations, int largest) {
      for (long operation = 0; operation < operations; operation++) {
        int place = random.below(table.length);
        int size = 1 + random.below(largest);
        table[place] = Record.replacing(table[place], (int) operation, size);
        stamps[place] = (int) operation;
      }
    }

    /** Whether every place holds what was last put there, or nothing where nothing was. */
    boolean isIntact() {
      for (int place = 0; place < table.length; place++) {
        Record record = table[place];
        if (record == null ? stamps[place] != 0 : !record.isIntact(stamps[place])) return false;
      }
      return true;
    }

    /** A sum over places that depends on every stamp and size. */
    long check() {
      long check = 0;
      for (int place = 0; place < table.length; place++) {
        Record record = table[place];
        if (record != null) check += (place + 1) * (Integer.toUnsignedLong(record.stamp) * 31 + record.bytes.length);
      }
      return check;
    }
  }

  @Override
  public String name() {
    return "churn";
  }

  @Override
  public String summary() {
    return "records of random size replaced at random: a steady live set, constant allocation";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("records", 1, 1 << 30, 100_000, "records that live, over all threads"),
        Option.number("bytes", 1, 1 << 20, 512, "the largest payload; sizes are uniform from 1"),
        Option.number("operations", 1, 1L << 40, 5_000_000, "replacements, over all threads"));
  }

  @Override
  public void perform(Run run, Report report) {
    long operations = run.value("operations");
    int largest = run.intValue("bytes");
    int share = run.shareOf("records");
    List<Client> clients = Clients.run(run.threads, index -> {
      Client client = new Client(share);
      long quota = operations / run.threads + (index < operations % run.threads ? 1 : 0);
      client.replace(SplitMix64.forClient(run.seed, index), quota, largest);
      return client;
    });
    report.endMeasuring();
    report.operations = operations;
    report.verified = clients.stream().allMatch(Client::isIntact);
    report.result.put("records", (long) share * run.threads);
    report.result.put("largestBytes", largest);
    report.result.put("check", Report.unsigned(clients.stream().mapToLong(Client::check).sum()));
  }
}
