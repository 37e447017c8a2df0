// Which file and function an address of code belongs to: /proc/self/maps for the files, their ELF symbol tables for the functions.
//
// dladdr knows only what is exported, and programs export little. Names are demangled by the Swift runtime. What cannot be read has no names, and
// a profiler resolves the address by itself, from the file and the offset.

import Glibc
import TricolorPlatform

/// The executable mappings of this process, and the functions in their files.
struct CodeMap {
  struct Mapping {
    let start: UInt
    let end: UInt
    let offset: UInt
    let path: String
  }

  let mappings: [Mapping]
  /// By the place of the mapping; made when first asked for.
  private var symbols: [Int: SymbolTable] = [:]

  init() throws(PlatformError) {
    var mappings: [Mapping] = []
    for line in try CurrentProcess.mappings().split(separator: "\n") {
      // 55d0c0a00000-55d0c0a21000 r-xp 00002000 08:01 1234   /usr/bin/tricolor
      let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      guard words.count == 6, words[1].contains("x"), case let path = words[5].drop(while: { $0 == " " }),
        path.hasPrefix("/")
      else { continue }
      let range = words[0].split(separator: "-")
      guard range.count == 2, let start = UInt(range[0], radix: 16), let end = UInt(range[1], radix: 16),
        let offset = UInt(words[2], radix: 16)
      else { continue }
      mappings.append(Mapping(start: start, end: end, offset: offset, path: String(path)))
    }
    self.mappings = mappings
  }

  func mapping(of address: UInt) -> Int? { mappings.firstIndex { $0.start <= address && address < $0.end } }

  /// The function that `address` lies in, by its symbol; nil where none is known.
  mutating func symbol(of address: UInt) -> String? {
    guard let place = mapping(of: address) else { return nil }
    let mapping = mappings[place]
    let table = symbols[place] ?? SymbolTable(file: mapping.path)
    symbols[place] = table
    return table.name(at: address - mapping.start + mapping.offset)
  }
}

/// The functions of an ELF file by their offsets in it.
private struct SymbolTable {
  private struct Symbol {
    let start: UInt
    let end: UInt
    let name: Int
  }

  private var symbols: [Symbol] = []
  private var bytes: [UInt8] = []
  private var names = 0..<0

  /// Empty for a file that is no ELF file of 64 bits, or cannot be read.
  init(file: String) {
    guard let bytes = SymbolTable.read(file), bytes.count > 64, bytes[0...4] == [0x7f, 0x45, 0x4c, 0x46, 2] else {
      return
    }
    self.bytes = bytes
    let (sections, size, count) = (word(0x28), half(0x3a), half(0x3c))
    let headers = (0..<count).map { sections + $0 * size }.filter { $0 + 64 <= bytes.count }
    // .symtab has all functions, .dynsym those exported, where the other was stripped.
    guard let header = headers.first(where: { int($0 + 4) == 2 }) ?? headers.first(where: { int($0 + 4) == 11 }) else {
      return
    }
    let link = sections + int(header + 40) * size
    guard link + 64 <= bytes.count else { return }
    names = clamped(word(link + 24), word(link + 32))
    let table = clamped(word(header + 24), word(header + 32))
    let segments = loadedSegments()
    for entry in stride(from: table.lowerBound, through: table.upperBound - 24, by: 24) where bytes[entry + 4] & 15 == 2
    {
      let (value, length) = (word(entry + 8), word(entry + 16))
      guard let segment = segments.first(where: { $0.address <= value && value < $0.address + $0.bytes }) else {
        continue
      }
      let start = UInt(value - segment.address + segment.offset)
      symbols.append(Symbol(start: start, end: start + UInt(max(1, length)), name: int(entry)))
    }
    symbols.sort { $0.start < $1.start }
  }

  /// The name of the function around an offset of the file.
  func name(at offset: UInt) -> String? {
    var (low, high) = (0, symbols.count)
    while low < high {
      let middle = (low + high) / 2
      if symbols[middle].start <= offset { low = middle + 1 } else { high = middle }
    }
    guard low > 0, offset < symbols[low - 1].end else { return nil }
    let first = names.lowerBound + symbols[low - 1].name
    guard first < names.upperBound else { return nil }
    return String(decoding: bytes[first..<names.upperBound].prefix { $0 != 0 }, as: UTF8.self)
  }

  private func loadedSegments() -> [(offset: Int, address: Int, bytes: Int)] {
    let (first, size, count) = (word(0x20), half(0x36), half(0x38))
    return (0..<count).map { first + $0 * size }.filter { $0 + 56 <= bytes.count && int($0) == 1 }.map {
      (word($0 + 8), word($0 + 16), word($0 + 32))
    }
  }

  // MARK: Numbers; of what the file does not have, 0.

  private func number(_ place: Int, _ size: Int) -> Int {
    guard place >= 0, place <= bytes.count - size else { return 0 }
    return (0..<size).reduce(0) { $0 | Int(truncatingIfNeeded: UInt64(bytes[place + $1]) << UInt64(8 * $1)) }
  }
  private func half(_ place: Int) -> Int { number(place, 2) }
  private func int(_ place: Int) -> Int { number(place, 4) }
  /// At most the file's size, which every offset and size that is right is.
  private func word(_ place: Int) -> Int { max(0, min(number(place, 8), 1 << 40)) }
  private func clamped(_ start: Int, _ count: Int) -> Range<Int> {
    min(start, bytes.count)..<min(start + count, bytes.count)
  }

  private static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return nil }
    return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      while count < buffer.count {
        let got = Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
        if got <= 0 { break }
        count += got
      }
    }
  }
}

/// A symbol as its source has it.
func demangled(_ symbol: String) -> String {
  guard symbol.hasPrefix("$s") || symbol.hasPrefix("$S") else { return symbol }
  return symbol.withCString { name in
    guard let text = demangle(name, strlen(name), nil, nil, 0) else { return symbol }
    defer { free(text) }
    return String(cString: text)
  }
}

/// The Swift runtime's demangler, which the standard library exports.
@_silgen_name("swift_demangle")
private func demangle(
  _ name: UnsafePointer<CChar>, _ length: Int, _ buffer: UnsafeMutablePointer<CChar>?,
  _ size: UnsafeMutablePointer<Int>?,
  _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?
