// The card table: which 2 KiB of the heap have had a reference stored into them since a cycle last looked. Young cycles scan what is
// old and lies on a dirty card (YoungCycle.swift). Source: Wilson and Moher (OOPSLA 1989); Hölzle (1993) for the byte a card.
//
// A byte is nonzero when its card is dirty. Mutators dirty cards, the collector thread cleans them, both by plain byte stores; why
// none is lost is a matter of when, and told in YoungCycle.swift.

import CTricolorShims

extension AddressMap {
  /// Dirties the card of a slot; a slot outside the managed range has none. Cost: a compare, a load and, on the first store since the
  /// card was cleaned, a store: cards that are dirty already are not written, so that threads do not fight for the table's lines.
  @inline(__always) func dirty(_ slot: UInt) {
    guard contains(slot), !Mutation.cardNotDirtied.isOn else { return }
    let card = cards + Int((slot &- base) >> Geometry.cardShift)
    if tricolor_load_byte(card) == 0 { tricolor_store_byte(card, 1) }
  }

  /// Dirties the cards of [start, end), which is not empty.
  func dirty(from start: UInt, to end: UInt) {
    let first = Int((start &- base) >> Geometry.cardShift)
    let last = Int((end &- 1 &- base) >> Geometry.cardShift)
    for card in first...last { tricolor_store_byte(cards + card, 1) }
  }

  /// Whether any card of `block` is dirty. One load: a block's cards are a word.
  @inline(__always) func hasDirtyCards(_ block: Int) -> Bool {
    tricolor_load_word(UInt(bitPattern: cards + block * Geometry.cardsPerBlock)) != 0
  }

  /// Cleans all cards of `block`.
  @inline(__always) func cleanCards(_ block: Int) {
    tricolor_store_word(UInt(bitPattern: cards + block * Geometry.cardsPerBlock), 0)
  }

  /// Cleans card `card`; whether it was dirty.
  func clean(_ card: Int) -> Bool {
    if tricolor_load_byte(cards + card) == 0 { return false }
    tricolor_store_byte(cards + card, 0)
    return true
  }
}
