// Package measure gives every Go peer the same options, meter and report: one line of JSON with the keys that
// `tricolor run WORKLOAD --json` has, so that a script reads both alike. Units are bytes and nanoseconds.
//
// Seconds and CPU count from Start to Stop; checking the data afterwards is not part of the work. Peak RSS is VmHWM: unlike ru_maxrss it does not remember the process that
// exec'ed this one. Keys that Go's runtime cannot answer (mutator stalls, marked bytes) are left out.
package measure

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Report is what a peer prints at its end.
type Report struct {
	Workload                 string             `json:"workload"`
	Seed                     uint64             `json:"seed"`
	Threads                  int                `json:"threads"`
	Seconds                  float64            `json:"seconds"`
	Operations               uint64             `json:"operations"`
	OperationsPerSecond      float64            `json:"operationsPerSecond"`
	OperationNanoseconds     *Percentiles       `json:"operationNanoseconds,omitempty"`
	GOGC                     *uint64            `json:"gogc"`
	LimitBytes               *uint64            `json:"limitBytes"`
	GCCycles                 uint64             `json:"gcCycles"`
	ForcedCycles             uint64             `json:"forcedCycles"`
	GCCPUFraction            float64            `json:"gcCPUFraction"`
	GCCPUNanoseconds         GCCPU              `json:"gcCPUNanoseconds"`
	ProcessCPUNanoseconds    int64              `json:"processCPUNanoseconds"`
	PauseNanoseconds         CountedPercentiles `json:"pauseNanoseconds"`
	HeapLiveBytes            uint64             `json:"heapLiveBytes"`
	HeapGoalBytes            uint64             `json:"heapGoalBytes"`
	PeakRSSBytes             uint64             `json:"peakRSSBytes"`
	AllocatedBytes           uint64             `json:"allocatedBytes"`
	AllocatedObjects         uint64             `json:"allocatedObjects"`
	MarkNanosecondsPerObject *float64           `json:"markNanosecondsPerObject,omitempty"`
	Verified                 bool               `json:"verified"`
	Result                   map[string]any     `json:"result"`
}

// Percentiles of a duration, in nanoseconds.
type Percentiles struct {
	P50   uint64 `json:"p50"`
	P99   uint64 `json:"p99"`
	P999  uint64 `json:"p999"`
	P9999 uint64 `json:"p9999"`
	Max   uint64 `json:"max"`
}

// CountedPercentiles of the collector's stops of the world. The runtime keeps them in a histogram whose buckets are up
// to a quarter of their value wide; these are the middles of the buckets.
type CountedPercentiles struct {
	Count uint64 `json:"count"`
	P50   uint64 `json:"p50"`
	P99   uint64 `json:"p99"`
	P999  uint64 `json:"p999"`
	Max   uint64 `json:"max"`
}

// GCCPU is the runtime's own account of processor time. Sweeping has no figure of its own in Go.
type GCCPU struct {
	Background uint64 `json:"background"`
	Assist     uint64 `json:"assist"`
	Idle       uint64 `json:"idle"`
	Scavenge   uint64 `json:"scavenge"`
}

// Meter remembers when the work began.
type Meter struct {
	began time.Time
	cpu   time.Duration
}

// Measured is the wall and processor time that a piece of work took.
type Measured struct {
	Seconds        float64
	CPUNanoseconds int64
}

// Start begins to count seconds and CPU.
func Start() Meter {
	return Meter{began: time.Now(), cpu: processCPU()}
}

// Stop says what was used since Start.
func (meter Meter) Stop() Measured {
	return Measured{time.Since(meter.began).Seconds(), (processCPU() - meter.cpu).Nanoseconds()}
}

