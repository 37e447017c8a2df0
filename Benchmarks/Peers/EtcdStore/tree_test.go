package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func keysOf(tree *keyTree, start string) []string {
	var keys []string
	tree.ascend([]byte(start), func(index *keyIndex) bool {
		keys = append(keys, string(index.key))
		return true
	})
	return keys
}

func TestTheTreeAgreesWithASortedSliceAndSnapshotsDoNotChange(t *testing.T) {
	const seed = 7
	chance := rand.New(rand.NewPCG(seed, seed))
	var tree keyTree
	var model, snapshotModel []string
	var snapshot keyTree
	for step := range 20_000 {
		key := fmt.Sprintf("k%d", chance.IntN(3_000))
		place, found := slices.BinarySearch(model, key)
		switch {
		case chance.IntN(2) == 0 && !found:
			tree.insert(&keyIndex{key: []byte(key)})
			model = slices.Insert(model, place, key)
		case found && chance.IntN(2) == 0:
			tree.remove([]byte(key))
			model = slices.Delete(slices.Clone(model), place, place+1)
		}
		if (tree.find([]byte(key)) != nil) != slices.Contains(model, key) {
			t.Fatalf("seed %d, step %d: find(%s) is wrong", seed, step, key)
		}
		if step%1_000 == 0 {
			if !slices.Equal(keysOf(&snapshot, ""), snapshotModel) {
				t.Fatalf("seed %d, step %d: the snapshot has changed", seed, step)
			}
			snapshot, snapshotModel = tree.snapshot(), slices.Clone(model)
		}
		if step%500 == 0 {
			from, _ := slices.BinarySearch(model, key)
			if !slices.Equal(keysOf(&tree, key), slices.Clone(model[from:])) || tree.count != len(model) {
				t.Fatalf("seed %d, step %d: ascending from %s is wrong", seed, step, key)
			}
		}
	}
}

func TestCompactionKeepsWhatLaterReadsSee(t *testing.T) {
	index := &keyIndex{key: []byte("k")}
	pair := func(version int64) *keyValue { return &keyValue{version: version} }
	for main, version := range []int64{1, 2, 0, 1, 2, 3} {
		index.commit(pair(version), int64(main+1), 0)
	}
	if index.at(3) != nil || index.at(2) == nil || index.at(6).version != 3 {
		t.Fatal("reads before compaction are wrong")
	}
	if dropped, isGone := index.compact(5); dropped == 0 || isGone {
		t.Fatalf("dropped %d, gone %v", dropped, isGone)
	}
	if index.at(4) != nil || index.at(5).version != 2 || index.at(6).version != 3 {
		t.Fatal("reads after compaction are wrong")
	}
	index.commit(pair(0), 7, 0)
	if _, isGone := index.compact(7); !isGone {
		t.Fatal("a deleted key stays")
	}
}

func TestRequestsAreDecodedAsTheyWereBuilt(t *testing.T) {
	var builder requestBuilder
	builder.begin()
	builder.compare([]byte("a"), 300)
	builder.put([]byte("a"), 5, 1_000, 1<<33)
	builder.delete([]byte("b"))
	frame := builder.frame()
	if len(frame) != cap(frame) {
		t.Errorf("the frame has %d bytes, %d were reckoned", len(frame), cap(frame))
	}
	decoded, err := decodeEntry(raftData(12, frame))
	if err != nil || decoded.id != 12 || string(decoded.compareKey) != "a" || decoded.compareModified != 300 {
		t.Fatalf("%+v, %v", decoded, err)
	}
	put, deletion := decoded.operations[0], decoded.operations[1]
	if put.isDelete || put.lease != 1<<33 || contentHash(put.value) != contentHash(builder.values[0]) {
		t.Errorf("the put is %+v", put)
	}
	if !deletion.isDelete || string(deletion.key) != "b" {
		t.Errorf("the deletion is %+v", deletion)
	}
	for cut := range frame {
		if _, err := decodeRequest(frame[:cut]); cut > 0 && err == nil && cut < len(frame)/2 {
			t.Errorf("%d bytes of it are taken", cut)
		}
	}
}
