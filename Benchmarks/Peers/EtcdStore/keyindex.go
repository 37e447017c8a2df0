package main

// keyValue is one revision of a key. Immutable once committed, so readers, watchers and lists share it. A deletion has version 0.
type keyValue struct {
	key, value                        []byte
	created, modified, version, lease int64
}

func (pair *keyValue) isDeletion() bool { return pair.version == 0 }

// footprint is how many bytes the history is accounted with.
func (pair *keyValue) footprint() int { return len(pair.value) + 96 }

func (pair *keyValue) marshalledBytes() int {
	size := bytesField(len(pair.key)) + integerField(pair.created) + integerField(pair.modified) +
		integerField(pair.version) + integerField(pair.lease)
	if len(pair.value) > 0 {
		size += bytesField(len(pair.value))
	}
	return size
}

func (pair *keyValue) writeFields(writer *wireWriter) {
	writer.bytes(1, pair.key)
	writer.integer(2, pair.created)
	writer.integer(3, pair.modified)
	writer.integer(4, pair.version)
	writer.integer(6, pair.lease)
	if len(pair.value) > 0 {
		writer.bytes(5, pair.value)
	}
}

func (pair *keyValue) marshal() []byte {
	writer := newWireWriter(pair.marshalledBytes())
	pair.writeFields(&writer)
	return writer.buffer
}

// revisionRecord is a place in the history of a key.
type revisionRecord struct {
	main, sub int64
	pair      *keyValue
}

// generation is the life of a key from a creation to a deletion.
type generation struct {
	version, created int64
	records          []revisionRecord
}

// newestRecord at a revision, -1 when all are newer.
func (each *generation) newestRecord(revision int64) int {
	for index := len(each.records) - 1; index >= 0; index-- {
		if each.records[index].main <= revision {
			return index
		}
	}
	return -1
}

// keyIndex is the history of one key since the last compaction, after etcd's. All generations but the last end in a deletion; the
// last is empty exactly when the key does not exist now.
type keyIndex struct {
	key         []byte
	generations []generation
	modified    int64
}

// current is what the key is now, nil when it does not exist.
func (index *keyIndex) current() *keyValue {
	if len(index.generations) == 0 {
		return nil
	}
	last := &index.generations[len(index.generations)-1]
	if len(last.records) == 0 {
		return nil
	}
	return last.records[len(last.records)-1].pair
}

// at is what the key was at a revision, nil when it did not exist then.
func (index *keyIndex) at(revision int64) *keyValue {
	for place := len(index.generations) - 1; place >= 0; place-- {
		each := &index.generations[place]
		if len(each.records) == 0 || each.records[0].main > revision {
			continue
		}
		pair := each.records[each.newestRecord(revision)].pair
		if pair.isDeletion() {
			return nil
		}
		return pair
	}
	return nil
}

func (index *keyIndex) commit(pair *keyValue, main, sub int64) {
	if len(index.generations) == 0 {
		index.generations = append(index.generations, generation{})
	}
	last := &index.generations[len(index.generations)-1]
	if len(last.records) == 0 {
		last.created = main
	}
	last.records = append(last.records, revisionRecord{main, sub, pair})
	last.version++
	index.modified = main
	if pair.isDeletion() {
		index.generations = append(index.generations, generation{})
	}
}

// compact forgets what no read at the revision or later can see. It answers how many bytes that was, and whether nothing is left.
func (index *keyIndex) compact(revision int64) (dropped int, isGone bool) {
	count := len(index.generations)
	if count == 0 || count == 1 && len(index.generations[0].records) <= 1 {
		return 0, count == 0 || len(index.generations[0].records) == 0
	}
	first, record := index.oldestVisible(revision)
	for place := 0; place <= first; place++ {
		records := index.generations[place].records
		if place == first {
			records = records[:record]
		}
		for each := range records {
			dropped += records[each].pair.footprint()
		}
	}
	if dropped > 0 {
		// Copies: cutting the old slices would keep what is dropped.
		kept := append([]generation(nil), index.generations[first:]...)
		kept[0].records = append([]revisionRecord(nil), kept[0].records[record:]...)
		index.generations = kept
	}
	return dropped, len(index.generations) == 1 && len(index.generations[0].records) == 0
}

func (index *keyIndex) oldestVisible(revision int64) (place, record int) {
	last := len(index.generations) - 1
	for place := range index.generations {
		each := &index.generations[place]
		if place < last && each.records[len(each.records)-1].main <= revision {
			continue
		}
		return place, max(0, each.newestRecord(revision))
	}
	return last, 0
}