// Print completes the report with what the runtime and the kernel know and writes it on standard output. It ends the process
// with exit code 1 when the workload's check of its own data did not hold.
func (measured Measured) Print(report Report) {
	report.Seconds = measured.Seconds
	report.ProcessCPUNanoseconds = measured.CPUNanoseconds
	report.OperationsPerSecond = float64(report.Operations) / report.Seconds
	report.PeakRSSBytes = peakRSS()
	report.readRuntime()
	if report.Result == nil {
		report.Result = map[string]any{}
	}
	report.Result["processors"] = runtime.GOMAXPROCS(0)
	report.Result["runtime"] = runtime.Version()
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fail(70, "cannot write the report: %v", err)
	}
	if !report.Verified {
		fail(1, "%s: the data at the end is not what was stored", report.Workload)
	}
}

// processCPU is user and system time of the whole process.
func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(70, "getrusage: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func fail(code int, format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(code)
}

func peakRSS() uint64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		fail(70, "%v", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), "VmHWM:"); found {
			kibibytes, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				fail(70, "VmHWM: %v", err)
			}
			return kibibytes * 1024
		}
	}
	fail(70, "/proc/self/status has no VmHWM")
	return 0
}

func (report *Report) readRuntime() {
	report.GCCycles = counter("/gc/cycles/total:gc-cycles")
	report.ForcedCycles = counter("/gc/cycles/forced:gc-cycles")
	report.HeapLiveBytes = counter("/gc/heap/live:bytes")
	report.HeapGoalBytes = counter("/gc/heap/goal:bytes")
	report.AllocatedBytes = counter("/gc/heap/allocs:bytes")
	report.AllocatedObjects = counter("/gc/heap/allocs:objects") + counter("/gc/heap/tiny/allocs:objects")
	report.GCCPUNanoseconds = GCCPU{
		Background: nanoseconds("/cpu/classes/gc/mark/dedicated:cpu-seconds"),
		Assist:     nanoseconds("/cpu/classes/gc/mark/assist:cpu-seconds"),
		Idle:       nanoseconds("/cpu/classes/gc/mark/idle:cpu-seconds"),
		Scavenge:   nanoseconds("/cpu/classes/scavenge/total:cpu-seconds"),
	}
	if total := nanoseconds("/cpu/classes/total:cpu-seconds"); total > 0 {
		report.GCCPUFraction = float64(nanoseconds("/cpu/classes/gc/total:cpu-seconds")) / float64(total)
	}
	report.PauseNanoseconds = pauses("/sched/pauses/total/gc:seconds")
	if percent := counter("/gc/gogc:percent"); percent != math.MaxUint64 {
		report.GOGC = &percent
	}
	if limit := counter("/gc/gomemlimit:bytes"); limit != math.MaxInt64 {
		report.LimitBytes = &limit
	}
}

func read(name string, kind metrics.ValueKind) metrics.Value {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != kind {
		fail(70, "this Go runtime has no metric %s of the kind that Go 1.27 has", name)
	}
	return sample[0].Value
}

func counter(name string) uint64 { return read(name, metrics.KindUint64).Uint64() }

func nanoseconds(name string) uint64 { return uint64(read(name, metrics.KindFloat64).Float64() * 1e9) }

func pauses(name string) CountedPercentiles {
	histogram := read(name, metrics.KindFloat64Histogram).Float64Histogram()
	var count uint64
	for _, here := range histogram.Counts {
		count += here
	}
	at := func(fraction float64) uint64 {
		rank, seen := uint64(math.Ceil(fraction*float64(count))), uint64(0)
		for index, here := range histogram.Counts {
			seen += here
			if here > 0 && seen >= rank {
				return middle(histogram.Buckets[index], histogram.Buckets[index+1])
			}
		}
		return 0
	}
	return CountedPercentiles{Count: count, P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: at(1)}
}

func middle(low, high float64) uint64 {
	switch {
	case math.IsInf(low, -1):
		return uint64(max(high, 0) * 1e9)
	case math.IsInf(high, 1):
		return uint64(low * 1e9)
	default:
		return uint64((low + high) / 2 * 1e9)
	}
}
