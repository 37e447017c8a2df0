// What happens before clients run: the store is made, keys are shared out or a dump is loaded, watchers are set up.

import Harness
import Tricolor

extension WorkDriver {
  /// A driver of a new store, with its watchers, and with its keys where they come from a dump.
  ///
  /// - Throws: `DumpError` for a dump that cannot be used; `OutOfMemory`.
  static func prepare(_ context: RunContext, _ options: EtcdStoreOptions) throws -> WorkDriver {
    try context.heap.withMutator { m in
      let backing = try options.backingFolder.map { try BackingFile(folder: $0) }
      let store = try EtcdStore(options.storeConfiguration, backing: backing, m)
      let partitions: [Partition]
      if let path = options.dumpPath {
        partitions = try loadDump(path, options, context, store, m)
      } else {
        partitions = shareOut(
          KeySpace(count: options.keys, meanValueBytes: options.valueBytes, profile: options.profile), options,
          seed: context.seed)
      }
      try setUpWatchers(options, store, m)
      return WorkDriver(context, options, store, partitions)
    }
  }

  /// Clients of made-up keys, each with the keys whose hash says so.
  static func shareOut(_ keys: KeySpace, _ options: EtcdStoreOptions, seed: UInt64) -> [Partition] {
    let partitions = (0..<Partition.count).map { Partition(id: $0, seed: seed, keys: keys, options: options) }
    for number in 0..<keys.count {
      let hash = ShadowTable.hash(keys.key(number, partitions[0].scratch))
      partitions[Partition.home(of: hash, among: Partition.count)].own(number)
    }
    return partitions
  }

  /// Restores a dump into `store`, as far as the user lets it, and answers the clients of its keys.
  private static func loadDump(
    _ path: String, _ options: EtcdStoreOptions, _ context: RunContext, _ store: EtcdStore, _ m: Mutator
  ) throws -> [Partition] {
    var reader = try DumpReader.open(path: path)
    let dumped = DumpedKeys()
    var tables = (0..<Partition.count).map { _ in [ShadowEntry]() }
    while try !context.isInterrupted && reader.next() {
      let record = reader.record
      try store.restore(
        RestoredKey(
          key: reader.key, value: reader.value, created: record.created, modified: record.modified,
          version: record.version, lease: record.lease), m)
      _ = dumped.append(reader.key)
      let hash = ShadowTable.hash(reader.key)
      tables[Partition.home(of: hash, among: Partition.count)].append(
        ShadowEntry(
          key: hash, content: ShadowTable.content(value: Checksum.hash(reader.value), lease: record.lease),
          modified: record.modified, version: UInt32(truncatingIfNeeded: record.version),
          created: UInt32(truncatingIfNeeded: record.created)))
    }
    store.finishRestore(revision: reader.revision, m)
    let partitions = shareOut(KeySpace(dumped), options, seed: context.seed)
    for (partition, table) in zip(partitions, tables) {
      for entry in table { partition.shadow.set(entry) }
    }
    return partitions
  }

  /// Watchers on the directories in turn, ten to a stream, and one in ten on a single key.
  static func setUpWatchers(_ options: EtcdStoreOptions, _ store: EtcdStore, _ m: Mutator) throws(OutOfMemory) {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: KeySpace.mostKeyBytes, alignment: 16)
    defer { scratch.deallocate() }
    let directories = options.profile.kinds.map(\.directory) + [KeySpace.eventDirectory, KeySpace.burstDirectory]
    for number in 0..<options.watchers {
      let stream = number / 10
      if number % 10 == 9 {
        let key = KeySpace.burstKey(partition: number / 10 % Partition.count, scratch)
        _ = try store.watch(from: key, to: nil, stream: stream, m)
      } else {
        try watch(directories[number % directories.count], stream: stream, store, scratch, m)
      }
    }
  }

  /// Watches everything in the directory, whose name ends before its last component begins.
  private static func watch(
    _ directory: StaticString, stream: Int, _ store: EtcdStore, _ scratch: UnsafeMutableRawBufferPointer, _ m: Mutator
  ) throws(OutOfMemory) {
    let start = UnsafeRawBufferPointer(start: directory.utf8Start, count: directory.utf8CodeUnitCount)
    scratch.copyMemory(from: start)
    scratch[start.count - 1] += 1
    _ = try store.watch(from: start, to: UnsafeRawBufferPointer(rebasing: scratch[..<start.count]), stream: stream, m)
  }
}
