package main

import (
	"bytes"
	"sync/atomic"
	"time"
)

// Watching, after etcd: a commit goes to every synced watcher at once; one whose stream has no room becomes a victim with that
// response kept; when room comes back it is unsynced and is served from the log until it has caught up; one so late that the log
// was compacted is cancelled and begins anew.

type watcherState int

const (
	synced watcherState = iota
	unsynced
	victim
	cancelled
)

const (
	queueCapacity  = 128
	victimInterval = 10 * time.Millisecond
	syncInterval   = 100 * time.Millisecond
	recordsPerSync = 1_000
	idleWait       = 2 * time.Millisecond
)

type watcher struct {
	state           watcherState
	minimum         int64 // the first revision it has not been sent
	stream          *watchStream
	watched         *watchRange
	pending         *watchResponse // its stream had no room for it
	base, delivered int            // the range's count when it began, and what it has been sent since
	lastMain        int64
}

// watchRange has all watchers of one range of keys; end is nil for a single key.
type watchRange struct {
	start, end []byte
	watchers   []*watcher
	events     int
}

func (each *watchRange) holds(key []byte) bool {
	if each.end == nil {
		return bytes.Equal(each.start, key)
	}
	return bytes.Compare(each.start, key) <= 0 && bytes.Compare(key, each.end) < 0
}

type watchStream struct {
	queue   chan *watchResponse
	delay   time.Duration // over an event, 0 for a client that keeps up
	readyAt time.Duration
}

type event struct{ pair, previous *keyValue }

type watchResponse struct {
	watcher        *watcher
	events         []*event
	committedAt    time.Duration
	isCancellation bool
}

type watchHub struct {
	streams       []*watchStream
	watchers      []*watcher
	ranges        []*watchRange
	single        map[string]*watchRange
	behind        int // victims or unsynced
	victims       int
	cancellations int
	announced     chan struct{} // something was queued
}

func newWatchHub(configuration configuration) watchHub {
	hub := watchHub{single: map[string]*watchRange{}, announced: make(chan struct{}, 1)}
	for id := range configuration.streams {
		stream := &watchStream{queue: make(chan *watchResponse, queueCapacity)}
		if id < configuration.slowStreams {
			stream.delay = configuration.slowDelay
		}
		hub.streams = append(hub.streams, stream)
	}
	return hub
}

func (hub *watchHub) announce() {
	select {
	case hub.announced <- struct{}{}:
	default:
	}
}

// watch adds a watcher of the keys from start up to end (nil: start alone), from the next write on.
func (store *store) watch(start, end []byte, stream int) {
	store.lock.Lock()
	defer store.lock.Unlock()
	hub := &store.hub
	watched := hub.find(start, end)
	each := &watcher{minimum: store.revision + 1, stream: hub.streams[stream], watched: watched, base: watched.events}
	watched.watchers = append(watched.watchers, each)
	hub.watchers = append(hub.watchers, each)
}

func (hub *watchHub) find(start, end []byte) *watchRange {
	if end == nil {
		if hub.single[string(start)] == nil {
			hub.single[string(start)] = &watchRange{start: clone(start)}
		}
		return hub.single[string(start)]
	}
	for _, each := range hub.ranges {
		if bytes.Equal(each.start, start) && bytes.Equal(each.end, end) {
			return each
		}
	}
	hub.ranges = append(hub.ranges, &watchRange{start: clone(start), end: clone(end)})
	return hub.ranges[len(hub.ranges)-1]
}

func (hub *watchHub) forEachRange(key []byte, visit func(*watchRange)) {
	if each := hub.single[string(key)]; each != nil {
		visit(each)
	}
	for _, each := range hub.ranges {
		if each.holds(key) {
			visit(each)
		}
	}
}

// collect adds a change to the response of every watcher in a state that watches its key and wants its revision.
func (hub *watchHub) collect(
	pair, previous *keyValue, at time.Duration, state watcherState, after int64, batches map[*watcher]*watchResponse,
) {
	var shared *event
	hub.forEachRange(pair.key, func(watched *watchRange) {
		for _, each := range watched.watchers {
			if each.state != state || each.minimum > pair.modified || each.minimum <= after {
				continue
			}
			if shared == nil {
				shared = &event{pair, previous}
			}
			batch := batches[each]
			if batch == nil {
				batch = &watchResponse{watcher: each, committedAt: at}
				batches[each] = batch
			}
			batch.events = append(batch.events, shared)
		}
	})
}

// enqueue every response: each watcher has been sent everything through a revision then, or is a victim.
func (hub *watchHub) enqueue(batches map[*watcher]*watchResponse, through int64) {
	for each, batch := range batches {
		each.minimum = through + 1
		select {
		case each.stream.queue <- batch:
		default:
			if each.state == synced {
				hub.behind++
			}
			each.state, each.pending = victim, batch
			hub.victims++
		}
	}
}

// notify tells watchers of what a request has written. The writer lock is held.
func (store *store) notify(request *request, at time.Duration) {
	hub := &store.hub
	if len(hub.watchers) == 0 {
		return
	}
	batches := map[*watcher]*watchResponse{}
	for _, each := range request.operations {
		if each.after == nil {
			continue
		}
		hub.forEachRange(each.after.key, func(watched *watchRange) { watched.events++ })
		hub.collect(each.after, each.before, at, synced, 0, batches)
	}
	if len(batches) > 0 {
		hub.enqueue(batches, store.revision)
		hub.announce()
	}
}

