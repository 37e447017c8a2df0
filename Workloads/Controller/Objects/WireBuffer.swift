// The bytes that come over a watch or a list: what an API server writes and an informer decodes. A length-prefixed binary format with
// the fields of Kubernetes' own objects in a fixed order, about as long as their protobuf.

import Tricolor

/// A buffer outside the managed heap that grows, for one thread at a time: a socket, as far as the controller can tell.
final class WireBuffer {
  private var memory: UnsafeMutableRawPointer
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int = 4096) {
    memory = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }

  deinit { memory.deallocate() }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  func clear() { count = 0 }

  func write<Value: BitwiseCopyable>(_ value: Value) {
    reserve(MemoryLayout<Value>.size)
    memory.storeBytes(of: value, toByteOffset: count, as: Value.self)
    count += MemoryLayout<Value>.size
  }

  /// A text of at most 255 bytes.
  func write(text: UnsafeRawBufferPointer) {
    write(UInt8(text.count))
    reserve(text.count)
    (memory + count).copyMemory(from: text.baseAddress!, byteCount: text.count)
    count += text.count
  }

  /// A text with a number in it: what `prefix` says and `digits` hexadecimal digits of `number`.
  func write(_ prefix: StaticString, _ number: UInt64, digits: Int) {
    write(UInt8(prefix.utf8CodeUnitCount + digits))
    append(prefix, number, digits: digits)
  }

  /// As `write`, without a length before it.
  func append(_ prefix: StaticString, _ number: UInt64, digits: Int) {
    reserve(prefix.utf8CodeUnitCount + digits)
    (memory + count).copyMemory(from: prefix.utf8Start, byteCount: prefix.utf8CodeUnitCount)
    count += prefix.utf8CodeUnitCount
    for digit in stride(from: digits - 1, through: 0, by: -1) {
      let nibble = UInt8(truncatingIfNeeded: number >> UInt64(4 * digit)) & 15
      memory.storeBytes(of: nibble + (nibble < 10 ? 48 : 87), toByteOffset: count, as: UInt8.self)
      count += 1
    }
  }

  /// What was written, in a new object.
  func received(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Bytes> { try mutator.makeBytes(copying: bytes) }

  private func reserve(_ more: Int) {
    if count + more <= capacity { return }
    capacity = max(2 * capacity, count + more)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    memory = larger
  }
}

/// Reads what came, from where it lies on the managed heap.
struct WireReader: ~BitwiseCopyable {
  let message: Reference<Bytes>
  private(set) var position = 0

  init(_ message: Reference<Bytes>) { self.message = message }

  var isAtEnd: Bool { position == message.count }

  mutating func read<Value: BitwiseCopyable>(_: Value.Type) -> Value {
    let value = message.bytes.loadUnaligned(fromByteOffset: position, as: Value.self)
    position += MemoryLayout<Value>.size
    return value
  }

  /// The next text, where it lies in the message.
  mutating func text() -> UnsafeRawBufferPointer {
    let count = Int(read(UInt8.self))
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: message.bytes[position..<position + count])
  }

  /// The next text in an object of its own.
  mutating func text(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    // A copy first: the pointer into the message does not keep it alive, this reader does.
    try mutator.makeBytes(copying: text())
  }
}
