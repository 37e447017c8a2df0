// churn is a steady live set under constant replacement. Every goroutine keeps a table of records; each operation makes a record
// of random size and puts it in a random place, where it takes over the link of the one that dies. At the end each record must
// carry its place's last stamp in every byte.
package main

import (
	"peers/measure"
	"peers/random"
)

type record struct {
	stamp    uint32
	previous *record
	bytes    []byte
}

// replacement is a record that remembers the one it replaces, but not that one's own predecessor.
func replacement(previous *record, stamp uint32, size int) *record {
	if previous != nil {
		previous.previous = nil
	}
	bytes := make([]byte, size)
	fill(bytes, byte(stamp))
	return &record{stamp, previous, bytes}
}

// fill doubles what is filled, because a loop over single bytes stays one: filling should cost as little as in other languages.
func fill(bytes []byte, with byte) {
	bytes[0] = with
	for filled := 1; filled < len(bytes); filled *= 2 {
		copy(bytes[filled:], bytes[:filled])
	}
}

type client struct {
	table  []*record
	stamps []uint32
}

func run(generator random.Generator, records, largest, operations int) client {
	each := client{make([]*record, records), make([]uint32, records)}
	for operation := range operations {
		place := generator.Below(records)
		size := 1 + generator.Below(largest)
		each.table[place] = replacement(each.table[place], uint32(operation), size)
		each.stamps[place] = uint32(operation)
	}
	return each
}

// isIntact says whether every place holds what was last put there, or nothing where nothing was.
func (each client) isIntact() bool {
	for place, stamp := range each.stamps {
		record := each.table[place]
		if record == nil {
			if stamp != 0 {
				return false
			}
			continue
		}
		if record.stamp != stamp {
			return false
		}
		for _, one := range record.bytes {
			if one != byte(stamp) {
				return false
			}
		}
	}
	return true
}

func main() {
	records := measure.Integer("records", 100_000, 1, 1<<30, "records that live, over all threads")
	largest := measure.Integer("bytes", 512, 1, 1<<20, "the largest payload; sizes are uniform from 1")
	operations := measure.Integer("operations", 5_000_000, 1, 1<<40, "replacements, over all threads")
	threads, seed := measure.Threads(1, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	share := max(1, *records / *threads)
	clients := measure.Clients(*threads, func(index int) client {
		quota := *operations / *threads
		if index < *operations%*threads {
			quota++
		}
		return run(random.ForClient(*seed, index), share, *largest, quota)
	})
	measured := meter.Stop()

	verified := true
	for _, each := range clients {
		verified = verified && each.isIntact()
	}
	measured.Print(measure.Report{
		Workload: "churn", Seed: *seed, Threads: *threads, Operations: uint64(*operations), Verified: verified,
		Result: map[string]any{"records": share * *threads, "largestBytes": *largest},
	})
}
