// linked-list is the shape that marks worst: a list has one path through it, so there is nothing to prefetch and nothing to share
// among markers. Each operation builds a new list while the last one is alive, then walks and drops the old one.
package main

import (
	"peers/measure"
	"time"
)

type node struct {
	next  *node
	value int
}

// build makes a list of the values first ..< first + count, the largest at its head.
func build(first, count int) *node {
	var head *node
	for value := first; value < first+count; value++ {
		head = &node{head, value}
	}
	return head
}

func (list *node) sum() (sum int) {
	for ; list != nil; list = list.next {
		sum += list.value
	}
	return sum
}

func expectedSum(first, count int) int { return count*first + count*(count-1)/2 }

type client struct {
	last      *node
	isIntact  bool
	durations measure.Histogram
}

func run(nodes, lists int) *client {
	each := &client{last: build(0, nodes), isIntact: true}
	for number := 1; number <= lists; number++ {
		began := time.Now()
		next := build(number, nodes)
		each.isIntact = each.isIntact && each.last.sum() == expectedSum(number-1, nodes)
		each.last = next
		each.durations.Record(uint64(time.Since(began)))
	}
	return each
}

func main() {
	nodes := measure.Integer("nodes", 1_000_000, 1, 1<<32, "nodes in a list, 16 bytes each")
	lists := measure.Integer("lists", 20, 1, 1<<32, "lists built, by each thread")
	threads, seed := measure.Threads(1, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	clients := measure.Clients(*threads, func(int) *client { return run(*nodes, *lists) })
	measured := meter.Stop()

	verified := true
	var durations measure.Histogram
	for _, each := range clients {
		verified = verified && each.isIntact && each.last.sum() == expectedSum(*lists, *nodes)
		durations.Add(&each.durations)
	}
	percentiles := durations.Percentiles()
	measured.Print(measure.Report{
		Workload: "linked-list", Seed: *seed, Threads: *threads, Operations: uint64(*lists * *threads),
		OperationNanoseconds: &percentiles, Verified: verified,
		Result: map[string]any{"nodes": *nodes, "lists": *lists * *threads},
	})
}
