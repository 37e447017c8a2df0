// latency asks what a collector does to the slowest operations of a program that does nothing unusual: a map holds a
// window of messages, each insert makes a message, fills it byte by byte, puts it under its number, and removes
// the one that left the window. Every insert is timed, from before the allocation to after the removal.
package main

import (
	"flag"
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
	window := flag.Int("window", 200_000, "messages that are kept")
	inserts := flag.Int("inserts", 2_000_000, "messages made")
	size := flag.Int("bytes", 1024, "bytes in a message")
	flag.Parse()
	measure.Require("window", *window, 1, 1<<40)
	measure.Require("inserts", *inserts, 1, 1<<40)
	measure.Require("bytes", *size, 1, 1<<30)

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
		Workload: "latency", Threads: 1, Operations: uint64(*inserts), OperationNanoseconds: &percentiles,
		Verified: intact(messages, *inserts, *window, *size),
		Result:   map[string]any{"window": *window, "bytes": *size},
	})
}
