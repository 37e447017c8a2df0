package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A key store in the manner of etcd, values included: the Go twin of Workloads/EtcdStore, structure by structure, in the idioms
// of Go. A write goes the same way: decoded, marshalled for the replicated log, decoded again, kept, buffered, sent to watchers.

var (
	errCompacted = errors.New("the revision has been compacted")
	started      = time.Now()
)

// now on the monotonic clock.
func now() time.Duration { return time.Since(started) }

type configuration struct {
	raftRetain, sessions, streams, watchers, slowStreams int
	historyBytes                                         int
	slowDelay                                            time.Duration
}

const chunkBytes = 64 << 10

type store struct {
	configuration
	lock sync.RWMutex

	tree                keyTree
	history             revisionLog
	raft                raftLog
	buffer              writeBuffer
	leases              lessor
	hub                 watchHub
	revision, compacted int64
	historyBytesNow     int
	halfway             int64
	compactions         int
	expiredLeases       int
	slowRequests        int
	isCompacting        atomic.Bool
	requests            atomic.Int64
}

func newStore(configuration configuration) *store {
	return &store{
		configuration: configuration, revision: 1, leases: newLessor(configuration.sessions),
		raft: raftLog{entries: make([]*raftEntry, configuration.raftRetain)}, hub: newWatchHub(configuration),
	}
}

// traceStep and trace are what etcd's requests carry, looked at only when one was slow.
type traceStep struct {
	at     time.Duration
	fields []byte
	next   *traceStep
}

type trace struct {
	operation int
	began     time.Duration
	steps     *traceStep
	count     int
}

func (each *trace) step(message, field int) {
	fields := make([]byte, 24)
	binary.LittleEndian.PutUint64(fields, uint64(message))
	binary.LittleEndian.PutUint64(fields[8:], uint64(field))
	binary.LittleEndian.PutUint64(fields[16:], uint64(each.count))
	each.steps = &traceStep{now(), fields, each.steps}
	each.count++
}

const slowTrace = 100 * time.Millisecond

type responseHeader struct{ cluster, member, revision, term int64 }

type transactionResponse struct {
	header     *responseHeader
	succeeded  bool
	found      *keyValue
	marshalled []byte
}

type outcome struct {
	succeeded               bool
	revision, foundModified int64
	compactionIsDue         bool
}

// submit applies the transaction whose bytes are frame.
func (store *store) submit(frame []byte) (outcome, error) {
	trace := &trace{operation: len(frame), began: now()}
	received, err := decodeRequest(frame)
	if err != nil {
		return outcome{}, err
	}
	if err := received.checkKeys(); err != nil {
		return outcome{}, err
	}
	trace.step(0, len(received.operations))
	received.id = store.requests.Add(1)
	data := raftData(received.id, frame)
	entry := &raftEntry{data: data}
	request, err := decodeEntry(data)
	if err != nil {
		return outcome{}, err
	}
	response := &transactionResponse{header: &responseHeader{cluster: 1, member: 1, term: raftTerm}}
	trace.step(1, int(received.id))
	store.lock.Lock()
	result, err := store.apply(request, entry, response)
	store.lock.Unlock()
	if err != nil {
		return outcome{}, err
	}
	response.header.revision, response.succeeded = result.revision, result.succeeded
	if response.found == nil {
		response.marshalled = make([]byte, 32)
	} else {
		response.marshalled = response.found.marshal()
	}
	if now()-trace.began >= slowTrace {
		store.lock.Lock()
		store.slowRequests++
		store.lock.Unlock()
	}
	runtime.KeepAlive(trace)
	runtime.KeepAlive(response)
	return result, nil
}

