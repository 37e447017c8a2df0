// The client threads of a workload: each runs the same body with its own index, and all are waited for. The first is the calling
// thread: a program of one thread has no other.

import Glibc

enum Clients {
  /// What each of `count` clients returned, by index.
  static func run<Part>(_ count: Int, _ body: @escaping @Sendable (Int) -> Part) throws(Ending) -> [Part] {
    var others: [(thread: pthread_t, work: Work<Part>)] = []
    for index in 1..<max(1, count) {
      let work = Work<Part> { body(index) }
      others.append((try start(work), work))
    }
    var parts = [body(0)]
    for (thread, work) in others {
      pthread_join(thread, nil)
      parts.append(work.part!)
    }
    return parts
  }

  /// How much of `total` client `index` does, where all do the same but for what division leaves.
  static func share(of total: Int, _ index: Int, _ count: Int) -> Int {
    total * (index + 1) / count - total * index / count
  }

  private static func start(_ work: AnyWork) throws(Ending) -> pthread_t {
    let context = Unmanaged.passRetained(work)
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<AnyWork>.fromOpaque(context!).takeRetainedValue().perform()
        return nil
      }, context.toOpaque())
    guard error == 0 else {
      throw Ending(exitCode: .internalError, "a thread cannot be made: \(String(cString: strerror(error)))")
    }
    return thread
  }

  private class AnyWork {
    func perform() {}
  }

  /// Used by its thread until that is joined, then by the one that joined it.
  private final class Work<Part>: AnyWork {
    private let body: () -> Part
    private(set) var part: Part?

    init(_ body: @escaping () -> Part) { self.body = body }

    override func perform() { part = body() }
  }
}
