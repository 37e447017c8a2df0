// cross-thread: allocated here, dropped there. Threads form pairs: a maker builds parcels, linked lists of messages with a payload
// each, and a taker walks them, keeps the last few and lets the oldest go. Numbers and payloads follow from a message's place in
// its pair's stream, so the taker knows that it got every parcel, whole and in order. The time of an operation is the maker's,
// of building a parcel.
//
// The queue is ArrayBlockingQueue: a ring under one lock with two conditions.

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.IntStream;
import java.util.stream.Stream;

final class CrossThread implements Workload {
  private static final int CAPACITY = 8;
  private static final int KEPT_PARCELS = 4;
  private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final class Message {
    final Message next;
    final long number;
    final byte[] payload;

    Message(Message next, long number, byte[] payload) {
      this.next = next;
      this.number = number;
      this.payload = payload;
    }
  }

  /** The size of everything. Each pair numbers its messages in order of making, from where the pair before ends. */
  private record Sizes(int parcels, int messages, int bytes) {
    long firstNumber(int pair, int parcel) {
      return ((long) pair * parcels + parcel) * messages;
    }

    /** A list of messages with the numbers from `first` on, the first at its head. */
    Message build(long first) {
      Message head = null;
      for (long number = first + messages - 1; number >= first; number--) {
        byte[] payload = new byte[bytes];
        WORD.set(payload, 0, SplitMix64.mix(number));
        head = new Message(head, number, payload);
      }
      return head;
    }
  }

  /** One thread of a pair, and what it leaves. */
  private abstract static class Client {
    final Sizes sizes;
    final int pair;
    final BlockingQueue<Message> queue;

    Client(Sizes sizes, int pair, BlockingQueue<Message> queue) {
      this.sizes = sizes;
      this.pair = pair;
      this.queue = queue;
    }

    abstract void work() throws InterruptedException;
  }

  private static final class Maker extends Client {
    final Histogram durations = new Histogram();

    Maker(Sizes sizes, int pair, BlockingQueue<Message> queue) {
      super(sizes, pair, queue);
    }

    @Override
    void work() throws InterruptedException {
      for (int number = 0; number < sizes.parcels; number++) {
        long began = System.nanoTime();
        Message parcel = sizes.build(sizes.firstNumber(pair, number));
        durations.record(System.nanoTime() - began);
        queue.put(parcel);
      }
    }
  }

  private static final class Taker extends Client {
    private final Message[] kept = new Message[KEPT_PARCELS];
    private boolean isIntact = true;
    private long check;

    Taker(Sizes sizes, int pair, BlockingQueue<Message> queue) {
      super(sizes, pair, queue);
    }

    @Override
    void work() throws InterruptedException {
      for (int number = 0; number < sizes.parcels; number++) {
        Message parcel = queue.take();
        check += walk(parcel, number);
        kept[number % KEPT_PARCELS] = parcel;
      }
    }

    /** Whether all parcels were whole, and those that are still kept are. */
    boolean isIntact() {
      for (int number = Math.max(0, sizes.parcels - KEPT_PARCELS); number < sizes.parcels; number++) {
        walk(kept[number % KEPT_PARCELS], number);
      }
      return isIntact;
    }

    /** The sum of the hashes in a parcel's payloads; notes whether it is what the maker builds. */
    private long walk(Message parcel, int parcelNumber) {
      long first = sizes.firstNumber(pair, parcelNumber);
      long number = first;
      long sum = 0;
      boolean isWhole = true;
      for (Message message = parcel; message != null; message = message.next) {
        long hash = (long) WORD.get(message.payload, 0);
        isWhole = isWhole && message.number == number && hash == SplitMix64.mix(number)
            && message.payload.length == sizes.bytes;
        sum += hash;
        number++;
      }
      isIntact = isIntact && isWhole && number == first + sizes.messages;
      return sum;
    }
  }

  @Override
  public String name() {
    return "cross-thread";
  }

  @Override
  public String summary() {
    return "lists built on one thread, checked and dropped on another";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("parcels", 1, 1 << 30, 2000, "parcels built by each pair of threads"),
        Option.number("messages", 1, 1 << 24, 1000, "messages in a parcel"),
        Option.number("bytes", 8, 1 << 20, 64, "bytes of a message's payload"));
  }

  @Override
  public int threadGroup() {
    return 2;
  }

  @Override
  public void perform(Run run, Report report) {
    Sizes sizes = new Sizes(run.intValue("parcels"), run.intValue("messages"), run.intValue("bytes"));
    int pairs = run.threads / 2;
    List<Client> clients = IntStream.range(0, pairs).boxed().flatMap(pair -> {
      BlockingQueue<Message> queue = new ArrayBlockingQueue<>(CAPACITY);
      return Stream.of(new Maker(sizes, pair, queue), new Taker(sizes, pair, queue));
    }).toList();
    Clients.run(run.threads, index -> work(clients.get(index)));
    report.endMeasuring();

    List<Taker> takers = clients.stream().filter(Taker.class::isInstance).map(Taker.class::cast).toList();
    report.operations = (long) sizes.parcels * pairs;
    report.durations = new Histogram();
    clients.stream().filter(Maker.class::isInstance).forEach(each -> report.durations.add(((Maker) each).durations));
    report.verified = takers.stream().allMatch(Taker::isIntact);
    report.result.put("parcels", report.operations);
    report.result.put("messages", sizes.messages);
    report.result.put("bytes", sizes.bytes);
    report.result.put("check", Report.unsigned(takers.stream().mapToLong(each -> each.check).sum()));
  }

  private static Client work(Client client) {
    try {
      client.work();
    } catch (InterruptedException interruption) {
      throw new IllegalStateException("nothing interrupts clients", interruption);
    }
    return client;
  }
}
