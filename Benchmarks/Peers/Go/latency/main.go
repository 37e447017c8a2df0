// latency asks what a collector does to the slowest operations of a program that does nothing unusual: a map holds a
// window of messages, each insert makes a message, fills it byte by byte, puts it under its number, and removes
// the one that left the window. Every insert is timed, from before the allocation to after the removal.
package main

import (
	"peers/measure"
	"time"
)

func insert(messages map[int][]byte, number, window, size int) {
	message := make([]byte, size)
	for index := range message {
		message[index] = byte(number)
	}
	messages[number] = message
	if number >= window {
		delete(messages, number-window)
	}
}

// intact says whether the map holds exactly the last messages and all their bytes.
func intact(messages map[int][]byte, inserts, window, size int) bool {
	first := max(inserts-window, 0)
	if len(messages) != inserts-first {
		return false
	}
	for number := first; number < inserts; number++ {
		message := messages[number]
		if len(message) != size {
			return false
		}
		for _, each := range message {
			if each != byte(number) {
				return false
			}
		}
	}
	return true
}

func main() {
	window := measure.Integer("window", 200_000, 1, 1<<32, "messages that are kept")
	inserts := measure.Integer("inserts", 2_000_000, 1, 1<<40, "messages made")
	size := measure.Integer("bytes", 1024, 1, 1<<30, "bytes in a message")
	threads, seed := measure.Threads(1, 1), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	messages := map[int][]byte{}
	var durations measure.Histogram
	for number := range *inserts {
		began := time.Now()
		insert(messages, number, *window, *size)
		durations.Record(uint64(time.Since(began)))
	}
	measured := meter.Stop()
	percentiles := durations.Percentiles()
	measured.Print(measure.Report{
		Workload: "latency", Seed: *seed, Threads: *threads, Operations: uint64(*inserts),
		OperationNanoseconds: &percentiles, Verified: intact(messages, *inserts, *window, *size),
		Result: map[string]any{"window": *window, "bytes": *size},
	})
}
