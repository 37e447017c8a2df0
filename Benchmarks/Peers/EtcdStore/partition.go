package main

import (
	"bytes"
	"slices"

	"peers/random"
)

// One of the 64 clients: the part of the keys that only it writes, what it knows of them, and its own random numbers. What it does
// follows from the seed, its number and how many operations it has done: draw by draw what the Swift program's client does.

const partitions = 64

type shadowEntry struct {
	content           uint64
	modified, created int64
	version           int64
}

type grantedLease struct {
	id                   int64
	expiry               int
	firstEvent, endEvent int
}

const (
	leaseLifetime  = 1_500
	eventsPerLease = 50
)

type partition struct {
	id                                 int
	keys                               *keySpace
	options                            *options
	random                             random.Generator
	shadow                             map[uint64]shadowEntry
	builder                            requestBuilder
	scratch                            []byte
	clock                              int
	heartbeats, statuses, all, deleted []uint32
	granted                            []grantedLease
	nextLease, nextEvent               int
	listStart                          []byte
	listRevision                       int64
	finishedLists, listRestarts        int
	wrongAnswers                       int
	compactionIsDue                    bool
}

func newPartition(id int, seed uint64, keys *keySpace, options *options) *partition {
	return &partition{
		id: id, keys: keys, options: options, random: random.Generator(combine(seed, uint64(id))),
		shadow: map[uint64]shadowEntry{}, nextLease: 1, scratch: make([]byte, 0, 128),
	}
}

func home(hash uint64) int { return int(hash >> 32 % partitions) }

func (part *partition) own(number int) {
	part.all = append(part.all, uint32(number))
	switch part.keys.kind(number).role {
	case heartbeat:
		part.heartbeats = append(part.heartbeats, uint32(number))
	case status:
		part.statuses = append(part.statuses, uint32(number))
	}
}

// key is valid until the next.
func (part *partition) key(number uint32) []byte { return part.keys.key(int(number), part.scratch[:0]) }

func (part *partition) pick(numbers []uint32) uint32 {
	return numbers[part.random.Next()%uint64(len(numbers))]
}

func (part *partition) noteWritten(key uint64, value uint64, lease, revision int64) {
	before, known := part.shadow[key]
	entry := shadowEntry{shadowContent(value, lease), revision, revision, 1}
	if known {
		entry.version, entry.created = before.version+1, before.created
	}
	part.shadow[key] = entry
}

func (part *partition) put(key []byte, count int, lease int64, compares bool, store *store) error {
	hash := shadowHash(key)
	part.builder.begin()
	if compares {
		part.builder.compare(key, part.shadow[hash].modified)
	}
	part.builder.put(key, part.random.Next(), count, lease)
	frame := part.builder.frame()
	value := contentHash(part.builder.values[0])
	result, err := store.submit(frame)
	if err != nil {
		return err
	}
	part.compactionIsDue = result.compactionIsDue
	if result.succeeded {
		part.noteWritten(hash, value, lease, result.revision)
	} else {
		part.wrongAnswers++
	}
	return nil
}

func (part *partition) delete(key []byte, store *store) error {
	part.builder.begin()
	part.builder.delete(key)
	result, err := store.submit(part.builder.frame())
	if err != nil {
		return err
	}
	part.compactionIsDue = result.compactionIsDue
	delete(part.shadow, shadowHash(key))
	return nil
}

func (part *partition) load(start, count int, store *store) error {
	part.builder.begin()
	numbers := part.all[start:min(len(part.all), start+count)]
	hashes := make([]uint64, 0, len(numbers))
	for _, number := range numbers {
		size := part.keys.valueBytes(int(number), part.random.Next())
		key := part.key(number)
		hashes = append(hashes, shadowHash(key))
		part.builder.put(key, part.random.Next(), size, 0)
	}
	frame := part.builder.frame()
	result, err := store.submit(frame)
	if err != nil {
		return err
	}
	for place, hash := range hashes {
		part.noteWritten(hash, contentHash(part.builder.values[place]), 0, result.revision)
	}
	return nil
}

// steadyOperation is one operation of the steady mix.
func (part *partition) steadyOperation(store *store) error {
	part.clock++
	if isDone, err := part.maintainLeases(store); isDone || err != nil {
		return err
	}
	draw := part.random.Next()
	if draw%4_096 == 0 {
		return part.listPage(store, false)
	}
	if draw%100 < 20 {
		part.read(store)
		return nil
	}
	switch share := draw >> 32 % 100; {
	case share < 80 && len(part.heartbeats) > 0:
		number := part.pick(part.heartbeats)
		size := part.keys.valueBytes(int(number), part.random.Next())
		return part.put(part.key(number), size, 0, true, store)
	case share < 92 && len(part.statuses) > 0:
		return part.updateStatus(store)
	case share >= 92 && share < 97 || len(part.statuses) == 0:
		return part.createEvent(store)
	default:
		return part.deleteOrRemake(store)
	}
}

func (part *partition) burstOperation(store *store) error {
	part.clock++
	return part.put(burstKey(part.id), part.options.burstBytes, 0, false, store)
}

func (part *partition) read(store *store) {
	if len(part.all) == 0 {
		return
	}
	wanted := part.key(part.pick(part.all))
	expected, known := part.shadow[shadowHash(wanted)]
	found := store.get(wanted)
	if (found != nil) != known || known &&
		(shadowContent(contentHash(found.value), found.lease) != expected.content ||
			found.modified != expected.modified || found.version != expected.version) {
		part.wrongAnswers++
	}
}

