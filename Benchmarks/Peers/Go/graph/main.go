// graph measures marking alone. N nodes of 32 bytes (two references, two words) stay alive, all of them also held by
// one slice, while the collector is forced to run C times. In the sequential shape node i refers to i+1 and i+2
// (around the end), which a collector walks in address order; in the random shape to two uniformly random nodes, so that almost
// every step is a cache miss. markNanosecondsPerObject is the process's CPU, not wall time, per node and cycle:
// it does not depend on how many workers marked.
package main

import (
	"flag"
	"peers/measure"
	"peers/random"
	"runtime"
)

type node struct {
	left, right *node
	a, b        uint64
}

func build(count int, isRandom bool, seed uint64) []*node {
	all := make([]*node, count)
	for index := range all {
		all[index] = &node{a: uint64(index), b: ^uint64(index)}
	}
	generator := random.Generator(seed)
	for index, each := range all {
		if isRandom {
			each.left = all[generator.Next()%uint64(count)]
			each.right = all[generator.Next()%uint64(count)]
		} else {
			each.left = all[(index+1)%count]
			each.right = all[(index+2)%count]
		}
	}
	return all
}

// check walks every node and both of its references: each must still hold the two words it was made with. The sum
// depends on which nodes are referred to.
func check(all []*node) (sum uint64, intact bool) {
	intact = true
	for index, each := range all {
		intact = intact && each.a == uint64(index) && each.b == ^each.a &&
			each.left.b == ^each.left.a && each.right.b == ^each.right.a
		sum += each.left.a ^ each.right.a<<1
	}
	return sum, intact
}

func main() {
	count := measure.Integer("nodes", 4_000_000, 1, 1<<32, "nodes of 32 bytes")
	cycles := measure.Integer("cycles", 10, 1, 1_000_000, "forced collections")
	shape := flag.String("shape", "random", "random or sequential")
	threads, seed := measure.Threads(1, 1), measure.Seed()
	measure.ParseOptions()
	if *shape != "random" && *shape != "sequential" {
		measure.Refuse("shape", *shape, "random, sequential")
	}

	meter := measure.Start()
	all := build(*count, *shape == "random", *seed)
	before, _ := check(all)

	cyclesMeter := measure.Start()
	for range *cycles {
		runtime.GC()
	}
	forced, measured := cyclesMeter.Stop(), meter.Stop()

	after, intact := check(all)
	perObject := float64(forced.CPUNanoseconds) / float64(*count) / float64(*cycles)
	measured.Print(measure.Report{
		Workload: "graph", Seed: *seed, Threads: *threads, Operations: uint64(*cycles),
		MarkNanosecondsPerObject: &perObject, Verified: intact && before == after,
		Result: map[string]any{
			"nodes": *count, "shape": *shape, "cycles": *cycles, "check": after,
			"cycleSeconds": forced.Seconds, "cycleCPUNanoseconds": forced.CPUNanoseconds,
		},
	})
}
