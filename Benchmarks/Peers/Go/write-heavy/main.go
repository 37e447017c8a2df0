// write-heavy does little but store references. Every goroutine has a table of nodes with four slots each; a write lets a random slot
// of a random node refer to another one, and every eighth replaces a node by a new one with the old one's slots. A replaced node lives
// on for as long as slots refer to it, and keeps the slots it had; so what lives grows with the writes. Slots and nodes
// are chosen by the seed alone: the sum over table and slots at the end is the same in every language.
package main

import (
	"peers/measure"
	"peers/random"
	"time"
)

// batch is the writes in an operation: one takes less time than a look at the clock.
const batch = 1000

type node struct {
	slots      [4]*node
	number     uint64
	complement uint64
}

func newNode(slots [4]*node, number int) *node { return &node{slots, uint64(number), ^uint64(number)} }

type client struct {
	table     []*node
	durations measure.Histogram
}

// newClient has a table of linked nodes, the same in every language.
func newClient(count int) *client {
	table := make([]*node, count)
	for number := range table {
		table[number] = newNode([4]*node{}, number)
	}
	for number, each := range table {
		for slot := range each.slots {
			each.slots[slot] = table[(number*4+slot+1)%count]
		}
	}
	return &client{table: table}
}

func (each *client) write(generator random.Generator, share int) {
	for done := 0; done < share; {
		end := min(done+batch, share)
		began := time.Now()
		writeBatch(each.table, &generator, done, end)
		each.durations.Record(uint64(time.Since(began)))
		done = end
	}
}

func writeBatch(table []*node, generator *random.Generator, first, end int) {
	for number := first; number < end; number++ {
		place, other := generator.Below(len(table)), generator.Below(len(table))
		if number%8 == 7 {
			table[place] = newNode(table[place].slots, len(table)+number)
		} else {
			table[place].slots[number&3] = table[other]
		}
	}
}

// check says whether every node of the table, and every node that one refers to, holds what it was made with, and sums over all.
func (each *client) check() (isIntact bool, sum uint64) {
	isIntact = true
	for _, node := range each.table {
		isIntact = isIntact && node.complement == ^node.number
		sum += node.number * 31
		for _, other := range node.slots {
			isIntact = isIntact && other.complement == ^other.number
			sum += other.number
		}
	}
	return isIntact, sum
}

func main() {
	nodes := measure.Integer("nodes", 500_000, 1, 1<<30, "nodes of 48 bytes in the tables of all threads")
	writes := measure.Integer("writes", 20_000_000, 1, 1<<40, "stores, over all threads")
	threads, seed := measure.Threads(1, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	share := max(1, *nodes / *threads)
	clients := measure.Clients(*threads, func(index int) *client {
		each := newClient(share)
		each.write(random.ForClient(*seed, index), measure.Share(*writes, index, *threads))
		return each
	})
	measured := meter.Stop()

	verified, check := true, uint64(0)
	var durations measure.Histogram
	for _, each := range clients {
		isIntact, sum := each.check()
		verified = verified && isIntact
		check += sum
		durations.Add(&each.durations)
	}
	percentiles := durations.Percentiles()
	measured.Print(measure.Report{
		Workload: "write-heavy", Seed: *seed, Threads: *threads, Operations: durations.Total(),
		OperationNanoseconds: &percentiles, Verified: verified,
		Result: map[string]any{"nodes": share * *threads, "writes": *writes, "check": check},
	})
}
