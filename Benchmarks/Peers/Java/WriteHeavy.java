// write-heavy: a program that does little but store references. Every thread has a table of nodes with four slots each; a write lets a
// random slot of a random node refer to another one, and every eighth replaces a node by a new one with the old one's slots. A replaced
// node lives on for as long as slots refer to it, and keeps the slots it had; so what lives grows with the writes.
//
// The slots are four fields and not an array, which would be an object of its own: so a node takes 48 bytes.

import java.util.List;

final class WriteHeavy implements Workload {
  private static final int BATCH = 1000;

  private static final class Node {
    Node slot0;
    Node slot1;
    Node slot2;
    Node slot3;
    final long number;
    final long complement;

    Node(long number) {
      this.number = number;
      complement = ~number;
    }

    /** A node with the slots of another one. */
    Node(long number, Node other) {
      this(number);
      slot0 = other.slot0;
      slot1 = other.slot1;
      slot2 = other.slot2;
      slot3 = other.slot3;
    }

    void set(int slot, Node node) {
      switch (slot) {
        case 0 -> slot0 = node;
        case 1 -> slot1 = node;
        case 2 -> slot2 = node;
        default -> slot3 = node;
      }
    }

    boolean holdsItsNumber() {
      return complement == ~number;
    }

    boolean isIntact() {
      return holdsItsNumber() && slot0.holdsItsNumber() && slot1.holdsItsNumber() && slot2.holdsItsNumber()
          && slot3.holdsItsNumber();
    }

    long sum() {
      return number * 31 + slot0.number + slot1.number + slot2.number + slot3.number;
    }
  }

  private static final class Client {
    final Node[] table;
    final Histogram durations = new Histogram();

    Client(int count) {
      table = new Node[count];
      for (int number = 0; number < count; number++) table[number] = new Node(number);
      for (int number = 0; number < count; number++) {
        for (int slot = 0; slot < 4; slot++) table[number].set(slot, table[(int) ((number * 4L + slot + 1) % count)]);
      }
    }

    void write(SplitMix64 random, long writes) {
      for (long done = 0; done < writes; done += BATCH) {
        long began = System.nanoTime();
        writeBatch(random, done, Math.min(done + BATCH, writes));
        durations.record(System.nanoTime() - began);
      }
    }

    private void writeBatch(SplitMix64 random, long first, long end) {
      for (long number = first; number < end; number++) {
        int place = random.below(table.length);
        int other = random.below(table.length);
        if (number % 8 == 7) {
          table[place] = new Node(table.length + number, table[place]);
        } else {
          table[place].set((int) number & 3, table[other]);
        }
      }
    }

    boolean isIntact() {
      for (Node node : table) {
        if (!node.isIntact()) return false;
      }
      return true;
    }

    long check() {
      long check = 0;
      for (Node node : table) check += node.sum();
      return check;
    }
  }

  @Override
  public String name() {
    return "write-heavy";
  }

  @Override
  public String summary() {
    return "references stored at random into a table of nodes";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("nodes", 1, 1 << 30, 500_000, "nodes of 48 bytes in the tables of all threads"),
        Option.number("writes", 1, 1L << 40, 20_000_000, "stores, over all threads"));
  }

  @Override
  public void perform(Run run, Report report) {
    long writes = run.value("writes");
    int share = run.shareOf("nodes");
    List<Client> clients = Clients.run(run.threads, index -> {
      Client client = new Client(share);
      client.write(SplitMix64.forClient(run.seed, index), Clients.shareOf(writes, index, run.threads));
      return client;
    });
    report.endMeasuring();
    report.durations = new Histogram();
    clients.forEach(each -> report.durations.add(each.durations));
    report.operations = report.durations.total();
    report.verified = clients.stream().allMatch(Client::isIntact);
    report.result.put("nodes", (long) share * run.threads);
    report.result.put("writes", writes);
    report.result.put("check", Report.unsigned(clients.stream().mapToLong(Client::check).sum()));
  }
}