// retryVictims gives victims their last response again where their streams have room.
func (store *store) retryVictims() {
	store.lock.RLock()
	defer store.lock.RUnlock()
	if store.hub.behind == 0 {
		return
	}
	for _, each := range store.hub.watchers {
		if each.state != victim {
			continue
		}
		select {
		case each.stream.queue <- each.pending:
			each.pending, each.state = nil, unsynced
		default:
		}
	}
}

// serveUnsynced serves watchers that fell behind from the log.
func (store *store) serveUnsynced() {
	store.lock.RLock()
	defer store.lock.RUnlock()
	hub := &store.hub
	if hub.behind == 0 {
		return
	}
	hub.cancelCompacted(store.compacted)
	first := int64(-1)
	for _, each := range hub.watchers {
		if each.state == unsynced && each.minimum > store.compacted && (first < 0 || each.minimum < first) {
			first = each.minimum
		}
	}
	if first < 0 {
		return
	}
	batches := map[*watcher]*watchResponse{}
	seen, reached, isCut := 0, first-1, false
	store.history.forEach(first, func(record *logRecord) bool {
		if seen >= recordsPerSync && record.main != reached {
			isCut = true
			return false
		}
		seen++
		reached = record.main
		var previous *keyValue
		if index := store.tree.find(record.pair.key); index != nil {
			previous = index.at(record.main - 1)
		}
		hub.collect(record.pair, previous, record.at, unsynced, store.compacted, batches)
		return true
	})
	if !isCut {
		reached = store.revision
	}
	hub.enqueue(batches, reached)
	for _, each := range hub.watchers {
		if each.state != unsynced || each.minimum <= store.compacted {
			continue
		}
		each.minimum = max(each.minimum, reached+1)
		if reached >= store.revision {
			each.state = synced
			hub.behind--
		}
	}
}

func (hub *watchHub) cancelCompacted(compacted int64) {
	for _, each := range hub.watchers {
		if each.state != unsynced || each.minimum > compacted {
			continue
		}
		select {
		case each.stream.queue <- &watchResponse{watcher: each, isCancellation: true}:
			each.state = cancelled
			hub.behind--
			hub.cancellations++
		default:
		}
	}
}

func (store *store) watchAgain(each *watcher) {
	store.lock.Lock()
	defer store.lock.Unlock()
	each.minimum, each.state = store.revision+1, synced
	each.base, each.delivered = each.watched.events, 0
}

func (store *store) hasUndelivered() bool {
	store.lock.RLock()
	defer store.lock.RUnlock()
	for _, stream := range store.hub.streams {
		if len(stream.queue) > 0 {
			return true
		}
	}
	return store.hub.behind > 0
}

// sender is the clients' ends of all streams: it marshals each response for its watcher and checks the order of what arrives.
type sender struct {
	store              *store
	next               int
	victimsAt, syncAt  time.Duration
	events, misordered int
	bytes              int
	stops              atomic.Bool
	latency            func(time.Duration)
}

func (sender *sender) run() {
	timer := time.NewTimer(idleWait)
	for !sender.stops.Load() {
		sender.catchUp(false)
		if sender.deliverOne(false) {
			continue
		}
		timer.Reset(idleWait)
		select {
		case <-sender.store.hub.announced:
		case <-timer.C:
		}
	}
}

// drain delivers everything there is, however slow the clients are.
func (sender *sender) drain() {
	for sender.store.hasUndelivered() {
		for sender.deliverOne(true) {
		}
		sender.catchUp(true)
	}
}

func (sender *sender) catchUp(hurry bool) {
	at := now()
	if hurry || at-sender.victimsAt >= victimInterval {
		sender.victimsAt = at
		sender.store.retryVictims()
	}
	if hurry || at-sender.syncAt >= syncInterval {
		sender.syncAt = at
		sender.store.serveUnsynced()
	}
}

func (sender *sender) deliverOne(ignoresDelays bool) bool {
	response := sender.take(ignoresDelays)
	if response == nil {
		return false
	}
	if response.isCancellation {
		sender.store.watchAgain(response.watcher)
		return true
	}
	sender.check(response)
	sender.marshal(response)
	sender.events += len(response.events)
	if sender.latency != nil {
		sender.latency(now() - response.committedAt)
	}
	return true
}

func (sender *sender) take(ignoresDelays bool) *watchResponse {
	at, streams := now(), sender.store.hub.streams
	for range streams {
		stream := streams[sender.next]
		sender.next = (sender.next + 1) % len(streams)
		if stream.readyAt > at && !ignoresDelays {
			continue
		}
		select {
		case response := <-stream.queue:
			stream.readyAt = at + stream.delay*time.Duration(max(1, len(response.events)))
			return response
		default:
		}
	}
	return nil
}

func (sender *sender) check(response *watchResponse) {
	each := response.watcher
	for place, event := range response.events {
		main := event.pair.modified
		if main < each.lastMain || place == 0 && main == each.lastMain {
			sender.misordered++
		}
		each.lastMain = main
	}
	each.delivered += len(response.events)
}

// marshal makes the response's bytes, in fragments of some size.
func (sender *sender) marshal(response *watchResponse) {
	for first := 0; first < len(response.events); {
		size, end := 0, first
		for end < len(response.events) && (end == first || size < chunkBytes) {
			size += bytesField(response.events[end].pair.marshalledBytes())
			end++
		}
		writer := newWireWriter(size)
		for _, event := range response.events[first:end] {
			writer.nested(1, event.pair.marshalledBytes())
			event.pair.writeFields(&writer)
		}
		sender.bytes += len(writer.buffer)
		first = end
	}
}
