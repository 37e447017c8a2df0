package measure

import (
	"math"
	"math/bits"
)

const (
	subBucketBits = 7 // 128 buckets a power of two: a recorded value is known to within 1/128
	subBuckets    = 1 << subBucketBits
)

// Histogram of durations in nanoseconds, log-linear, of fixed size and without pointers: recording allocates nothing
// and gives the collector nothing to scan, so the meter does not change what it measures.
type Histogram struct {
	counts [(64 - subBucketBits + 1) * subBuckets]uint64
	total  uint64
	max    uint64
}

// Record counts one duration.
func (histogram *Histogram) Record(nanoseconds uint64) {
	histogram.counts[bucket(nanoseconds)]++
	histogram.total++
	histogram.max = max(histogram.max, nanoseconds)
}

// Add counts what another histogram has recorded.
func (histogram *Histogram) Add(other *Histogram) {
	for index, count := range other.counts {
		histogram.counts[index] += count
	}
	histogram.total += other.total
	histogram.max = max(histogram.max, other.max)
}

// Total is how many durations were recorded.
func (histogram *Histogram) Total() uint64 { return histogram.total }

// Percentiles of all that was recorded; the maximum is exact, the others are the upper ends of their buckets.
func (histogram *Histogram) Percentiles() Percentiles {
	return Percentiles{
		P50: histogram.at(0.5), P99: histogram.at(0.99), P999: histogram.at(0.999), P9999: histogram.at(0.9999),
		Max: histogram.max,
	}
}

func (histogram *Histogram) at(fraction float64) uint64 {
	rank, seen := uint64(math.Ceil(fraction*float64(histogram.total))), uint64(0)
	for index, count := range histogram.counts {
		seen += count
		if count > 0 && seen >= rank {
			return min(upperEnd(index), histogram.max)
		}
	}
	return 0
}

// bucket numbers values below subBuckets one by one, and cuts every later power of two into subBuckets pieces.
func bucket(value uint64) int {
	shift := max(bits.Len64(value)-subBucketBits-1, 0)
	return shift<<subBucketBits + int(value>>shift)
}

// upperEnd is the largest value of a bucket.
func upperEnd(index int) uint64 {
	if index < 2*subBuckets {
		return uint64(index)
	}
	shift := index>>subBucketBits - 1
	return uint64(index-shift<<subBucketBits+1)<<shift - 1
}
