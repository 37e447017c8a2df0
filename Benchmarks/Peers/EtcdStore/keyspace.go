package main

import (
	"fmt"
	"math"
)

// The profiles and keys of Workloads/EtcdStore/Run, by the same tables.

type role int

const (
	heartbeat role = iota
	status
	settled
)

type resourceKind struct {
	directory, prefix string
	share             int
	size, spread      float64
	role              role
}

type profile struct {
	keys, mean, most, keysPerLoad int
	eventBytes                    func(mean int) int
	kinds                         []resourceKind
}

func fixedEvents(int) int { return 768 }

var clusterKinds = []resourceKind{
	{"/registry/pods/ns-", "/pod-", 30, 1, 0.5, status},
	{"/registry/leases/kube-node-lease-", "/node-", 1, 0.05, 0, heartbeat},
	{"/registry/minions/zone-", "/node-", 1, 1.5, 0.2, status},
	{"/registry/endpointslices/ns-", "/service-", 5, 0.8, 0.5, status},
	{"/registry/configmaps/ns-", "/config-", 5, 0.4, 1.5, settled},
	{"/registry/secrets/ns-", "/secret-", 5, 0.2, 1, settled},
}

var profiles = map[string]profile{
	"mixed": {36_000, 1_000, 65_536, 10, func(mean int) int { return max(16, mean*3/4) }, []resourceKind{
		{"/registry/pods/ns-", "/pod-", 20, 1.35, 0.6, status},
		{"/registry/leases/kube-node-lease-", "/node-", 10, 0.4, 0, heartbeat},
		{"/registry/minions/zone-", "/node-", 1, 3, 0.3, status},
		{"/registry/endpointslices/ns-", "/service-", 4, 1.6, 0.5, status},
		{"/registry/configmaps/ns-", "/config-", 5, 1.5, 1.1, settled},
		{"/registry/secrets/ns-", "/secret-", 5, 0.6, 0.7, settled},
		{"/registry/services/specs/ns-", "/service-", 5, 0.5, 0.2, settled},
	}},
	"uniform-2k": {60_000, 2_048, 65_536, 10, fixedEvents, []resourceKind{
		{"/registry/pods/ns-", "/pod-", 1, 1, 0, status},
	}},
	"k8s-small": {47_000, 10_240, 1 << 20, 10, fixedEvents, clusterKinds},
	"k8s-5k":    {235_000, 10_240, 1 << 20, 10, fixedEvents, clusterKinds},
	"bigval": {2_000, 665_600, 1 << 20, 1, fixedEvents, []resourceKind{
		{"/registry/configmaps/ns-", "/config-", 1, 1, 0, status},
	}},
	"tiny-1m": {1_000_000, 256, 65_536, 10, fixedEvents, []resourceKind{
		{"/registry/crd.example.com/widgets/namespace-", "/resource-", 1, 1, 0, status},
	}},
}

const (
	eventDirectory = "/registry/events/ns-"
	burstDirectory = "/registry/bursts/ns-"
)

// keySpace has the keys by number.
type keySpace struct {
	profile
	count, meanBytes, shares int
}

func newKeySpace(profile profile, count, mean int) *keySpace {
	space := &keySpace{profile: profile, count: count, meanBytes: mean}
	for _, kind := range profile.kinds {
		space.shares += kind.share
	}
	return space
}

func (space *keySpace) kind(number int) *resourceKind {
	place := number % space.shares
	for index := range space.kinds {
		if place < space.kinds[index].share {
			return &space.kinds[index]
		}
		place -= space.kinds[index].share
	}
	return &space.kinds[0]
}

// key is written behind what scratch has.
func (space *keySpace) key(number int, scratch []byte) []byte {
	kind := space.kind(number)
	scratch = appendDecimal(append(scratch, kind.directory...), number/space.shares%97, 3)
	return appendDecimal(append(scratch, kind.prefix...), number, 7)
}

func eventKey(partition, number int, scratch []byte) []byte {
	scratch = appendDecimal(append(scratch, eventDirectory...), partition, 3)
	return appendDecimal(append(scratch, "/event-"...), number, 10)
}

func burstKey(partition int) []byte {
	return fmt.Appendf(nil, "%s%03d/config", burstDirectory, partition)
}

func appendDecimal(target []byte, number, digits int) []byte {
	limit := 1
	for range digits {
		limit *= 10
	}
	for ; limit <= number; limit *= 10 {
	}
	for limit /= 10; limit > 0; limit /= 10 {
		target = append(target, byte('0'+number/limit%10))
	}
	return target
}

// valueBytes is how large a value of a key is; draw picks one size out of the kind's lognormal spread.
func (space *keySpace) valueBytes(number int, draw uint64) int {
	kind := space.kind(number)
	sum, word := 0.0, mix(draw)
	for range 4 {
		sum += float64(word&0xffff) / 65_536
		word >>= 16
	}
	normal := (sum - 2) * math.Sqrt(3)
	size := float64(space.meanBytes) * kind.size * math.Exp(kind.spread*normal-kind.spread*kind.spread/2)
	return min(space.most, max(16, int(size)))
}
