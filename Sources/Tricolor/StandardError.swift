// Messages of the library: whole lines to standard error by one write, without Foundation or stdio buffers.

import Glibc

enum StandardError {
  /// Writes `text`; a closed standard error loses it, which is what a program that closed it asked for.
  static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
  }
}
