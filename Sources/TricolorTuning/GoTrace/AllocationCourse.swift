// A trace told over what the program allocated instead of over time.
//
// Settings of the collector change when it works, not what the program does: after the same number of allocated bytes the same
// objects are alive, and marking them costs the same. So a trace gives, at each collection's place in the course of allocation, what
// was alive, what marking that cost, and when it was; between these places, a straight line. What another setting would have done is
// then found by walking along the course with the pacer (GoReplay.swift). It holds for requests that come at their own pace and for clients
// that wait, as far as the program does not itself ask how much memory is left.
//
// What was alive: at the beginning of marking, what was marked less what was allocated meanwhile, which is marked whether it lives or not.
// At its end it is between that and all that was marked. Between two collections nobody looked: it may have been more than at both. A
// trace is therefore read in three ways (`Reading`), and what they disagree about is what the trace does not tell.

/// How a trace is taken where it leaves room.
public enum Reading: Sendable, CaseIterable {
  /// Nothing lives that need not, and little memory is not heap.
  case least
  /// The same with what is likely beside the heap. What is allocated during marking mostly dies.
  case likely
  /// What grew or shrank between two collections rose on before, by half as much; and all that was allocated during marking lives.
  case most

  /// The part of what is allocated during marking that is alive at its end.
  var newestAlive: Double { self == .most ? 1 : 0 }

  /// How far beyond both ends what is alive rose between two collections, as a part of the difference.
  var rise: Double { self == .most ? 0.5 : 0 }
}

/// What a program's heap did between two cuts of its trace. Sizes are bytes, times nanoseconds.
struct AllocationCourse: Sendable {
  /// A place in the course of allocation.
  struct Place: Sendable {
    /// Bytes allocated since the course's beginning.
    var allocated: Double
    var time: Double
    var live: Double
    /// Processor time and wall time of marking here.
    var cost: Double
    var wall: Double
    /// Bytes allocated in a nanosecond of marking. It is not mixed between places: that it varies from cycle to cycle is what makes the pacer
    /// begin early.
    var pace: Double
  }

  /// At least two, in order.
  private(set) var places: [Place] = []
  /// Where the program itself asked for a collection.
  private(set) var forced: [Double] = []
  let processors: Double
  /// Stacks and globals, at most.
  let roots: Double
  /// What was marked before the course begins.
  let firstMarked: Double

  var length: Double { places[places.count - 1].allocated }
  var nanoseconds: Double { places[places.count - 1].time - places[0].time }
  var peakLive: Double { places.reduce(0) { max($0, $1.live) } }

  private static let mebibyte = 1_048_576.0
  /// Sizes are cut to whole MiB when printed; on average half of one is missing.
  private static func bytes(_ printed: Int) -> Double { printed == 0 ? 0 : (Double(printed) + 0.5) * mebibyte }

  /// The course of a stretch of at least two collections. The first of a program began with nothing; any other stretch
  /// begins behind its first.
  init(_ stretch: [GoCycle], _ reading: Reading) {
    let isWhole = stretch[0].number == 1
    firstMarked = isWhole ? 0 : AllocationCourse.bytes(stretch[0].marked)
    processors = Double(stretch.map(\.processors).max() ?? 1)
    roots = stretch.map { AllocationCourse.bytes($0.stacks ?? 0) + AllocationCourse.bytes($0.globals ?? 0) }.max() ?? 0
    var marked = firstMarked
    var allocated = 0.0
    if !isWhole { places = [AllocationCourse.end(of: stretch[0], at: 0, reading)] }
    for cycle in isWhole ? stretch[...] : stretch.dropFirst() {
      allocated += max(0, AllocationCourse.bytes(cycle.heapAtStart) - marked)
      if cycle.isForced { forced.append(allocated) }
      let begin = AllocationCourse.begin(of: cycle, at: allocated)
      if let last = places.last { places.append(AllocationCourse.between(last, begin, cycle, reading)) }
      places.append(begin)
      allocated += AllocationCourse.meanwhile(cycle)
      places.append(AllocationCourse.end(of: cycle, at: allocated, reading))
      marked = AllocationCourse.bytes(cycle.marked)
    }
  }

  private static func meanwhile(_ cycle: GoCycle) -> Double {
    Double(cycle.heapAtEnd - cycle.heapAtStart) * mebibyte
  }

  private static func begin(of cycle: GoCycle, at allocated: Double) -> Place {
    Place(
      allocated: allocated, time: cycle.start * 1e9, live: max(0, bytes(cycle.marked) - meanwhile(cycle)),
      cost: cycle.cpu * 1e6, wall: wall(cycle), pace: wall(cycle) > 0 ? meanwhile(cycle) / wall(cycle) : 0)
  }

  private static func end(of cycle: GoCycle, at allocated: Double, _ reading: Reading) -> Place {
    let dead = (1 - reading.newestAlive) * meanwhile(cycle)
    var place = begin(of: cycle, at: allocated)
    place.time += place.wall
    place.live = max(0, bytes(cycle.marked) - dead)
    return place
  }

  /// Halfway between two collections; no more can live than the second one found in the heap.
  private static func between(_ last: Place, _ next: Place, _ cycle: GoCycle, _ reading: Reading) -> Place {
    let high = max(last.live, next.live)
    let risen = high + reading.rise * abs(next.live - last.live)
    let isRise = reading.rise > 0
    return Place(
      allocated: (last.allocated + next.allocated) / 2, time: (last.time + next.time) / 2,
      live: isRise ? min(risen, max(bytes(cycle.heapAtStart), high)) : (last.live + next.live) / 2,
      cost: (last.cost + next.cost) / 2, wall: (last.wall + next.wall) / 2, pace: last.pace)
  }

  private static func wall(_ cycle: GoCycle) -> Double { (cycle.stopBefore + cycle.mark + cycle.stopAfter) * 1e6 }
}

extension AllocationCourse {
  /// Goes along a course and answers what was at a place; places asked for must not go back, so a walk is linear.
  struct Walk {
    private let places: [Place]
    private var next = 0

    init(_ course: AllocationCourse) { places = course.places }

    /// The place where so many bytes are allocated; before the first and behind the last, that one.
    mutating func place(_ allocated: Double) -> Place {
      while next < places.count, places[next].allocated < allocated { next += 1 }
      if next == 0 { return places[0] }
      if next == places.count { return places[next - 1] }
      let (before, after) = (places[next - 1], places[next])
      let part = Walk.part(before.allocated, allocated, after.allocated)
      func mixed(_ one: Double, _ other: Double) -> Double { one + part * (other - one) }
      return Place(
        allocated: allocated, time: mixed(before.time, after.time), live: mixed(before.live, after.live),
        cost: mixed(before.cost, after.cost), wall: mixed(before.wall, after.wall), pace: before.pace)
    }

    /// How much is allocated when it is so late.
    mutating func allocated(at time: Double) -> Double {
      while next < places.count, places[next].time < time { next += 1 }
      if next == 0 { return places[0].allocated }
      if next == places.count { return places[next - 1].allocated }
      let (before, after) = (places[next - 1], places[next])
      return before.allocated + Walk.part(before.time, time, after.time) * (after.allocated - before.allocated)
    }

    private static func part(_ before: Double, _ wanted: Double, _ after: Double) -> Double {
      after > before ? min(max((wanted - before) / (after - before), 0), 1) : 1
    }
  }
}
