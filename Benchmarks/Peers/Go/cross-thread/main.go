// cross-thread allocates on one thread what another one drops. Goroutines form pairs: a maker builds parcels, linked lists of messages
// with a payload each, and a taker walks them, keeps the last few and lets the oldest go. Numbers and payloads follow from a
// message's place in its pair's stream, so the taker knows that it got every parcel whole and in order. The time of an operation
// is the maker's, of building one parcel.
package main

import (
	"encoding/binary"
	"peers/measure"
	"peers/random"
	"time"
)

// keep is how many parcels a taker keeps alive.
const keep = 4

type message struct {
	next    *message
	number  uint64
	payload []byte
}

// hash is the generator's first number for the seed number: every bit of that reaches every bit of the payload's word.
func hash(number uint64) uint64 {
	generator := random.Generator(number)
	return generator.Next()
}

// sizes are the options.
type sizes struct{ parcels, messages, bytes int }

// build makes a list of messages with the numbers from first on, the first at its head.
func (sizes sizes) build(first uint64) *message {
	var head *message
	for number := first + uint64(sizes.messages); number > first; number-- {
		payload := make([]byte, sizes.bytes)
		binary.LittleEndian.PutUint64(payload, hash(number-1))
		head = &message{head, number - 1, payload}
	}
	return head
}

// walk says whether the list is what build(first) makes, and sums the hashes in its payloads.
func (sizes sizes) walk(parcel *message, first uint64) (isIntact bool, sum uint64) {
	isIntact = true
	number := first
	for ; parcel != nil; parcel = parcel.next {
		word := binary.LittleEndian.Uint64(parcel.payload)
		isIntact = isIntact && parcel.number == number && word == hash(number) && len(parcel.payload) == sizes.bytes
		sum += word
		number++
	}
	return isIntact && number == first+uint64(sizes.messages), sum
}

// firstNumber of a parcel: each pair numbers its messages in order of making, from where the pair before ends.
func (sizes sizes) firstNumber(pair, parcel int) uint64 {
	return uint64((pair*sizes.parcels + parcel) * sizes.messages)
}

// client is what one goroutine leaves: a maker its durations, a taker the rest.
type client struct {
	durations measure.Histogram
	kept      [keep]*message
	isIntact  bool
	check     uint64
}

func (sizes sizes) make(queue *queue, pair int) *client {
	each := &client{isIntact: true}
	for parcel := range sizes.parcels {
		began := time.Now()
		list := sizes.build(sizes.firstNumber(pair, parcel))
		each.durations.Record(uint64(time.Since(began)))
		queue.put(list)
	}
	return each
}

func (sizes sizes) take(queue *queue, pair int) *client {
	each := &client{isIntact: true}
	for parcel := range sizes.parcels {
		list := queue.take()
		isIntact, sum := sizes.walk(list, sizes.firstNumber(pair, parcel))
		each.isIntact = each.isIntact && isIntact
		each.check += sum
		each.kept[parcel%keep] = list
	}
	return each
}

// keptIsIntact walks the parcels that a taker still keeps.
func (sizes sizes) keptIsIntact(taker *client, pair int) bool {
	for parcel := max(0, sizes.parcels-keep); parcel < sizes.parcels; parcel++ {
		if isIntact, _ := sizes.walk(taker.kept[parcel%keep], sizes.firstNumber(pair, parcel)); !isIntact {
			return false
		}
	}
	return true
}

func main() {
	parcels := measure.Integer("parcels", 2000, 1, 1<<30, "parcels built by each pair of threads")
	messages := measure.Integer("messages", 1000, 1, 1<<24, "messages in a parcel")
	bytes := measure.Integer("bytes", 64, 8, 1<<20, "bytes of a message's payload")
	threads, seed := measure.Threads(2, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	sizes, pairs := sizes{*parcels, *messages, *bytes}, *threads/2
	queues := make([]*queue, pairs)
	for pair := range queues {
		queues[pair] = newQueue()
	}
	clients := measure.Clients(*threads, func(index int) *client {
		if pair := index / 2; index%2 == 0 {
			return sizes.make(queues[pair], pair)
		} else {
			return sizes.take(queues[pair], pair)
		}
	})
	measured := meter.Stop()

	verified, check := true, uint64(0)
	var durations measure.Histogram
	for pair := range pairs {
		maker, taker := clients[2*pair], clients[2*pair+1]
		durations.Add(&maker.durations)
		verified = verified && taker.isIntact && sizes.keptIsIntact(taker, pair)
		check += taker.check
	}
	percentiles := durations.Percentiles()
	measured.Print(measure.Report{
		Workload: "cross-thread", Seed: *seed, Threads: *threads, Operations: uint64(*parcels * pairs),
		OperationNanoseconds: &percentiles, Verified: verified,
		Result: map[string]any{"parcels": *parcels * pairs, "messages": *messages, "bytes": *bytes, "check": check},
	})
}
