// A map from numbers to messages. Not java.util.HashMap, which would make a boxed number and an entry for every message, and rehash all of
// them when it grows; this is the map that the other languages use.
//
// Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, TODS 1979): tables of 1024 slots under a directory that doubles, so that
// no insert pays for rehashing more than one small table. Inside a table linear probing, at most 7/8 full, and removal that moves
// later entries back, so that nothing is left behind for later searches to step over.
//
// Invariants: a table of depth d is referred to by all 2^(D-d) directory slots whose top d bits are its own, D being the
// directory's depth; a slot is empty exactly when its message is null; between an entry's home and its slot no slot is empty.

import java.util.Arrays;

final class MessageMap {
  private static final int SLOTS = 1024;
  private static final int MOST_ENTRIES = SLOTS / 8 * 7;

  private Table[] directory = {new Table(0)};
  private int depth;
  private long count;

  long count() {
    return count;
  }

  /** The message under `key`, null where there is none. */
  byte[] get(long key) {
    long hash = SplitMix64.mix(key);
    Table table = tableOf(hash);
    return table.messages[table.find(key, hash)];
  }

  /** Puts `message` under `key`, where nothing is yet. */
  void add(long key, byte[] message) {
    long hash = SplitMix64.mix(key);
    Table table = tableOf(hash);
    while (table.count == MOST_ENTRIES) {
      split(table, hash);
      table = tableOf(hash);
    }
    table.add(key, message, hash);
    count++;
  }

  /** Removes what is under `key`; false when nothing was. */
  boolean remove(long key) {
    long hash = SplitMix64.mix(key);
    Table table = tableOf(hash);
    int slot = table.find(key, hash);
    if (table.messages[slot] == null) return false;
    table.empty(slot);
    count--;
    return true;
  }

  // The top bits of a hash choose the table, the bottom bits the slot.

  private static int directoryIndex(long hash, int depth) {
    return depth == 0 ? 0 : (int) (hash >>> (64 - depth));
  }

  private Table tableOf(long hash) {
    return directory[directoryIndex(hash, depth)];
  }

  /** Replaces a full table, to which `hash` belongs, by two of the next depth. */
  private void split(Table table, long hash) {
    if (table.depth == depth) doubleDirectory();
    Table low = new Table(table.depth + 1);
    Table high = new Table(table.depth + 1);
    for (int slot = 0; slot < SLOTS; slot++) {
      if (table.messages[slot] == null) continue;
      long ownHash = SplitMix64.mix(table.keys[slot]);
      Table half = (ownHash >>> (64 - low.depth) & 1) == 0 ? low : high;
      half.add(table.keys[slot], table.messages[slot], ownHash);
    }
    int span = 1 << (depth - table.depth);
    int first = directoryIndex(hash, depth) & -span;
    Arrays.fill(directory, first, first + span / 2, low);
    Arrays.fill(directory, first + span / 2, first + span, high);
  }

  private void doubleDirectory() {
    Table[] doubled = new Table[2 * directory.length];
    for (int index = 0; index < doubled.length; index++) doubled[index] = directory[index / 2];
    directory = doubled;
    depth++;
  }

  private static final class Table {
    final long[] keys = new long[SLOTS];
    final byte[][] messages = new byte[SLOTS][];
    final int depth;
    int count;

    Table(int depth) {
      this.depth = depth;
    }

    private static int home(long hash) {
      return (int) hash & (SLOTS - 1);
    }

    /** The slot of `key`, or the empty one where it would go. */
    int find(long key, long hash) {
      int slot = home(hash);
      while (messages[slot] != null && keys[slot] != key) slot = (slot + 1) & (SLOTS - 1);
      return slot;
    }

    void add(long key, byte[] message, long hash) {
      int slot = find(key, hash);
      keys[slot] = key;
      messages[slot] = message;
      count++;
    }

    /** Empties a slot and moves back whatever a search would no longer find. */
    void empty(int slot) {
      int hole = slot;
      for (int next = (slot + 1) & (SLOTS - 1); messages[next] != null; next = (next + 1) & (SLOTS - 1)) {
        int fromHome = (next - home(SplitMix64.mix(keys[next]))) & (SLOTS - 1);
        if (fromHome >= ((next - hole) & (SLOTS - 1))) {
          keys[hole] = keys[next];
          messages[hole] = messages[next];
          hole = next;
        }
      }
      messages[hole] = null;
      count--;
    }
  }
}
