package main

import (
	"encoding/binary"
	"math/bits"
)

// The hash that tells keys and values apart: eight bytes a step, as the Swift program has it, so that checksums can be compared.

const golden = 0x9e37_79b9_7f4a_7c15

func mix(value uint64) uint64 {
	value = (value ^ value>>30) * 0xbf58_476d_1ce4_e5b9
	value = (value ^ value>>27) * 0x94d0_49bb_1331_11eb
	return value ^ value>>31
}

func combine(state, word uint64) uint64 {
	mixed := (state ^ word) * 0x9fb2_1c65_1e98_df25
	return mixed ^ mixed>>32
}

// contentHash of some bytes; their number counts too.
func contentHash(content []byte) uint64 {
	state := uint64(len(content)) * golden
	for len(content) >= 8 {
		state = combine(state, binary.LittleEndian.Uint64(content))
		content = content[8:]
	}
	var rest uint64
	for _, one := range content {
		rest = rest<<8 | uint64(one)
	}
	return mix(combine(state, rest))
}

// shadowHash is what the shadows know a key by: never 0.
func shadowHash(key []byte) uint64 { return max(1, contentHash(key)) }

// shadowContent is the hash of a value whose bytes have the hash value, on a lease.
func shadowContent(value uint64, lease int64) uint64 { return combine(value, uint64(lease)) }

// fillGenerated writes bytes that follow from a seed, none like another.
func fillGenerated(target []byte, seed uint64) {
	state := seed
	for len(target) >= 8 {
		state += golden
		binary.LittleEndian.PutUint64(target, mix(state))
		target = target[8:]
	}
	rest := mix(state + golden)
	for index := range target {
		target[index] = byte(rest)
		rest >>= 8
	}
}

func varintSize(value uint64) int { return max(1, (bits.Len64(value)+6)/7) }
