// Objects of the sizes that are measured. All have a reference, so that their cells must be zeroed before they are handed out.

import Tricolor

/// An object that is made from a number and can tell it.
protocol Sample: Managed {
  init(_ number: UInt)
  var number: UInt { get set }
}

struct Sample16: Sample {
  static let slot = TypeSlot()
  var next: Reference<Sample16>?
  var number: UInt

  init(_ number: UInt) {
    next = nil
    self.number = number
  }
}

struct Sample32: Sample {
  static let slot = TypeSlot()
  var left: Reference<Sample32>?
  var right: Reference<Sample32>?
  var number: UInt
  var inverse: UInt

  init(_ number: UInt) {
    left = nil
    right = nil
    self.number = number
    inverse = ~number
  }
}

struct Sample64: Sample {
  static let slot = TypeSlot()
  var left: Reference<Sample64>?
  var right: Reference<Sample64>?
  var number: UInt
  var words: (UInt, UInt, UInt, UInt, UInt)

  init(_ number: UInt) {
    left = nil
    right = nil
    self.number = number
    words = (number, number, number, number, number)
  }
}

struct Sample256: Sample {
  static let slot = TypeSlot()
  var next: Reference<Sample256>?
  var number: UInt
  var words: InlineArray<30, UInt>

  init(_ number: UInt) {
    next = nil
    self.number = number
    words = InlineArray(repeating: number)
  }
}

struct Sample1024: Sample {
  static let slot = TypeSlot()
  var next: Reference<Sample1024>?
  var number: UInt
  var words: InlineArray<126, UInt>

  init(_ number: UInt) {
    next = nil
    self.number = number
    words = InlineArray(repeating: number)
  }
}
