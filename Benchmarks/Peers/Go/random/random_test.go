package random

import "testing"

func TestNumbersAreThoseOfThePublishedVector(t *testing.T) {
	generator := Generator(1_234_567)
	for _, want := range []uint64{6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423} {
		if got := generator.Next(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestBelowIsTheUpperHalfScaled(t *testing.T) {
	for _, count := range []int{1, 10, 1<<32 - 1} {
		one, other := ForClient(7, 3), ForClient(7, 3)
		for range 1000 {
			if got, want := one.Below(count), int(other.Next()>>32*uint64(count)>>32); got != want || got >= count {
				t.Fatalf("below %d: got %d, want %d", count, got, want)
			}
		}
	}
}
