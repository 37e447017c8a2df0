// The regions of a share in the order of their start keys: a B-tree of two levels, pages of up to 64 regions under one directory. A key is
// found by two binary searches that read keys of objects all over the heap, as PD's own tree does.
//
// Invariant: pages in the directory's first `pages` slots are not empty; a page's first `count` slots hold regions in order, the others nil.
// A page that splits and merges leave nearly empty is not joined to its neighbour.

import Tricolor

struct RegionPage: Managed {
  static let slot = TypeSlot()
  static let capacity = 64
  var count = 0
  var regions = InlineArray<64, Reference<Region>?>(repeating: nil)
}

struct RegionTree: Managed {
  static let slot = TypeSlot()
  var pages = 0
  var count = 0
  var directory: Reference<ReferenceArray<RegionPage>>?

  static func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<RegionTree> {
    try mutator.make(RegionTree(directory: try mutator.makeArray(of: RegionPage.self, count: 16)))
  }
}

/// Where a region stands in a tree, until the tree's shape changes.
struct TreePlace: Equatable {
  var page: Int
  var slot: Int
}

extension Reference where Target == RegionTree {
  subscript(place: TreePlace) -> Reference<Region>? {
    get { self.directory![place.page]!.regions[place.slot] }
    nonmutating set { self.directory![place.page]!.regions[place.slot] = newValue }
  }

  /// The place of the region with the last start key that is not after `key`; nil in an empty tree, or for a key before all.
  func place(of key: UnsafeRawBufferPointer) -> TreePlace? {
    let directory = self.directory!
    let page = Self.last(self.pages) { !directory[$0]!.regions[0]!.startKey!.isAfter(key) }
    guard let page else { return nil }
    let regions = directory[page]!
    return Self.last(regions.count) { !regions.regions[$0]!.startKey!.isAfter(key) }.map {
      TreePlace(page: page, slot: $0)
    }
  }

  /// The place after `place`, nil at the end.
  func next(_ place: TreePlace) -> TreePlace? {
    if place.slot + 1 < self.directory![place.page]!.count { return TreePlace(page: place.page, slot: place.slot + 1) }
    return place.page + 1 < self.pages ? TreePlace(page: place.page + 1, slot: 0) : nil
  }

  /// Puts `region`, whose key must belong there, after `place`, as the first for nil; where it stands then.
  @discardableResult
  func insert(
    _ region: Reference<Region>, after place: TreePlace?, _ mutator: Mutator
  ) throws(OutOfMemory) -> TreePlace {
    var target = place.map { TreePlace(page: $0.page, slot: $0.slot + 1) } ?? TreePlace(page: 0, slot: 0)
    if self.pages == 0 {
      try insertPage(try mutator.make(RegionPage()), at: 0, mutator)
    } else if self.directory![target.page]!.count == RegionPage.capacity {
      target = try makeRoom(at: target, mutator)
    }
    let page = self.directory![target.page]!
    for moved in stride(from: page.count, to: target.slot, by: -1) { page.regions[moved] = page.regions[moved - 1] }
    page.regions[target.slot] = region
    page.count += 1
    self.count += 1
    return target
  }

  /// Takes out the region at `place`.
  func remove(_ place: TreePlace) {
    let page = self.directory![place.page]!
    for moved in place.slot..<page.count - 1 { page.regions[moved] = page.regions[moved + 1] }
    page.count -= 1
    page.regions[page.count] = nil
    self.count -= 1
    if page.count > 0 { return }
    let directory = self.directory!
    for moved in place.page..<self.pages - 1 { directory[moved] = directory[moved + 1] }
    self.pages -= 1
    directory[self.pages] = nil
  }

  /// The place for what does not fit at `place`, in a full page: its upper half moves to a new page after it. Behind the last region the new
  /// page is empty, so that pages filled in order are full.
  private func makeRoom(at place: TreePlace, _ mutator: Mutator) throws(OutOfMemory) -> TreePlace {
    let right = try mutator.make(RegionPage())
    let page = self.directory![place.page]!
    let kept = place.slot == RegionPage.capacity ? RegionPage.capacity : RegionPage.capacity / 2
    for moved in kept..<page.count {
      right.regions[moved - kept] = page.regions[moved]
      page.regions[moved] = nil
    }
    right.count = page.count - kept
    page.count = kept
    try insertPage(right, at: place.page + 1, mutator)
    let isRight = place.slot > kept || kept == RegionPage.capacity
    return isRight ? TreePlace(page: place.page + 1, slot: place.slot - kept) : place
  }

  private func insertPage(_ page: Reference<RegionPage>, at number: Int, _ mutator: Mutator) throws(OutOfMemory) {
    var directory = self.directory!
    if self.pages == directory.count {
      let larger = try mutator.makeArray(of: RegionPage.self, count: 2 * directory.count)
      for moved in 0..<self.pages { larger[moved] = directory[moved] }
      self.directory = larger
      directory = larger
    }
    for moved in stride(from: self.pages, to: number, by: -1) { directory[moved] = directory[moved - 1] }
    directory[number] = page
    self.pages += 1
  }

  /// The last of `count` places for which `holds`, which holds up to some place and not after it; nil where it holds nowhere.
  private static func last(_ count: Int, where holds: (Int) -> Bool) -> Int? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if holds(middle) { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? low - 1 : nil
  }
}
