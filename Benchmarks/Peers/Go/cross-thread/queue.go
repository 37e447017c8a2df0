package main

import "sync"

// queue of parcels with one goroutine at each end; a channel would do, but the programs of all languages wait by lock and condition.
type queue struct {
	lock    sync.Mutex
	changed *sync.Cond
	parcels [8]*message
	first   int
	count   int
}

func newQueue() *queue {
	each := &queue{}
	each.changed = sync.NewCond(&each.lock)
	return each
}

// put adds a parcel, waiting while the queue is full.
func (each *queue) put(parcel *message) {
	each.lock.Lock()
	defer each.lock.Unlock()
	for each.count == len(each.parcels) {
		each.changed.Wait()
	}
	each.parcels[(each.first+each.count)%len(each.parcels)] = parcel
	each.count++
	each.changed.Signal()
}

// take removes the oldest parcel, waiting while there is none.
func (each *queue) take() *message {
	each.lock.Lock()
	defer each.lock.Unlock()
	for each.count == 0 {
		each.changed.Wait()
	}
	parcel := each.parcels[each.first]
	each.parcels[each.first] = nil
	each.first = (each.first + 1) % len(each.parcels)
	each.count--
	each.changed.Signal()
	return parcel
}
