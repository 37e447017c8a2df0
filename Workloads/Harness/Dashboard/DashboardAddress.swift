// Where the dashboard listens: `PORT`, or `HOST:PORT` for another interface than the loopback.
//
// Hosts are numbers, and "localhost": looking a name up can take seconds and answer anything, and nobody binds to a name.

import Glibc

/// An address to listen at.
public struct DashboardAddress: Sendable, Equatable {
  /// The option that names it.
  static let option = "--dashboard"
  /// An IPv4 or IPv6 address in numbers, without brackets.
  public let host: String
  /// 0 for a free one.
  public let port: UInt16

  /// The address in `text`.
  ///
  /// - Throws: for anything but a port of 0 to 65535, alone or behind an address and a colon.
  public static func parse(_ text: String, option: String) throws(UsageError) -> DashboardAddress {
    let refusal = UsageError(
      option: option, value: text,
      allowed: "a port, 0 to 65535, or an address before it, as 0.0.0.0:8080 or [::1]:8080")
    let (host, port) = split(text)
    guard !port.isEmpty, port.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt16(port) else {
      throw refusal
    }
    guard let host else { return DashboardAddress(host: loopback, port: number) }
    let address = DashboardAddress(host: host == "localhost" ? loopback : host, port: number)
    guard address.withSocketAddress({ _, _ in true }) == true else { throw refusal }
    return address
  }

  private static let loopback = "127.0.0.1"

  /// Host and port; no host where there is no colon. What has brackets or further colons keeps them and is no address then.
  private static func split(_ text: String) -> (host: String?, port: String) {
    guard let colon = text.lastIndex(of: ":") else { return (nil, text) }
    var host = text[..<colon]
    if host.hasPrefix("[") && host.hasSuffix("]") && host.contains(":") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      host = "[]"
    }
    return (String(host), String(text[text.index(after: colon)...]))
  }

  private var isVersion6: Bool { host.contains(":") }

  /// The address family, for `socket`.
  var family: Int32 { isVersion6 ? AF_INET6 : AF_INET }

  /// Calls `body` with the address as the kernel wants it; nil when `host` is none.
  func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
    if isVersion6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return nil }
      return SocketAddress.with(address, body)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
    return SocketAddress.with(address, body)
  }

  /// As a browser wants it. A host that stands for all interfaces is reached by any name of the machine; here by the loopback's.
  func url(port: UInt16) -> String {
    let name = host == "0.0.0.0" ? DashboardAddress.loopback : host == "::" ? "[::1]" : isVersion6 ? "[\(host)]" : host
    return "http://\(name):\(port)/"
  }
}

/// Kernel addresses of either family as the type that system calls take.
enum SocketAddress {
  static func with<Address, R>(_ address: Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafeBytes(of: address) { body($0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count)) }
  }

  /// The port that the kernel chose for a bound socket.
  static func port(of descriptor: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { bytes in
      getsockname(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!, &size)
      // The port is at the same place in both families, the most significant byte first.
      return UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }
  }
}
