// binary-trees is the Benchmarks Game's allocation test, after its rules: a stretch tree, a long-lived tree, and for every
// second depth from 4 on as many short-lived trees as keep the work per depth the same. A node is two references, 16 bytes.
// With --threads the iterations of one depth are divided among goroutines; the long-lived tree is one.
package main

import (
	"peers/measure"
)

const minDepth = 4

type node struct{ left, right *node }

func bottomUp(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: bottomUp(depth - 1), right: bottomUp(depth - 1)}
}

func (tree *node) count() uint64 {
	if tree.left == nil {
		return 1
	}
	return 1 + tree.left.count() + tree.right.count()
}

// nodes is the number of nodes that a full tree has.
func nodes(depth int) uint64 { return 1<<(depth+1) - 1 }

type depthCheck struct {
	Depth      int    `json:"depth"`
	Iterations int    `json:"iterations"`
	Check      uint64 `json:"check"`
}

// growAndCount builds the trees of one depth, counts their nodes, and lets them go.
func growAndCount(depth, iterations, threads int) uint64 {
	checks := measure.Clients(threads, func(index int) (check uint64) {
		for range measure.Share(iterations, index, threads) {
			check += bottomUp(depth).count()
		}
		return check
	})
	var sum uint64
	for _, check := range checks {
		sum += check
	}
	return sum
}

func main() {
	wanted := measure.Integer("depth", 18, minDepth+2, 30, "depth of the long-lived tree")
	threads, seed := measure.Threads(1, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	depth := *wanted
	stretch := bottomUp(depth + 1).count()
	longLived := bottomUp(depth)
	operations, verified := uint64(2), stretch == nodes(depth+1)
	var depths []depthCheck
	for each := minDepth; each <= depth; each += 2 {
		iterations := 1 << (depth - each + minDepth)
		check := growAndCount(each, iterations, *threads)
		depths = append(depths, depthCheck{each, iterations, check})
		verified = verified && check == uint64(iterations)*nodes(each)
		operations += uint64(iterations)
	}
	kept := longLived.count()
	meter.Stop().Print(measure.Report{
		Workload: "binary-trees", Seed: *seed, Threads: *threads, Operations: operations,
		Verified: verified && kept == nodes(depth),
		Result:   map[string]any{"depth": depth, "stretchCheck": stretch, "longLivedCheck": kept, "depths": depths},
	})
}
