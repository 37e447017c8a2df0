package main

import "time"

// What holds writes beside the index: the replicated log's entries, the batch for the backend, and the log of revisions.

const raftTerm = 2

type raftEntry struct {
	index, term int64
	data        []byte
}

// raftLog is a ring of the entries kept for followers that lag.
type raftLog struct {
	entries   []*raftEntry
	lastIndex int64
}

func (log *raftLog) append(entry *raftEntry) {
	log.lastIndex++
	entry.index, entry.term = log.lastIndex, raftTerm
	log.entries[log.lastIndex%int64(len(log.entries))] = entry
}

func (log *raftLog) retained() int { return int(min(log.lastIndex, int64(len(log.entries)))) }

// bufferedPair is a write as the backend gets it: the revision's key bytes and the marshalled pair.
type bufferedPair struct{ key, value []byte }

// writeBuffer has what was written since the last batch; a flush forgets it.
type writeBuffer struct {
	pairs     []bufferedPair
	bytes     int
	flushedAt time.Duration
	batches   int
}

const (
	bufferCapacity = 512
	bufferPairs    = 2_000
	bufferBytes    = 4 << 20
	bufferAge      = 100 * time.Millisecond
)

func (buffer *writeBuffer) append(pair bufferedPair) {
	if buffer.pairs == nil {
		buffer.pairs = make([]bufferedPair, 0, bufferCapacity)
	}
	buffer.pairs = append(buffer.pairs, pair)
	buffer.bytes += len(pair.value)
}

func (buffer *writeBuffer) flushIfDue(now time.Duration) {
	if len(buffer.pairs) < bufferPairs && buffer.bytes < bufferBytes && now-buffer.flushedAt < bufferAge {
		return
	}
	buffer.batches++
	buffer.flushedAt = now
	buffer.pairs, buffer.bytes = nil, 0
}

// logRecord is one write since the last compaction: what a watcher that fell behind reads again.
type logRecord struct {
	main int64
	at   time.Duration
	pair *keyValue
}

const chunkRecords = 256

type logChunk struct {
	records []logRecord
	next    *logChunk
}

func (chunk *logChunk) lastMain() int64 { return chunk.records[len(chunk.records)-1].main }

// revisionLog is a chain of chunks in order of revision.
type revisionLog struct{ head, tail *logChunk }

func (log *revisionLog) append(record logRecord) {
	if log.tail == nil || len(log.tail.records) == cap(log.tail.records) {
		chunk := &logChunk{records: make([]logRecord, 0, chunkRecords)}
		if log.tail == nil {
			log.head = chunk
		} else {
			log.tail.next = chunk
		}
		log.tail = chunk
	}
	log.tail.records = append(log.tail.records, record)
}

// forEach visits the records from a revision on, until visit answers false.
func (log *revisionLog) forEach(first int64, visit func(*logRecord) bool) {
	for chunk := log.head; chunk != nil; chunk = chunk.next {
		if chunk.lastMain() < first {
			continue
		}
		for place := range chunk.records {
			if record := &chunk.records[place]; record.main >= first && !visit(record) {
				return
			}
		}
	}
}

// trim drops the chunks that hold nothing after a revision.
func (log *revisionLog) trim(revision int64) {
	for log.head != nil && log.head.lastMain() <= revision {
		log.head = log.head.next
	}
	if log.head == nil {
		log.tail = nil
	}
}
