// tasks is what `tricolor run tasks` measures, with goroutines and Go's own channels: what thousands of waiting goroutines with state
// take of memory, what a hop from one to another costs, and how many messages a second go through them and come back.
//
// The state of each, the sizes of channels and messages and what is checked are the same. Trees of tasks are left out.
package main

import (
	"os"
	"peers/measure"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type parcel struct {
	number         int
	word           uint64
	sent, received int64
}

type state struct {
	received int
	sum      uint64
	recent   []*parcel
}

func (own *state) note(message *parcel) {
	own.recent[own.received%len(own.recent)] = message
	own.received++
	own.sum += message.word
}

func word(number int, seed uint64) uint64 {
	value := uint64(number) ^ seed
	value = (value ^ value>>30) * 0xBF58476D1CE4E5B9
	value = (value ^ value>>27) * 0x94D049BB133111EB
	return value ^ value>>31
}

// resident is the process's resident set after a collection.
func resident() int {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}

func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// hops throws a message to and fro through two channels with room for one.
func hops(trips int) (wall, cpu time.Duration, isRight bool) {
	there, back := make(chan *parcel, 1), make(chan *parcel, 1)
	go func() {
		for message := range there {
			back <- message
		}
		close(back)
	}()
	isRight = true
	began, beganCPU := time.Now(), processCPU()
	for number := range trips {
		there <- &parcel{number: number}
		isRight = (<-back).number == number && isRight
	}
	wall, cpu = time.Since(began), processCPU()-beganCPU
	close(there)
	return wall, cpu, isRight
}

func main() {
	tasks := measure.Integer("tasks", 10_000, 1, 1<<24, "goroutines that stand at the channel")
	capacity := measure.Integer("capacity", 256, 1, 1<<20, "messages that a channel holds")
	messages := measure.Integer("messages", 500_000, 1, 1<<32, "messages through the pipeline")
	trips := measure.Integer("round-trips", 100_000, 1, 1<<32, "times that a message goes to and fro")
	threads, seed := measure.Threads(1, 1), measure.Seed()
	measure.ParseOptions()

	meter := measure.Start()
	hopWall, hopCPU, verified := hops(*trips)

	before := resident()
	jobs, acknowledgements := make(chan *parcel, *capacity), make(chan *parcel, *capacity)
	var standing atomic.Int64
	var workers sync.WaitGroup
	states := make(chan state, *tasks)
	for range *tasks {
		workers.Go(func() {
			own := &state{recent: make([]*parcel, 8)}
			standing.Add(1)
			for message := range jobs {
				message.received = time.Now().UnixNano()
				own.note(message)
				acknowledgements <- message
			}
			states <- *own
		})
	}
	for standing.Load() < int64(*tasks) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the last of them come to wait
	memory := resident() - before

	began := time.Now()
	go func() {
		for number := range *messages {
			jobs <- &parcel{number: number, word: word(number, *seed), sent: time.Now().UnixNano()}
		}
		close(jobs)
	}()
	times := make([]uint8, *messages)
	var sum uint64
	for range *messages {
		message := <-acknowledgements
		times[message.number]++
		sum += message.word
	}
	pipeline := time.Since(began)
	workers.Wait()
	close(states)
	received, total := 0, uint64(0)
	for own := range states {
		received += own.received
		total += own.sum
	}
	for _, count := range times {
		verified = verified && count == 1
	}
	measured := meter.Stop()
	measured.Print(measure.Report{
		Workload: "tasks", Seed: *seed, Threads: *threads, Operations: uint64(*messages),
		Verified: verified && received == *messages && sum == total,
		Result: map[string]any{
			"rssBytes": memory, "rssBytesPerTask": float64(memory) / float64(*tasks),
			"nanosecondsPerHop":    float64(hopWall) / float64(2**trips),
			"cpuNanosecondsPerHop": float64(hopCPU) / float64(2**trips),
			"messagesPerSecond":    float64(*messages) / pipeline.Seconds(),
		},
	})
}
