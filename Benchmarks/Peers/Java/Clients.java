// The client threads of a workload: each runs the same body with its own index, and all are waited for. The first is the calling
// thread, as in the other languages.

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

final class Clients {
  private Clients() {}

  /** What each of `count` clients returned, by index. An error of any ends the program: others may be waiting for it. */
  static <Part> List<Part> run(int count, IntFunction<Part> body) {
    List<Client<Part>> others = new ArrayList<>();
    for (int index = 1; index < count; index++) {
      Client<Part> client = new Client<>(index, body);
      client.start();
      others.add(client);
    }
    List<Part> parts = new ArrayList<>();
    parts.add(body.apply(0));
    for (Client<Part> client : others) parts.add(client.await());
    return parts;
  }

  /** How much of `total` client `index` does, where all do the same but for what division leaves. */
  static long shareOf(long total, int index, int count) {
    return total * (index + 1) / count - total * index / count;
  }

  private static final class Client<Part> extends Thread {
    private final int index;
    private final IntFunction<Part> body;
    private Part part;

    Client(int index, IntFunction<Part> body) {
      super("client-" + index);
      this.index = index;
      this.body = body;
    }

    @Override
    public void run() {
      try {
        part = body.apply(index);
      } catch (RuntimeException | OutOfMemoryError error) {
        Main.endBy(error);
      }
    }

    Part await() {
      try {
        join();
      } catch (InterruptedException interruption) {
        throw new IllegalStateException("nothing interrupts the main thread", interruption);
      }
      return part;
    }
  }
}