// apply a request. The writer lock is held.
func (store *store) apply(request *request, entry *raftEntry, response *transactionResponse) (outcome, error) {
	if request.compareKey != nil {
		var found *keyValue
		if index := store.tree.find(request.compareKey); index != nil {
			found = index.current()
		}
		modified := int64(0)
		if found != nil {
			modified = found.modified
		}
		if modified != request.compareModified {
			store.raft.append(entry)
			response.found = found
			return outcome{revision: store.revision, foundModified: modified}, nil
		}
	}
	for _, each := range request.operations {
		if each.lease != 0 && store.leases.leases[each.lease] == nil {
			return outcome{}, errNoLease
		}
	}
	writes := store.prepare(request)
	at := now()
	store.raft.append(entry)
	if writes > 0 {
		store.commit(request, at)
		store.notify(request, at)
		store.buffer.flushIfDue(at)
		if store.halfway == 0 && store.historyBytesNow > store.historyBytes/2 {
			store.halfway = store.revision
		}
	}
	return outcome{
		succeeded: true, revision: store.revision, compactionIsDue: store.historyBytesNow > store.historyBytes,
	}, nil
}

func (store *store) prepare(request *request) int {
	writes := 0
	main := store.revision + 1
	for _, each := range request.operations {
		index := store.tree.find(each.key)
		if each.isDelete {
			if index == nil || index.current() == nil {
				continue
			}
			each.after = &keyValue{key: index.key, modified: main}
		} else {
			if index == nil {
				index = &keyIndex{key: each.key}
				store.tree.insert(index)
			}
			each.after = &keyValue{key: index.key, value: each.value, created: main, modified: main, version: 1, lease: each.lease}
			if before := index.current(); before != nil {
				each.after.created, each.after.version = before.created, before.version+1
			}
		}
		each.index, each.before = index, index.current()
		each.buffered = buffered(each.after, writes)
		writes++
	}
	return writes
}

// buffered is the pair as the backend would store it: 17 bytes of revision as key.
func buffered(pair *keyValue, sub int) bufferedPair {
	key := make([]byte, 17)
	binary.BigEndian.PutUint64(key, uint64(pair.modified))
	key[8] = '_'
	binary.BigEndian.PutUint64(key[9:], uint64(sub))
	return bufferedPair{key, pair.marshal()}
}

func (store *store) commit(request *request, at time.Duration) {
	main, sub := store.revision+1, int64(0)
	for _, each := range request.operations {
		if each.after == nil {
			continue
		}
		each.index.commit(each.after, main, sub)
		store.moveLease(each)
		if each.before != nil {
			store.historyBytesNow += each.before.footprint()
		}
		if each.after.isDeletion() {
			store.historyBytesNow += each.after.footprint()
		}
		store.history.append(logRecord{main, at, each.after})
		store.buffer.append(each.buffered)
		sub++
	}
	store.revision = main
}

// moveLease takes a key from the lease it hung on, and hangs it on its new one.
func (store *store) moveLease(each *operation) {
	old := int64(0)
	if each.before != nil {
		old = each.before.lease
	}
	if old == each.after.lease {
		return
	}
	if from := store.leases.leases[old]; from != nil {
		delete(from.items, string(each.after.key))
	}
	if to := store.leases.leases[each.after.lease]; to != nil {
		to.items[string(each.after.key)] = struct{}{}
	}
}

// MARK: leases

func (store *store) grant(id, lifetime int64, session int, at int64) {
	store.lock.Lock()
	defer store.lock.Unlock()
	store.leases.grant(id, lifetime, session, at)
}

func (store *store) renew(id, at int64) error {
	store.lock.Lock()
	defer store.lock.Unlock()
	return store.leases.renew(id, at)
}

// expireOne ends the lease of a session that should have ended first, and answers its number; 0 when none has.
func (store *store) expireOne(session int, at int64) (int64, error) {
	store.lock.Lock()
	defer store.lock.Unlock()
	each := store.leases.expired(session, at)
	if each == nil {
		return 0, nil
	}
	if keys := each.sortedKeys(); len(keys) > 0 {
		request := &request{}
		for _, key := range keys {
			request.operations = append(request.operations, &operation{isDelete: true, key: []byte(key)})
		}
		data := make([]byte, 16)
		binary.LittleEndian.PutUint64(data, uint64(each.id))
		if _, err := store.apply(request, &raftEntry{data: data}, nil); err != nil {
			return 0, err
		}
	}
	store.leases.remove(each)
	store.expiredLeases++
	return each.id, nil
}

