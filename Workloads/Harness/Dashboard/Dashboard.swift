// `--dashboard`: one thread beside the clients that samples the run five times a second and answers whoever looks at it.
//
// Sampling and answering take turns on that thread, so the history has no lock and costs what it costs once, however many look. A sample
// reads counters that are kept anyway; the one thing that clients do for it is `LiveLatencies`. The history is bounded (`Timeline`), and so
// are connections (`HTTPServer`). In a control group the dashboard is part of the process that is limited: its memory counts as foreign.
//
// Every page that asks after the end of the run gets the last samples and a last word; the thread stays for that long, if anybody looks.

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// Shows one run to browsers and to Prometheus.
final class Dashboard: Sendable {
  /// How the run ended, for those who look.
  struct Ending: Sendable {
    let text: String
    let isGood: Bool

    init(text: String, isGood: Bool) {
      self.text = text
      self.isGood = isGood
    }

    init(_ result: WorkloadResult, isInterrupted: Bool) {
      let check =
        result.verified ? "the data at the end is what was stored" : "the data at the end is NOT what was stored"
      self.init(text: (isInterrupted ? "interrupted; " : "") + check + ".", isGood: result.verified)
    }
  }

  private static let interval: UInt64 = 200_000_000
  /// A page asks every 400 ms: one that has not for so long is closed.
  private static let attention: UInt64 = 3_000_000_000
  /// How long a page that looks has to ask for the last word.
  private static let farewell: UInt64 = 1_500_000_000

  /// Until the run's thread takes it.
  private let server: Mutex<HTTPServer?>
  private let url: String
  /// How the run ended, once it has.
  private let ending = Mutex<Ending?>(nil)

  /// Begins to listen, so that an address that cannot be had is an error before anything runs.
  ///
  /// - Throws: for an address that the kernel refuses.
  init(_ address: DashboardAddress) throws(UsageError) {
    let server = try HTTPServer(address, option: DashboardAddress.option)
    url = address.url(port: server.port)
    self.server = Mutex(server)
  }

  /// Runs `body` while showing the run, and until everybody who looks knows how it ended.
  ///
  /// - Parameter ending: what `body` returned, in a sentence.
  func show<R>(
    _ context: RunContext, _ request: RunRequest, ending: (R) -> Ending, _ body: () throws -> R
  ) throws -> R {
    let session = try DashboardSession(context, request)
    OutputFile.writeToStandardError("tricolor: dashboard at \(url)\n")
    let made = Mutex(Optional(session))
    let thread = try NativeThread.start(name: "dashboard") {
      guard let session = made.withLock({ $0.take() }), let server = self.server.withLock({ $0.take() }) else { return }
      self.run(server, session)
    }
    defer { thread.join() }
    do {
      let result = try body()
      end(ending(result))
      return result
    } catch {
      end(Ending(text: "\(error)", isGood: false))
      throw error
    }
  }

  private func end(_ ending: Ending) { self.ending.withLock { $0 = ending } }

  private func run(_ server: HTTPServer, _ session: DashboardSession) {
    var next = Clock.monotonic()
    var leavesAt = UInt64.max
    while Clock.monotonic() < leavesAt {
      if Clock.monotonic() >= next {
        session.sample(ending.withLock { $0 })
        // A thread that was not let run skips what it has missed: two samples at once would tell nothing.
        next = max(next, Clock.monotonic() - Dashboard.interval / 2) + Dashboard.interval
        if session.hasEnded && leavesAt == .max {
          let isWatched = session.askedAt + Dashboard.attention > Clock.monotonic()
          leavesAt = isWatched ? Clock.monotonic() + Dashboard.farewell : 0
        }
      }
      server.turn(until: min(next, leavesAt)) { session.answer($0) }
    }
  }
}
