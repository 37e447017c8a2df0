// Making, configuring, collecting and examining heaps.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface
import TricolorPacing

@c @implementation
public func tricolor_heap_create(
  _ options: UnsafePointer<tricolor_options>?, _ heap: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
  answer { () throws(Failure) in
    let chosen = try HeapOptions(options)
    let place = try require(heap, "heap")
    if Heap.isForked { throw .state(forkMessage) }
    do throws(HeapError) {
      let made = try Heap(configuration: chosen.configuration)
      made.searchStacks(chosen.searchesStacks)
      made.setStopMode(chosen.configuration.debug.gcStopTheWorld ? .always : chosen.stop)
      place.pointee = HeapTable.add(EmbeddedHeap(made))
    } catch {
      throw .system("\(error)")
    }
  }
}

/// What a heap is to be made with.
private struct HeapOptions {
  var configuration: Heap.Configuration
  var searchesStacks = true
  var stop = StopMode.never

  init(_ options: UnsafePointer<tricolor_options>?) throws(Failure) {
    configuration = .environment
    guard let options else { return }
    let size = options.pointee.size
    guard size == MemoryLayout<tricolor_options>.size else {
      throw .argument(
        "options->size", is: "\(size)",
        allowed: "it must be sizeof(tricolor_options), \(MemoryLayout<tricolor_options>.size)")
    }
    switch options.pointee.stacks {
    case TRICOLOR_STACKS_CONSERVATIVE: break
    case TRICOLOR_STACKS_PRECISE: searchesStacks = false
    default:
      throw .argument(
        "options->stacks", is: "\(options.pointee.stacks.rawValue)", allowed: "it must be one of tricolor_stacks")
    }
    stop = try stopMode(options.pointee.stop, "options->stop")
    if let text = options.pointee.settings { try read(requireText(text, "options->settings")) }
  }

  /// Settings separated by white space.
  private mutating func read(_ text: String) throws(Failure) {
    for word in text.split(whereSeparator: \.isWhitespace) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw .argument("options->settings", is: "\"\(text)\"", allowed: "\"\(word)\" in it must be NAME=VALUE")
      }
      do throws(SettingsError) {
        try configuration.settings.set(String(parts[0]), to: String(parts[1]))
      } catch {
        throw .argument("options->settings", is: "\"\(text)\"", allowed: "\(error)")
      }
    }
  }
}

private func stopMode(_ stop: tricolor_stop, _ name: StaticString) throws(Failure) -> StopMode {
  switch stop {
  case TRICOLOR_STOP_NEVER: return .never
  case TRICOLOR_STOP_BRIEFLY: return .briefly
  case TRICOLOR_STOP_ALWAYS: return .always
  default: throw .argument("\(name)", is: "\(stop.rawValue)", allowed: "it must be one of tricolor_stop")
  }
}

@c @implementation
public func tricolor_heap_destroy(_ heap: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in
    try HeapTable.heap(heap).end()
    HeapTable.remove(heap!)
  }
}

@c @implementation
public func tricolor_setting_set(
  _ heap: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let name = try requireText(name, "name")
    let value = try requireText(value, "value")
    do throws(SettingsError) {
      var configuration = heap.configuration
      try configuration.settings.set(name, to: value)
      heap.configuration = configuration
    } catch {
      throw .argument(
        error.name == "setting" ? "name" : "value", is: "\"\(error.value)\"", allowed: "use \(error.allowed)")
    }
  }
}

@c @implementation
public func tricolor_setting_get(
  _ heap: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<CChar>?, _ size: Int
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let name = try requireText(name, "name")
    let place = try require(value, "value")
    var text: String
    do throws(SettingsError) {
      text = try heap.configuration.settings.text(of: name)
    } catch {
      throw .argument("name", is: "\"\(error.value)\"", allowed: "use \(error.allowed)")
    }
    let needed = text.utf8.count + 1
    guard needed <= size else {
      throw .argument("size", is: "\(size)", allowed: "\"\(text)\" and its zero byte take \(needed)")
    }
    text.withUTF8 { bytes in
      UnsafeMutableRawPointer(place).copyMemory(from: UnsafeRawPointer(bytes.baseAddress!), byteCount: bytes.count)
    }
    place[needed - 1] = 0
  }
}

@c @implementation
public func tricolor_stop_set(_ heap: OpaquePointer?, _ stop: tricolor_stop) -> CInt {
  answer { () throws(Failure) in
    let waiting = try quiet(heap)
    waiting.setStopMode(try stopMode(stop, "stop"))
  }
}

@c @implementation
public func tricolor_collect(_ heap: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in try quiet(heap).collect() }
}

@c @implementation
public func tricolor_release(_ heap: OpaquePointer?, _ released: UnsafeMutablePointer<Int>?) -> CInt {
  answer { () throws(Failure) in
    let bytes = try quiet(heap).releaseFreeMemory()
    released?.pointee = bytes
  }
}

@c @implementation
public func tricolor_verify(_ heap: OpaquePointer?) -> CInt {
  answer { () throws(Failure) in
    let result = try quiet(heap).verify()
    if !result.isSound { throw .broken("\(result)") }
  }
}

@c @implementation
public func tricolor_snapshot_write(
  _ heap: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ ignoring_limit: CInt
) -> CInt {
  answer { () throws(Failure) in
    let waiting = try quiet(heap)
    let path = try requireText(path, "path")
    do throws(SnapshotError) {
      try waiting.snapshot(ignoringLimit: ignoring_limit != 0).write(to: path)
    } catch {
      switch error {
      case .noRoom, .tooLarge, .changed: throw .state("\(error)")
      case .platform, .file: throw .system("\(error)")
      }
    }
  }
}

/// A heap whose collector the caller is about to wait for: it must not be that thread itself.
private func quiet(_ handle: OpaquePointer?) throws(Failure) -> Heap {
  let heap = try HeapTable.heap(handle)
  if Heap.isForked { throw .state(forkMessage) }
  if heap.callbacks.isRunningHere {
    throw .state("called by a callback of the heap, which the collector would wait for")
  }
  return heap.heap
}
