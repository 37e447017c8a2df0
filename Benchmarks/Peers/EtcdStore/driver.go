package main

import (
	"bytes"
	"time"

	"peers/measure"
)

// Runs the phases: goroutines that share the 64 clients out among them, and one more that is the far end of all watches.

type phase struct {
	name           string
	operationShare int
	operation      func(*partition, *store) error
	begin          func(*driver, *tally)
}

func steady(part *partition, store *store) error { return part.steadyOperation(store) }

func list(part *partition, store *store) error {
	switch part.options.lists {
	case "unary":
		return part.listAll(store)
	case "stream":
		return part.streamAll(store)
	default:
		return part.listPage(store, true)
	}
}

func burst(part *partition, store *store) error { return part.burstOperation(store) }

var phases = map[string]phase{
	"steady":      {"steady", 80, steady, nil},
	"list-storm":  {"list storm", 6, list, nil},
	"compaction":  {"compaction", 6, steady, func(driver *driver, tally *tally) { driver.compact(tally, (*store).compactAll) }},
	"watch-burst": {"watch burst", 8, burst, nil},
	"snapshot":    {"snapshot", 6, steady, (*driver).snapshot},
}

// tally is what one goroutine counts in one phase.
type tally struct {
	latencies  measure.Histogram
	operations int
	misordered int
	err        error
}

func (tally *tally) record(began time.Duration) { tally.latencies.Record(uint64(now() - began)) }

// phaseFigures of all runs of one phase; the keys are those of tricolor's phase table.
type phaseFigures struct {
	Name                 string              `json:"name"`
	Times                int                 `json:"times"`
	Seconds              float64             `json:"seconds"`
	Operations           int                 `json:"operations"`
	OperationNanoseconds measure.Percentiles `json:"operationNanoseconds"`
	latencies            measure.Histogram
}

type driver struct {
	options    *options
	store      *store
	parts      []*partition
	sender     *sender
	figures    []*phaseFigures
	misordered int
}

const operationsPerRound = 400_000

func newDriver(options *options) *driver {
	streams := max(1, (options.watchers+9)/10)
	store := newStore(configuration{
		raftRetain: options.raftRetain, sessions: partitions, streams: streams, watchers: options.watchers,
		slowStreams: (streams*options.slowStreams + 50) / 100, historyBytes: options.historyBytes,
		slowDelay: 20 * time.Millisecond,
	})
	keys := newKeySpace(options.profile, options.keys, options.valueBytes)
	driver := &driver{options: options, store: store, sender: &sender{store: store}}
	for id := range partitions {
		driver.parts = append(driver.parts, newPartition(id, options.seed, keys, options))
	}
	scratch := make([]byte, 0, 128)
	for number := range keys.count {
		driver.parts[home(shadowHash(keys.key(number, scratch[:0])))].own(number)
	}
	driver.setUpWatchers()
	return driver
}

// setUpWatchers on the directories in turn, ten to a stream, and one in ten on a single key.
func (driver *driver) setUpWatchers() {
	var directories []string
	for _, kind := range driver.options.profile.kinds {
		directories = append(directories, kind.directory)
	}
	directories = append(directories, eventDirectory, burstDirectory)
	for number := range driver.options.watchers {
		if number%10 == 9 {
			driver.store.watch(burstKey(number/10%partitions), nil, number/10)
			continue
		}
		start := []byte(directories[number%len(directories)])
		end := clone(start)
		end[len(end)-1]++
		driver.store.watch(start, end, number/10)
	}
}

// runClients lets every goroutine do its share, and adds what they counted to a phase's figures.
func (driver *driver) runClients(name string, body func(index int, tally *tally)) error {
	figures := driver.phaseFigures(name)
	began := now()
	tallies := measure.Clients(driver.options.threads, func(index int) *tally {
		tally := &tally{}
		body(index, tally)
		return tally
	})
	figures.Seconds += (now() - began).Seconds()
	figures.Times++
	for _, tally := range tallies {
		if tally.err != nil {
			return tally.err
		}
		figures.Operations += tally.operations
		figures.latencies.Add(&tally.latencies)
		driver.misordered += tally.misordered
	}
	return nil
}

func (driver *driver) phaseFigures(name string) *phaseFigures {
	for _, each := range driver.figures {
		if each.Name == name {
			return each
		}
	}
	driver.figures = append(driver.figures, &phaseFigures{Name: name})
	return driver.figures[len(driver.figures)-1]
}