func (part *partition) updateStatus(store *store) error {
	number := part.pick(part.statuses)
	if part.random.Next()%100 == 0 {
		if err := part.putOutdated(number, store); err != nil {
			return err
		}
	}
	size := part.keys.valueBytes(int(number), part.random.Next())
	if place := slices.Index(part.deleted, number); place >= 0 {
		part.deleted = slices.Delete(part.deleted, place, place+1)
	}
	return part.put(part.key(number), size, 0, true, store)
}

func (part *partition) putOutdated(number uint32, store *store) error {
	wanted := part.key(number)
	modified := part.shadow[shadowHash(wanted)].modified
	part.builder.begin()
	part.builder.compare(wanted, modified+1)
	part.builder.put(wanted, part.random.Next(), 100, 0)
	result, err := store.submit(part.builder.frame())
	if err == nil && (result.succeeded || result.foundModified != modified) {
		part.wrongAnswers++
	}
	return err
}

func (part *partition) deleteOrRemake(store *store) error {
	if len(part.deleted) > len(part.statuses)/32 {
		number := part.deleted[0]
		size := part.keys.valueBytes(int(number), part.random.Next())
		if err := part.put(part.key(number), size, 0, false, store); err != nil {
			return err
		}
		part.deleted = slices.Delete(part.deleted, 0, 1)
		return nil
	}
	number := part.pick(part.statuses)
	if err := part.delete(part.key(number), store); err != nil {
		return err
	}
	if !slices.Contains(part.deleted, number) {
		part.deleted = append(part.deleted, number)
	}
	return nil
}

func (part *partition) createEvent(store *store) error {
	count := len(part.granted)
	if count == 0 || part.granted[count-1].endEvent-part.granted[count-1].firstEvent >= eventsPerLease {
		id := int64(part.id+1)<<32 | int64(part.nextLease)
		store.grant(id, leaseLifetime, part.id, int64(part.clock))
		part.nextLease++
		part.granted = append(part.granted, grantedLease{id, part.clock + leaseLifetime, part.nextEvent, part.nextEvent})
	}
	newest := &part.granted[len(part.granted)-1]
	key := eventKey(part.id, part.nextEvent, part.scratch[:0])
	if err := part.put(key, part.keys.eventBytes(part.keys.meanBytes), newest.id, false, store); err != nil {
		return err
	}
	part.nextEvent++
	newest.endEvent = part.nextEvent
	return nil
}

// maintainLeases ends a lease whose time has come, or renews the newest now and then.
func (part *partition) maintainLeases(store *store) (bool, error) {
	if len(part.granted) == 0 {
		return false, nil
	}
	if part.granted[0].expiry <= part.clock {
		return true, part.endLease(store)
	}
	if part.clock%509 != 0 {
		return false, nil
	}
	newest := &part.granted[len(part.granted)-1]
	if err := store.renew(newest.id, int64(part.clock)); err != nil {
		return true, err
	}
	newest.expiry = part.clock + leaseLifetime
	return true, nil
}

func (part *partition) endLease(store *store) error {
	ended, err := store.expireOne(part.id, int64(part.clock))
	if err != nil {
		return err
	}
	place := slices.IndexFunc(part.granted, func(each grantedLease) bool {
		return each.id == ended && each.expiry <= part.clock
	})
	if place < 0 {
		part.wrongAnswers++
		part.granted = slices.Delete(part.granted, 0, 1)
		return nil
	}
	each := part.granted[place]
	part.granted = slices.Delete(part.granted, place, place+1)
	for number := each.firstEvent; number < each.endEvent; number++ {
		delete(part.shadow, shadowHash(eventKey(part.id, number, part.scratch[:0])))
	}
	return nil
}

// listPage is the next page of this client's list of the whole store.
func (part *partition) listPage(store *store, pinned bool) error {
	if pinned && part.listRevision == 0 {
		part.restartList()
	}
	revision := int64(0)
	if pinned {
		revision = part.listRevision
	}
	page, err := store.page(part.listStart, revision, part.options.page)
	if err == errCompacted {
		part.listRestarts++
		part.restartList()
		return nil
	}
	send(page)
	part.checkOrder(page)
	part.advance(page, pinned)
	return nil
}

func (part *partition) listAll(store *store) error {
	part.restartList()
	page, err := store.page(nil, 0, wholePage)
	if err != nil {
		return err
	}
	part.checkOrder(page)
	sendWhole(page)
	part.finishedLists++
	return nil
}

func (part *partition) streamAll(store *store) error {
	finished := part.finishedLists
	part.restartList()
	for part.finishedLists == finished {
		page, err := store.page(part.listStart, part.listRevision, streamedPage)
		if err == errCompacted {
			part.listRestarts++
			part.restartList()
			continue
		}
		part.checkOrder(page)
		sendWhole(page)
		part.advance(page, true)
	}
	return nil
}

func (part *partition) restartList() { part.listStart, part.listRevision = part.listStart[:0], 0 }

func (part *partition) checkOrder(page *rangeResponse) {
	before := part.listStart
	for place, pair := range page.pairs {
		if order := bytes.Compare(before, pair.key); order > 0 || place > 0 && order == 0 {
			part.wrongAnswers++
			return
		}
		before = pair.key
	}
}

func (part *partition) advance(page *rangeResponse, pinned bool) {
	if !page.hasMore {
		part.finishedLists++
		part.restartList()
		return
	}
	part.listStart = append(append(part.listStart[:0], page.pairs[len(page.pairs)-1].key...), 0)
	part.listRevision = 0
	if pinned {
		part.listRevision = page.header.revision
	}
}
