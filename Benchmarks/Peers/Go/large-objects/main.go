// large-objects makes buffers of up to some MiB that come and go, as a server makes them for whole responses: few objects, many
// bytes. Every page of a buffer is written, so that resident memory is what the buffers are; the check reads the stamp of each page.
package main

import (
	"peers/measure"
	"peers/random"
	"time"
)

const page = 4096

func makeBuffer(stamp, size int) []byte {
	buffer := make([]byte, size)
	for offset := 0; offset < size; offset += page {
		buffer[offset] = byte(stamp)
	}
	return buffer
}

// isIntact says whether each page begins with the stamp and everything behind it is still zero at the page's end.
func isIntact(buffer []byte, stamp int) bool {
	for offset := 0; offset < len(buffer); offset += page {
		end := min(offset+page, len(buffer)) - 1
		if buffer[offset] != byte(stamp) || end > offset && buffer[end] != 0 {
			return false
		}
	}
	return true
}

type client struct {
	kept      [][]byte
	stamps    []int
	isIntact  bool
	durations measure.Histogram
}

func run(generator random.Generator, keep, buffers, largest int) *client {
	each := &client{kept: make([][]byte, keep), stamps: make([]int, keep), isIntact: true}
	for number := range buffers {
		began := time.Now()
		place := number % keep
		each.isIntact = each.isIntact && isIntact(each.kept[place], each.stamps[place])
		each.kept[place] = makeBuffer(number, 1+generator.Below(largest))
		each.stamps[place] = number
		each.durations.Record(uint64(time.Since(began)))
	}
	return each
}

func main() {
	keep := measure.Integer("keep", 16, 1, 1<<20, "buffers that each thread keeps")
	buffers := measure.Integer("buffers", 4000, 1, 1<<40, "buffers made by each thread")
	largest := measure.Integer("bytes", 4<<20, 1, 1<<31, "the largest buffer; sizes are uniform from 1")
	threads, seed := measure.Threads(1, 1024), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	clients := measure.Clients(*threads, func(index int) *client {
		return run(random.ForClient(*seed, index), *keep, *buffers, *largest)
	})
	measured := meter.Stop()

	verified := true
	var durations measure.Histogram
	for _, each := range clients {
		verified = verified && each.isIntact
		for place, buffer := range each.kept {
			verified = verified && isIntact(buffer, each.stamps[place])
		}
		durations.Add(&each.durations)
	}
	percentiles := durations.Percentiles()
	measured.Print(measure.Report{
		Workload: "large-objects", Seed: *seed, Threads: *threads, Operations: uint64(*buffers * *threads),
		OperationNanoseconds: &percentiles, Verified: verified,
		Result: map[string]any{"keep": *keep, "largestBytes": *largest},
	})
}
