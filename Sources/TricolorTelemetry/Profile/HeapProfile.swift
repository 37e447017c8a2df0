// A heap profile in the format of pprof (profile.proto of google/pprof), with Go's four sample types: `go tool pprof FILE` reads it.
//
// A message of protocol buffers is a sequence of fields, each a number with how it is written and a value: a varint, or bytes with their length
// before. That is all there is of it here, for nothing is read. Uncompressed, which pprof takes as well.

import Glibc
import Tricolor
import TricolorPlatform

/// Heap profiles for pprof.
public enum HeapProfile {
  /// The file's bytes.
  ///
  /// Samples are scaled to what they stand for. Frames of this library at the inner end of a stack are left out, so that an allocation is counted at the
  /// program's function that made it. Addresses are those of calls.
  ///
  /// - Parameter seconds: since the Epoch, of when the profile was taken; nil for now.
  /// - Throws: when the process's mappings cannot be read.
  public static func pprof(_ profile: AllocationProfile, rate: Int, seconds: Int? = nil) throws(PlatformError)
    -> [UInt8]
  {
    var builder = ProfileBuilder(code: try CodeMap())
    return builder.build(profile, rate: rate, seconds: seconds ?? time(nil))
  }
}

private struct ProfileBuilder {
  private var code: CodeMap
  private var strings: [String] = [""]
  private var places: [String: Int] = ["": 0]
  private var locations: [UInt: Int] = [:]
  private var functions: [String: Int] = [:]
  private var mappingsUsed: Set<Int> = []
  private var locationFields = ProtocolBuffer()
  private var functionFields = ProtocolBuffer()

  init(code: CodeMap) { self.code = code }

  mutating func build(_ profile: AllocationProfile, rate: Int, seconds: Int) -> [UInt8] {
    var message = ProtocolBuffer()
    for (type, unit) in [
      ("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes"),
    ] { message.add(1, valueType(type, unit)) }
    for sample in profile.samples { message.add(2, self.sample(sample)) }
    for place in mappingsUsed.sorted() { message.add(3, mapping(place)) }
    message.append(locationFields)
    message.append(functionFields)
    let period = valueType("space", "bytes")
    let defaultType = string("inuse_space")
    for string in strings { message.add(6, string) }
    message.add(9, seconds * 1_000_000_000)
    message.add(11, period)
    message.add(12, rate)
    message.add(14, defaultType)
    return message.bytes
  }

  private mutating func string(_ text: String) -> Int {
    if let place = places[text] { return place }
    places[text] = strings.count
    strings.append(text)
    return strings.count - 1
  }

  private mutating func valueType(_ type: String, _ unit: String) -> ProtocolBuffer {
    var message = ProtocolBuffer()
    message.add(1, string(type))
    message.add(2, string(unit))
    return message
  }

  private mutating func sample(_ sample: AllocationProfile.Sample) -> ProtocolBuffer {
    let (allocated, alive) = (Double(sample.allocated) * sample.weight, Double(sample.alive) * sample.weight)
    let bytes = Double(sample.bytes)
    var (stack, values, label, message) = (ProtocolBuffer(), ProtocolBuffer(), ProtocolBuffer(), ProtocolBuffer())
    // Return addresses: one less lies within the call.
    let calls = sample.stack.map { $0 - 1 }
    let own = calls.firstIndex { !isOfTheLibrary($0) } ?? 0
    for call in calls[own...] { stack.add(location(call)) }
    for value in [allocated, allocated * bytes, alive, alive * bytes] { values.add(Int(value.rounded())) }
    label.add(1, string("bytes"))
    label.add(3, sample.bytes)
    message.add(1, stack)
    message.add(2, values)
    message.add(3, label)
    return message
  }

  private mutating func isOfTheLibrary(_ address: UInt) -> Bool {
    guard let symbol = code.symbol(of: address) else { return false }
    return symbol.hasPrefix("$s8Tricolor") || symbol.hasPrefix("tricolor_") || symbol.hasPrefix("$s9TricolorC")
  }

  private mutating func location(_ address: UInt) -> Int {
    if let known = locations[address] { return known }
    let id = locations.count + 1
    locations[address] = id
    var message = ProtocolBuffer()
    message.add(1, id)
    if let place = code.mapping(of: address) {
      mappingsUsed.insert(place)
      message.add(2, place + 1)
    }
    message.add(3, Int(address))
    if let symbol = code.symbol(of: address) {
      var line = ProtocolBuffer()
      line.add(1, function(symbol))
      message.add(4, line)
    }
    locationFields.add(4, message)
    return id
  }

  private mutating func function(_ symbol: String) -> Int {
    if let known = functions[symbol] { return known }
    let id = functions.count + 1
    functions[symbol] = id
    var message = ProtocolBuffer()
    message.add(1, id)
    message.add(2, string(demangled(symbol)))
    message.add(3, string(symbol))
    functionFields.add(5, message)
    return id
  }

  private mutating func mapping(_ place: Int) -> ProtocolBuffer {
    let mapping = code.mappings[place]
    var message = ProtocolBuffer()
    message.add(1, place + 1)
    message.add(2, Int(mapping.start))
    message.add(3, Int(mapping.end))
    message.add(4, Int(mapping.offset))
    message.add(5, string(mapping.path))
    message.add(7, 1)
    return message
  }
}

/// A message being written.
private struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  /// A field that is a number; 0 is left out, as it is what a field has that is not there.
  mutating func add(_ field: Int, _ value: Int) {
    if value == 0 { return }
    add(field << 3)
    add(value)
  }

  /// A field that is text. Also where it is empty: the place in a list counts.
  mutating func add(_ field: Int, _ text: String) {
    add(field << 3 | 2)
    add(text.utf8.count)
    bytes += text.utf8
  }

  /// A field that is a message, or a list of numbers.
  mutating func add(_ field: Int, _ message: ProtocolBuffer) {
    add(field << 3 | 2)
    add(message.bytes.count)
    bytes += message.bytes
  }

  /// A number as it stands.
  mutating func add(_ value: Int) {
    var rest = UInt64(bitPattern: Int64(value))
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func append(_ other: ProtocolBuffer) { bytes += other.bytes }
}