// MARK: reading

type rangeRequest struct {
	key, end        []byte
	limit, revision int64
}

type rangeResponse struct {
	header  *responseHeader
	pairs   []*keyValue
	hasMore bool
}

type pageLimit struct{ keys, bytes int }

var (
	wholePage    = pageLimit{1<<63 - 1, 1<<63 - 1}
	streamedPage = pageLimit{1<<63 - 1, 1_500_000}
)

func newRangeResponse() *rangeResponse {
	return &rangeResponse{header: &responseHeader{cluster: 1, member: 1, term: raftTerm}}
}

// get is what a key is now, nil when it does not exist.
func (store *store) get(key []byte) *keyValue {
	trace := &trace{began: now()}
	request := &rangeRequest{key: clone(key), limit: 1}
	response := newRangeResponse()
	store.lock.RLock()
	response.header.revision = store.revision
	var found *keyValue
	if index := store.tree.find(request.key); index != nil {
		found = index.current()
	}
	store.lock.RUnlock()
	if found == nil {
		return nil
	}
	response.pairs = append(response.pairs, found)
	trace.step(7, int(found.modified))
	marshalled := found.marshal()
	runtime.KeepAlive(trace)
	runtime.KeepAlive(request)
	runtime.KeepAlive(response)
	runtime.KeepAlive(marshalled)
	return found
}

// page of the keys from start on, at a revision (0: now).
func (store *store) page(start []byte, revision int64, limit pageLimit) (*rangeResponse, error) {
	trace := &trace{operation: 1, began: now()}
	response := newRangeResponse()
	store.lock.RLock()
	if revision != 0 && revision < store.compacted {
		store.lock.RUnlock()
		return nil, errCompacted
	}
	if revision == 0 {
		revision = store.revision
	}
	response.header.revision = revision
	size := 0
	store.tree.ascend(start, func(index *keyIndex) bool {
		pair := index.at(revision)
		if pair == nil {
			return true
		}
		own := len(pair.key) + len(pair.value)
		if len(response.pairs) > 0 && (len(response.pairs) >= limit.keys || size+own > limit.bytes) {
			response.hasMore = true
			return false
		}
		size += own
		response.pairs = append(response.pairs, pair)
		return true
	})
	store.lock.RUnlock()
	trace.step(8, len(response.pairs))
	runtime.KeepAlive(trace)
	return response, nil
}

// sendWhole sends a page as one message, made in one buffer.
func sendWhole(page *rangeResponse) uint64 {
	size := 0
	for _, pair := range page.pairs {
		size += bytesField(pair.marshalledBytes())
	}
	writer := newWireWriter(size)
	sum := uint64(0)
	for _, pair := range page.pairs {
		from := len(writer.buffer)
		writer.nested(2, pair.marshalledBytes())
		pair.writeFields(&writer)
		sum = combine(sum, contentHash(writer.buffer[from:]))
	}
	return sum
}

// marshaller sends pairs through a buffer of fixed size; what is full is counted and summed.
type marshaller struct {
	chunk     []byte
	isFresh   bool // whether a buffer that was sent is not used again
	sentBytes int
	sum       uint64
}

func newMarshaller(size int, isFresh bool) *marshaller {
	return &marshaller{chunk: make([]byte, 0, size), isFresh: isFresh}
}

func (marshaller *marshaller) append(pair *keyValue) {
	marshaller.copy(pair.key)
	var words [32]byte
	for place, number := range [...]int64{pair.created, pair.modified, pair.version, pair.lease} {
		binary.LittleEndian.PutUint64(words[8*place:], uint64(number))
	}
	marshaller.copy(words[:])
	marshaller.copy(pair.value)
}

