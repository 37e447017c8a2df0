package main

import (
	"container/heap"
	"errors"
	"slices"
)

var errNoLease = errors.New("there is no such lease")

// lease ends at a time on the clock of the session that granted it, and all keys on it are deleted then.
type lease struct {
	id, lifetime, expiry int64
	session, place       int
	items                map[string]struct{}
}

func (each *lease) sortedKeys() []string {
	keys := make([]string, 0, len(each.items))
	for key := range each.items {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// expiryQueue has a session's leases, the one that ends first in front.
type expiryQueue []*lease

func (queue expiryQueue) Len() int           { return len(queue) }
func (queue expiryQueue) Less(i, j int) bool { return queue[i].expiry < queue[j].expiry }
func (queue expiryQueue) Swap(i, j int) {
	queue[i], queue[j] = queue[j], queue[i]
	queue[i].place, queue[j].place = i, j
}

func (queue *expiryQueue) Push(item any) {
	each := item.(*lease)
	each.place = len(*queue)
	*queue = append(*queue, each)
}

func (queue *expiryQueue) Pop() any {
	last := len(*queue) - 1
	item := (*queue)[last]
	(*queue)[last] = nil
	*queue = (*queue)[:last]
	return item
}

type lessor struct {
	leases map[int64]*lease
	queues []expiryQueue
}

func newLessor(sessions int) lessor {
	return lessor{map[int64]*lease{}, make([]expiryQueue, sessions)}
}

func (lessor *lessor) grant(id, lifetime int64, session int, now int64) {
	each := &lease{
		id: id, lifetime: lifetime, expiry: now + lifetime, session: session, items: map[string]struct{}{},
	}
	lessor.leases[id] = each
	heap.Push(&lessor.queues[session], each)
}

func (lessor *lessor) renew(id, now int64) error {
	each := lessor.leases[id]
	if each == nil {
		return errNoLease
	}
	each.expiry = now + each.lifetime
	heap.Fix(&lessor.queues[each.session], each.place)
	return nil
}

func (lessor *lessor) remove(each *lease) {
	heap.Remove(&lessor.queues[each.session], each.place)
	delete(lessor.leases, each.id)
}

// expired is a lease of a session that has ended, nil when there is none.
func (lessor *lessor) expired(session int, now int64) *lease {
	if queue := lessor.queues[session]; len(queue) > 0 && queue[0].expiry <= now {
		return queue[0]
	}
	return nil
}
