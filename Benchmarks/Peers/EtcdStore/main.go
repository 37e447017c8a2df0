// etcd is the store of `tricolor run etcd` in Go: the same structures, the same operations from the same seed, and the same checksum
// at the end. It does those phases whose work does not depend on the collector: load, steady, list storm, compaction, watch burst,
// snapshot. Settings come as Go's own: GOGC, GOMEMLIMIT, GOMAXPROCS.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"peers/measure"
)

type options struct {
	profile                                             profile
	profileName                                         string
	phases                                              []string
	keys, valueBytes, watchers, slowStreams, raftRetain int
	historyBytes, burstBytes, operations, threads       int
	lists                                               string
	page                                                pageLimit
	seed                                                uint64
}

func readOptions() *options {
	usual := "steady,list-storm,compaction,watch-burst"
	profileName := measure.Choice("profile", "mixed", slices.Sorted(maps.Keys(profiles)), "what the store holds")
	phaseNames := measure.Choices("phases", usual, slices.Sorted(maps.Keys(phases)), "what is done after loading")
	lists := measure.Choice("lists", "pages", []string{"pages", "unary", "stream"}, "how a list storm asks")
	keys := measure.Integer("keys", 0, 0, 20_000_000, "keys made at the start (0: the profile's number)")
	valueBytes := measure.Integer("value-size", 0, 0, 65_536, "mean size of a value (0: the profile's)")
	watchers := measure.Integer("watchers", 40, 0, 100_000, "watchers, ten to a stream")
	slow := measure.Integer("slow-streams", 10, 0, 100, "percent of the watch streams that are slow")
	raftRetain := measure.Integer("raft-retain", 1_000, 1, 1_000_000, "entries of the replicated log kept in memory")
	history := measure.Integer("history", 8<<20, 65_536, 1<<40, "bytes of old revisions that make a compaction due")
	pageKeys := measure.Integer("page-keys", 500, 1, 1_000_000, "most keys in a page of a list")
	pageBytes := measure.Integer("page-size", 1<<20, 1, 1<<30, "most bytes in a page of a list")
	burst := measure.Integer("burst-value-size", 8<<10, 16, 1_500_000, "size of the values written in a watch burst")
	operations := measure.Integer("operations", operationsPerRound, 1, 1<<40, "operations, over all goroutines")
	threads, seed := measure.Threads(1, partitions), measure.Seed()
	measure.ParseOptions()
	chosen := profiles[*profileName]
	return &options{
		profile: chosen, profileName: *profileName, phases: *phaseNames, keys: either(*keys, chosen.keys),
		valueBytes: either(*valueBytes, chosen.mean), watchers: *watchers, slowStreams: *slow, raftRetain: *raftRetain,
		historyBytes: *history, burstBytes: *burst, operations: *operations, threads: *threads, lists: *lists,
		page: pageLimit{*pageKeys, *pageBytes}, seed: *seed,
	}
}

func either(typed, fallback int) int {
	if typed > 0 {
		return typed
	}
	return fallback
}

func main() {
	options := readOptions()
	meter := measure.Start()
	driver := newDriver(options)
	var sending sync.WaitGroup
	sending.Go(driver.sender.run)
	err := driver.load()
	if err == nil {
		err = driver.work()
	}
	driver.sender.stops.Store(true)
	driver.store.hub.announce()
	sending.Wait()
	if err != nil {
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		os.Exit(70)
	}
	measured := meter.Stop()
	driver.sender.drain()
	measured.Print(driver.report())
}

func (driver *driver) report() measure.Report {
	options, store := driver.options, driver.store
	check, wrongWatchers, wrongAnswers, lists := driver.verify(), driver.watchersWithWrongCount(), 0, 0
	for _, part := range driver.parts {
		wrongAnswers += part.wrongAnswers
		lists += part.finishedLists
	}
	var all measure.Histogram
	operations := 0
	for _, each := range driver.figures {
		each.OperationNanoseconds = each.latencies.Percentiles()
		all.Add(&each.latencies)
		if each.Name != "load" {
			operations += each.Operations
		}
	}
	latencies := all.Percentiles()
	faults := check.wrong + check.extra + check.missing + check.misplaced + wrongWatchers + wrongAnswers +
		driver.misordered + driver.sender.misordered
	return measure.Report{
		Workload: "etcd", Seed: options.seed, Threads: options.threads, Operations: uint64(operations),
		OperationNanoseconds: &latencies, Verified: faults == 0,
		Result: map[string]any{
			"profile": options.profileName, "phases": strings.Join(options.phases, ","), "keys": check.keys,
			"revisions": store.revision, "liveValueBytes": check.valueBytes,
			"checksum": strconv.FormatUint(check.checksum, 16), "historyBytes": store.historyBytesNow,
			"compactions": store.compactions, "raftEntries": store.raft.retained(), "batches": store.buffer.batches,
			"leasesExpired": store.expiredLeases, "leases": len(store.leases.leases),
			"watchEventsDelivered": driver.sender.events, "watchBytesSent": driver.sender.bytes,
			"watchVictims": store.hub.victims, "watchCancellations": store.hub.cancellations, "listsFinished": lists,
			"slowRequests": store.slowRequests, "phaseTable": driver.figures,
			"check": map[string]int{
				"wrong": check.wrong, "missing": check.missing, "extra": check.extra, "misplaced": check.misplaced,
				"wrongAnswers": wrongAnswers, "watchersWithWrongCount": wrongWatchers,
				"misorderedEvents": driver.sender.misordered + driver.misordered,
			},
		},
	}
}
