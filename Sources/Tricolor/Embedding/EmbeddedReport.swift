// What the C interface tells of errors: a line on standard error, and a code that the thread keeps.

import CTricolorShims

package enum EmbeddedReport {
  package static func write(_ text: String) { StandardError.write(text) }

  /// The code of the calling thread's last error.
  package static var lastError: Int32 {
    get { tricolor_error_code() }
    set { tricolor_set_error_code(newValue) }
  }
}