func (driver *driver) own(index int) []*partition {
	var own []*partition
	for id := index; id < partitions; id += driver.options.threads {
		own = append(own, driver.parts[id])
	}
	return own
}

func (driver *driver) load() error {
	step := driver.options.profile.keysPerLoad
	return driver.runClients("load", func(index int, tally *tally) {
		for _, part := range driver.own(index) {
			for start := 0; start < len(part.all); start += step {
				began := now()
				if tally.err = part.load(start, step, driver.store); tally.err != nil {
					return
				}
				tally.record(began)
				tally.operations++
			}
		}
	})
}

// work repeats the phases until all operations are done.
func (driver *driver) work() error {
	shares := 0
	for _, name := range driver.options.phases {
		shares += phases[name].operationShare
	}
	for left := driver.options.operations; left > 0; {
		round := operationsPerRound
		if left < operationsPerRound*3/2 {
			round = left
		}
		given, parts := 0, 0
		for _, name := range driver.options.phases {
			parts += phases[name].operationShare
			end := round * parts / shares
			if err := driver.run(phases[name], end-given); err != nil {
				return err
			}
			given = end
		}
		left -= round
	}
	return nil
}

func (driver *driver) run(phase phase, operations int) error {
	return driver.runClients(phase.name, func(index int, tally *tally) {
		if phase.begin != nil && index == 0 {
			phase.begin(driver, tally)
		}
		own := driver.own(index)
		left := make([]int, len(own))
		for place, part := range own {
			left[place] = operations / partitions
			if part.id < operations%partitions {
				left[place]++
			}
		}
		for isBusy := true; isBusy && tally.err == nil; {
			isBusy = false
			for place, part := range own {
				driver.turn(phase, part, &left[place], tally)
				isBusy = isBusy || left[place] > 0
			}
		}
	})
}

// turn is sixteen operations of a client, or a whole list.
func (driver *driver) turn(phase phase, part *partition, left *int, tally *tally) {
	lists := part.finishedLists
	for done := 1; *left > 0 && tally.err == nil; done++ {
		began := now()
		tally.err = phase.operation(part, driver.store)
		tally.record(began)
		tally.operations++
		if part.compactionIsDue {
			part.compactionIsDue = false
			driver.compact(tally, (*store).compactHistory)
		}
		*left--
		if phase.name == "list storm" && part.finishedLists > lists || phase.name != "list storm" && done == 16 {
			return
		}
	}
}

func (driver *driver) compact(tally *tally, compact func(*store) bool) {
	began := now()
	if compact(driver.store) {
		tally.record(began)
	}
}

func (driver *driver) snapshot(tally *tally) {
	began := now()
	tally.misordered += driver.store.sendSnapshot()
	tally.record(began)
}

// verification is what comparing the store with its shadows found; its checksum is over keys, values, versions and leases in order.
type verification struct {
	keys, wrong, extra, missing, misplaced, valueBytes int
	checksum                                           uint64
}

func (driver *driver) verify() verification {
	var result verification
	var previous []byte
	driver.store.tree.ascend(nil, func(index *keyIndex) bool {
		if previous != nil && bytes.Compare(previous, index.key) >= 0 {
			result.misplaced++
		}
		previous = index.key
		if pair := index.current(); pair != nil {
			driver.compare(pair, &result)
		}
		return true
	})
	known := 0
	for _, part := range driver.parts {
		known += len(part.shadow)
	}
	result.missing = max(0, known-(result.keys-result.extra))
	return result
}

func (driver *driver) compare(pair *keyValue, result *verification) {
	key := shadowHash(pair.key)
	content := shadowContent(contentHash(pair.value), pair.lease)
	result.keys++
	result.valueBytes += len(pair.value)
	for _, part := range [...]uint64{key, content, uint64(pair.version)} {
		result.checksum = combine(result.checksum, part)
	}
	for step := range partitions {
		entry, known := driver.parts[(home(key)+step)%partitions].shadow[key]
		if !known {
			continue
		}
		if entry != (shadowEntry{content, pair.modified, pair.created, pair.version}) {
			result.wrong++
		}
		return
	}
	result.extra++
}

// watchersWithWrongCount have not been sent exactly what was written in their range since they began.
func (driver *driver) watchersWithWrongCount() int {
	wrong := 0
	for _, each := range driver.store.hub.watchers {
		if each.watched.events-each.base != each.delivered {
			wrong++
		}
	}
	return wrong
}
