// large-objects: buffers of up to some MiB that come and go, as a server makes them for whole responses: few objects, many bytes.
// Every page of a buffer is written, so that resident memory is what the buffers are; the check reads the stamp of each page.

import java.util.List;

final class LargeObjects implements Workload {
  private static final int PAGE = 4096;

  private static final class Client {
    final byte[][] kept;
    final long[] stamps;
    final Histogram durations = new Histogram();
    boolean isIntact = true;

    Client(int keep) {
      kept = new byte[keep][];
      stamps = new long[keep];
    }

    void makeBuffers(SplitMix64 random, long buffers, int largest) {
      for (long number = 0; number < buffers; number++) {
        long began = System.nanoTime();
        int place = (int) (number % kept.length);
        isIntact = isIntact && isIntact(place);
        kept[place] = makeBuffer(number, 1 + random.below(largest));
        stamps[place] = number;
        durations.record(System.nanoTime() - began);
      }
    }

    /** Whether each page begins with the stamp and everything behind it is still zero at the page's end. */
    boolean isIntact(int place) {
      byte[] buffer = kept[place];
      if (buffer == null) return true;
      for (long offset = 0; offset < buffer.length; offset += PAGE) {
        int end = (int) Math.min(offset + PAGE, buffer.length) - 1;
        if (buffer[(int) offset] != (byte) stamps[place] || (end > offset && buffer[end] != 0)) return false;
      }
      return true;
    }

    boolean isAllIntact() {
      for (int place = 0; place < kept.length; place++) isIntact = isIntact && isIntact(place);
      return isIntact;
    }

    /** A sum over places that depends on every stamp and size. */
    long check() {
      long check = 0;
      for (int place = 0; place < kept.length; place++) {
        check += (place + 1) * (stamps[place] * 31 + (kept[place] == null ? 0 : kept[place].length));
      }
      return check;
    }

    private static byte[] makeBuffer(long stamp, int size) {
      byte[] buffer = new byte[size];
      for (long offset = 0; offset < size; offset += PAGE) buffer[(int) offset] = (byte) stamp;
      return buffer;
    }
  }

  @Override
  public String name() {
    return "large-objects";
  }

  @Override
  public String summary() {
    return "buffers of up to some MiB that come and go";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("keep", 1, 1 << 20, 16, "buffers that each thread keeps"),
        Option.number("buffers", 1, 1L << 40, 4000, "buffers made by each thread"),
        Option.number("bytes", 1, Option.MOST_ELEMENTS, 4 << 20, "the largest buffer; sizes are uniform from 1"));
  }

  @Override
  public void perform(Run run, Report report) {
    int keep = run.intValue("keep");
    long buffers = run.value("buffers");
    int largest = run.intValue("bytes");
    List<Client> clients = Clients.run(run.threads, index -> {
      Client client = new Client(keep);
      client.makeBuffers(SplitMix64.forClient(run.seed, index), buffers, largest);
      return client;
    });
    report.endMeasuring();
    report.operations = buffers * run.threads;
    report.durations = new Histogram();
    clients.forEach(each -> report.durations.add(each.durations));
    report.verified = clients.stream().allMatch(Client::isAllIntact);
    report.result.put("keep", keep);
    report.result.put("largestBytes", largest);
    report.result.put("check", Report.unsigned(clients.stream().mapToLong(Client::check).sum()));
  }
}
