// The wire encoding of requests and responses: protobuf's, with etcd's field numbers for what is used of them.
//
// A message is written into a buffer whose size was computed first, as generated code does, so that it can be one
// managed object.

/// Field numbers and tags.
enum Wire {
  static let varint: UInt64 = 0
  static let bytes: UInt64 = 2

  @inline(__always) static func varintSize(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }

  /// Bytes of a field with a number below 16 and a varint value; 0 for the value 0, which is not written.
  @inline(__always) static func integerField(_ value: Int) -> Int {
    value == 0 ? 0 : 1 + varintSize(UInt64(bitPattern: Int64(value)))
  }

  /// Bytes of a field with a number below 16 and `count` bytes of content.
  @inline(__always) static func bytesField(_ count: Int) -> Int { 1 + varintSize(UInt64(count)) + count }
}

/// Writes fields into a buffer of the right size.
struct WireWriter {
  let buffer: UnsafeMutableRawBufferPointer
  private(set) var position = 0

  init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

  mutating func integer(_ field: UInt64, _ value: Int) {
    if value == 0 { return }
    varint(field << 3 | Wire.varint)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func bytes(_ field: UInt64, _ content: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: open(field, content.count)).copyMemory(from: content)
  }

  /// Begins a field of `count` bytes, which are the caller's to write, and answers where they go.
  mutating func open(_ field: UInt64, _ count: Int) -> Slice<UnsafeMutableRawBufferPointer> {
    nested(field, count)
    position += count
    return buffer[position - count..<position]
  }

  /// Begins a nested message of `count` bytes; the fields written next are its.
  mutating func nested(_ field: UInt64, _ count: Int) {
    varint(field << 3 | Wire.bytes)
    varint(UInt64(count))
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      buffer[position] = UInt8(truncatingIfNeeded: rest) | 0x80
      position += 1
      rest >>= 7
    }
    buffer[position] = UInt8(rest)
    position += 1
  }
}

/// Reads the fields of a message one after the other.
struct WireReader {
  private let buffer: UnsafeRawBufferPointer
  /// Where `buffer` begins in the whole request, for messages of errors.
  private let base: Int
  private var position = 0
  private(set) var field: UInt64 = 0
  private(set) var integer = 0
  /// The content of a field of bytes.
  private(set) var content = UnsafeRawBufferPointer(start: nil, count: 0)

  init(_ buffer: UnsafeRawBufferPointer, base: Int = 0) {
    self.buffer = buffer
    self.base = base
  }

  /// A reader of the nested message that was just read.
  var inner: WireReader { WireReader(content, base: base + position - content.count) }

  /// Reads the next field; false at the end.
  mutating func next() throws(StoreError) -> Bool {
    if position == buffer.count { return false }
    let tag = try varint()
    field = tag >> 3
    switch tag & 7 {
    case Wire.varint: integer = Int(Int64(bitPattern: try varint()))
    case Wire.bytes:
      let count = try varint()
      guard count <= UInt64(buffer.count - position) else { throw .malformedRequest(offset: base + position) }
      content = UnsafeRawBufferPointer(rebasing: buffer[position..<position + Int(count)])
      position += Int(count)
    default: throw .malformedRequest(offset: base + position)
    }
    return true
  }

  private mutating func varint() throws(StoreError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < buffer.count && shift < 64 {
      let byte = buffer[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw .malformedRequest(offset: base + position)
  }
}
