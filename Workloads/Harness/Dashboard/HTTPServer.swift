// A server for the few requests of a dashboard: one thread, one poll, no allocation while nobody asks.
//
// Why not a library: FlyingFox, the small one, needs Foundation's networking and so libcurl, with which the command can no longer be linked
// statically, and SwiftNIO brings event loops and threads of its own that would run beside the program under measurement. What is here
// answers at most 16 connections, each with at most one response on its way, so its memory is bounded whatever clients do: a slow one
// waits in its own socket, one that says nothing for ten seconds is closed, and the rest wait in the kernel's queue.

import Glibc
import TricolorPlatform

/// Listens and answers. Used by one thread.
final class HTTPServer {
  private static let mostConnections = 16
  private static let idleLimit: UInt64 = 10_000_000_000
  private static let refusalPause: UInt64 = 100_000_000

  private let listener: Int32
  private var connections: [HTTPConnection] = []
  private var polled: [pollfd] = []
  /// Until then no connections are accepted.
  private var acceptsFrom: UInt64 = 0
  /// The port it listens at.
  let port: UInt16

  /// Begins to listen.
  ///
  /// - Throws: when the kernel refuses the address: in use, not of this machine, not permitted.
  init(_ address: DashboardAddress, option: String) throws(UsageError) {
    let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    var code = descriptor < 0 ? errno : 0
    if code == 0 { code = HTTPServer.listen(descriptor, address) }
    guard code == 0 else {
      if descriptor >= 0 { close(descriptor) }
      throw UsageError(
        "\(option): \(address.host), port \(address.port), cannot be used: \(String(cString: strerror(code)))")
    }
    listener = descriptor
    port = SocketAddress.port(of: descriptor)
  }

  deinit {
    for connection in connections { close(connection.descriptor) }
    close(listener)
  }

  /// 0 or errno.
  private static func listen(_ descriptor: Int32, _ address: DashboardAddress) -> Int32 {
    // A port of a run that has just ended may be used again at once.
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0 else { return errno }
    return Glibc.listen(descriptor, 64) == 0 ? 0 : errno
  }

  /// Waits for requests at most until `deadline` on the monotonic clock, and answers those that have come.
  func turn(until deadline: UInt64, _ answer: (HTTPRequest) -> HTTPResponse) {
    let now = Clock.monotonic()
    closeIdle(now)
    polled.removeAll(keepingCapacity: true)
    let accepts = connections.count < HTTPServer.mostConnections && now >= acceptsFrom
    polled.append(pollfd(fd: accepts ? listener : -1, events: Int16(POLLIN), revents: 0))
    for connection in connections {
      polled.append(
        pollfd(fd: connection.descriptor, events: Int16(connection.isSending ? POLLOUT : POLLIN), revents: 0))
    }
    let milliseconds = deadline > now ? Int32((deadline - now + 999_999) / 1_000_000) : 0
    guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return }
    for (index, connection) in connections.enumerated() where polled[index + 1].revents != 0 {
      connection.proceed(now: Clock.monotonic(), answer)
    }
    drop { $0.isOver }
    if polled[0].revents != 0 { accept() }
  }

  private func accept() {
    while connections.count < HTTPServer.mostConnections {
      let descriptor = Glibc.accept(listener, nil, nil)
      if descriptor < 0 {
        // Nobody waits, or the process may open no more: then whoever waits would be announced again at once.
        if errno != EAGAIN { acceptsFrom = Clock.monotonic() + HTTPServer.refusalPause }
        return
      }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      connections.append(HTTPConnection(descriptor, now: Clock.monotonic()))
    }
  }

  private func closeIdle(_ now: UInt64) { drop { $0.lastActive + HTTPServer.idleLimit < now } }

  private func drop(_ isDone: (HTTPConnection) -> Bool) {
    for connection in connections where isDone(connection) { close(connection.descriptor) }
    connections.removeAll(where: isDone)
  }
}

/// One client: what it has sent and not been answered for, and what is still to be sent to it.
///
/// A connection that ends with a response is read on to its end: closed with bytes unread, the kernel would take the response back.
final class HTTPConnection {
  let descriptor: Int32
  private(set) var lastActive: UInt64
  private(set) var isOver = false
  private var received: [UInt8] = []
  private var sending: ArraySlice<UInt8> = []
  private var endsAfterSending = false
  private var isDraining = false

  init(_ descriptor: Int32, now: UInt64) {
    self.descriptor = descriptor
    lastActive = now
  }

  var isSending: Bool { !sending.isEmpty }

  /// Sends, or receives and answers, as far as it goes without waiting.
  func proceed(now: UInt64, _ answer: (HTTPRequest) -> HTTPResponse) {
    if !isDraining { lastActive = now }
    if !isSending { receive() }
    while !isOver && !isDraining {
      if isSending { send() }
      if isSending || isOver || !respond(answer) { return }
    }
  }

  private func receive() {
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
    if count > 0 && !isDraining {
      received.append(contentsOf: chunk[..<count])
    } else if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
      isOver = true
    }
  }

  /// Answers the next request received; false when none is complete or no other is taken.
  private func respond(_ answer: (HTTPRequest) -> HTTPResponse) -> Bool {
    if endsAfterSending {
      shutdown(descriptor, Int32(SHUT_WR))
      isDraining = true
      return false
    }
    do throws(HTTPResponse) {
      guard let (request, length) = try HTTPRequest.parse(received) else { return false }
      received.removeFirst(length)
      endsAfterSending = !request.keepsAlive
      let isRead = request.method == "GET" || request.method == "HEAD"
      let response = isRead ? answer(request) : HTTPResponse(.methodNotAllowed)
      sending = response.bytes(isHead: request.method == "HEAD", keepsAlive: request.keepsAlive)[...]
    } catch {
      endsAfterSending = true
      sending = error.bytes(isHead: false, keepsAlive: false)[...]
    }
    return true
  }

  private func send() {
    let count = sending.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
    if count >= 0 {
      sending = sending.dropFirst(count)
      if sending.isEmpty { sending = [] }
    } else if errno != EAGAIN && errno != EINTR {
      isOver = true
    }
  }
}
