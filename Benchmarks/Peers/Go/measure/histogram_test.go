package measure

import (
	"math"
	"testing"
)

func TestEveryValueLiesInItsBucketAndBucketsTouch(t *testing.T) {
	for shift := 0; shift < 64; shift++ {
		for _, offset := range []uint64{0, 1, 2, 1<<shift - 1} {
			value := uint64(1)<<shift | offset
			index := bucket(value)
			if upperEnd(index) < value {
				t.Errorf("%d is above the end %d of its bucket", value, upperEnd(index))
			}
			if index > 0 && upperEnd(index-1) >= value {
				t.Errorf("%d belongs to an earlier bucket, which ends at %d", value, upperEnd(index-1))
			}
			if spread := upperEnd(index) - value; float64(spread) > float64(value)/subBuckets {
				t.Errorf("the bucket of %d is too wide: it ends at %d", value, upperEnd(index))
			}
		}
	}
	if last := bucket(math.MaxUint64); last != len(Histogram{}.counts)-1 {
		t.Errorf("the largest value has bucket %d of %d", last, len(Histogram{}.counts))
	}
}

func TestPercentilesAreThoseOfTheRecordedValues(t *testing.T) {
	var histogram Histogram
	for value := uint64(1); value <= 100; value++ {
		histogram.Record(value)
	}
	want := Percentiles{P50: 50, P99: 99, P999: 100, P9999: 100, Max: 100}
	if got := histogram.Percentiles(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAddedHistogramsAreOneOfAllValues(t *testing.T) {
	var odd, even, all Histogram
	for value := uint64(1); value <= 1000; value++ {
		each := &even
		if value%2 == 1 {
			each = &odd
		}
		each.Record(value)
		all.Record(value)
	}
	odd.Add(&even)
	if odd != all {
		t.Errorf("got %+v, want %+v", odd.Percentiles(), all.Percentiles())
	}
}

func TestNothingRecordedGivesZeros(t *testing.T) {
	var histogram Histogram
	if got := histogram.Percentiles(); got != (Percentiles{}) {
		t.Errorf("got %+v", got)
	}
}
