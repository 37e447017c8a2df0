// Package random draws the numbers that every program of the comparison draws: SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014), whose state is a counter and whose output is a mix of it.
package random

// Generator of random numbers. Its value is its seed.
type Generator uint64

// ForClient is the generator of one thread: its stream follows from seed and index.
func ForClient(seed uint64, index int) Generator {
	return Generator(seed + uint64(index)*0xd1b5_4a32_d192_ed03)
}

// Next number, any of 64 bits.
func (generator *Generator) Next() uint64 {
	*generator += 0x9e37_79b9_7f4a_7c15
	mixed := uint64(*generator)
	mixed = (mixed ^ mixed>>30) * 0xbf58_476d_1ce4_e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d0_49bb_1331_11eb
	return mixed ^ mixed>>31
}

// Below is a number less than count, which must be above 0 and below 2^32; uniform but for a bias of count / 2^32.
func (generator *Generator) Below(count int) int {
	return int(generator.Next() >> 32 * uint64(count) >> 32)
}