func (marshaller *marshaller) copy(content []byte) {
	for len(content) > 0 {
		if len(marshaller.chunk) == cap(marshaller.chunk) {
			marshaller.send()
		}
		part := min(len(content), cap(marshaller.chunk)-len(marshaller.chunk))
		marshaller.chunk = append(marshaller.chunk, content[:part]...)
		content = content[part:]
	}
}

func (marshaller *marshaller) send() {
	marshaller.sum = combine(marshaller.sum, contentHash(marshaller.chunk))
	marshaller.sentBytes += len(marshaller.chunk)
	if marshaller.isFresh {
		marshaller.chunk = make([]byte, 0, cap(marshaller.chunk))
	} else {
		marshaller.chunk = marshaller.chunk[:0]
	}
}

func send(page *rangeResponse) {
	marshaller := newMarshaller(chunkBytes, false)
	for _, pair := range page.pairs {
		marshaller.append(pair)
	}
	marshaller.send()
}

const (
	snapshotMessage = 32 << 10
	keysPerTurn     = 256
)

// sendSnapshot sends everything there is now in fresh buffers, and answers how many keys did not come after the one before.
func (store *store) sendSnapshot() int {
	for store.isCompacting.Swap(true) {
		time.Sleep(time.Millisecond)
	}
	defer store.isCompacting.Store(false)
	store.lock.Lock()
	tree, revision := store.tree.snapshot(), store.revision
	store.lock.Unlock()
	marshaller, misordered := newMarshaller(snapshotMessage, true), 0
	turn := make([]*keyValue, 0, keysPerTurn)
	var last *keyValue
	var next []byte
	for {
		turn = turn[:0]
		store.lock.RLock()
		tree.ascend(next, func(index *keyIndex) bool {
			if pair := index.at(revision); pair != nil {
				turn = append(turn, pair)
			}
			return len(turn) < keysPerTurn
		})
		store.lock.RUnlock()
		for _, pair := range turn {
			if last != nil && bytes.Compare(last.key, pair.key) >= 0 {
				misordered++
			}
			marshaller.append(pair)
			last = pair
		}
		if len(turn) < keysPerTurn {
			break
		}
		next = append(append(next[:0], last.key...), 0)
	}
	marshaller.send()
	return misordered
}

// MARK: compaction

// compactHistory compacts the older half of the history if it has grown too large.
func (store *store) compactHistory() bool {
	store.lock.Lock()
	if store.historyBytesNow <= store.historyBytes || store.isCompacting.Load() {
		store.lock.Unlock()
		return false
	}
	target := store.halfway
	store.halfway = store.revision
	if target <= store.compacted {
		target = store.revision
	}
	store.lock.Unlock()
	return store.compact(target)
}

func (store *store) compactAll() bool {
	store.lock.Lock()
	store.halfway = 0
	target, compacted := store.revision, store.compacted
	store.lock.Unlock()
	return target > compacted && store.compact(target)
}

// compact forgets what no read at a revision or later can see; false when another goroutine compacts.
func (store *store) compact(revision int64) bool {
	if store.isCompacting.Swap(true) {
		return false
	}
	defer store.isCompacting.Store(false)
	store.lock.Lock()
	if revision <= store.compacted {
		store.lock.Unlock()
		return false
	}
	tree := store.tree.snapshot()
	store.compacted = revision
	store.lock.Unlock()
	turn := make([]*keyIndex, 0, keysPerTurn)
	compactTurn := func() {
		store.lock.Lock()
		for _, index := range turn {
			dropped, isGone := index.compact(revision)
			store.historyBytesNow -= dropped
			if isGone {
				store.tree.remove(index.key)
			}
		}
		store.lock.Unlock()
		turn = turn[:0]
	}
	tree.ascend(nil, func(index *keyIndex) bool {
		turn = append(turn, index)
		if len(turn) == keysPerTurn {
			compactTurn()
		}
		return true
	})
	compactTurn()
	store.lock.Lock()
	store.history.trim(revision)
	store.compactions++
	store.lock.Unlock()
	return true
}
