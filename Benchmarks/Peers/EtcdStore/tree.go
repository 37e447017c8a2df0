package main

import (
	"bytes"
	"slices"
)

const (
	mostItems   = 63
	fewestItems = 31
)

// keyTree is the index of keys: a B-tree of degree 32 of pointers, after etcd's treeIndex. A snapshot shares all nodes; a node of an
// older epoch is copied before it changes.
type keyTree struct {
	root  *treeNode
	count int
	epoch int
}

type treeNode struct {
	epoch    int
	items    []*keyIndex
	children []*treeNode // nil in a leaf
}

func newTreeNode(epoch int, isLeaf bool) *treeNode {
	node := &treeNode{epoch: epoch, items: make([]*keyIndex, 0, mostItems)}
	if !isLeaf {
		node.children = make([]*treeNode, 0, mostItems+1)
	}
	return node
}

func (node *treeNode) isLeaf() bool { return node.children == nil }

func (node *treeNode) search(key []byte) (int, bool) {
	return slices.BinarySearchFunc(node.items, key, func(item *keyIndex, key []byte) int {
		return bytes.Compare(item.key, key)
	})
}

func (tree *keyTree) find(key []byte) *keyIndex {
	for node := tree.root; node != nil; {
		place, found := node.search(key)
		if found {
			return node.items[place]
		}
		if node.isLeaf() {
			return nil
		}
		node = node.children[place]
	}
	return nil
}

func (tree *keyTree) snapshot() keyTree {
	copied := *tree
	tree.epoch++
	return copied
}

// ascend visits the keys not before start in order, until visit answers false.
func (tree *keyTree) ascend(start []byte, visit func(*keyIndex) bool) {
	if tree.root != nil {
		tree.root.ascend(start, visit)
	}
}

func (node *treeNode) ascend(start []byte, visit func(*keyIndex) bool) bool {
	first, found := node.search(start)
	for place := first; place < len(node.items); place++ {
		if !node.isLeaf() && !(found && place == first) && !node.children[place].ascend(start, visit) {
			return false
		}
		if !visit(node.items[place]) {
			return false
		}
	}
	return node.isLeaf() || node.children[len(node.items)].ascend(start, visit)
}

// insert adds a key that the tree does not have; full nodes are split on the way down.
func (tree *keyTree) insert(item *keyIndex) {
	switch {
	case tree.root == nil:
		tree.root = newTreeNode(tree.epoch, true)
	case len(tree.root.items) == mostItems:
		taller := newTreeNode(tree.epoch, false)
		taller.children = append(taller.children, tree.root.owned(tree.epoch))
		taller.splitChild(0, tree.epoch)
		tree.root = taller
	default:
		tree.root = tree.root.owned(tree.epoch)
	}
	node := tree.root
	for {
		place, _ := node.search(item.key)
		if node.isLeaf() {
			node.items = slices.Insert(node.items, place, item)
			tree.count++
			return
		}
		if below := node.ownedChild(place, tree.epoch); len(below.items) == mostItems {
			node.splitChild(place, tree.epoch)
			if bytes.Compare(item.key, node.items[place].key) > 0 {
				place++
			}
		}
		node = node.children[place]
	}
}

// remove takes a key out; nodes with the fewest items are filled on the way down.
func (tree *keyTree) remove(key []byte) {
	if tree.root == nil {
		return
	}
	tree.root = tree.root.owned(tree.epoch)
	if tree.root.remove(key, tree.epoch) {
		tree.count--
	}
	if len(tree.root.items) == 0 {
		if tree.root.isLeaf() {
			tree.root = nil
		} else {
			tree.root = tree.root.children[0]
		}
	}
}

func (node *treeNode) owned(epoch int) *treeNode {
	if node.epoch == epoch {
		return node
	}
	copied := newTreeNode(epoch, node.isLeaf())
	copied.items = append(copied.items, node.items...)
	copied.children = append(copied.children, node.children...)
	return copied
}

func (node *treeNode) ownedChild(place, epoch int) *treeNode {
	node.children[place] = node.children[place].owned(epoch)
	return node.children[place]
}

func (node *treeNode) splitChild(place, epoch int) {
	left := node.ownedChild(place, epoch)
	half := mostItems / 2
	right, middle := newTreeNode(epoch, left.isLeaf()), left.items[half]
	right.items = append(right.items, left.items[half+1:]...)
	left.items = slices.Delete(left.items, half, len(left.items))
	if !left.isLeaf() {
		right.children = append(right.children, left.children[half+1:]...)
		left.children = slices.Delete(left.children, half+1, len(left.children))
	}
	node.children = slices.Insert(node.children, place+1, right)
	node.items = slices.Insert(node.items, place, middle)
}

func (node *treeNode) remove(key []byte, epoch int) bool {
	place, found := node.search(key)
	if node.isLeaf() {
		if found {
			node.items = slices.Delete(node.items, place, place+1)
		}
		return found
	}
	if len(node.children[place].items) <= fewestItems {
		node.fillChild(place, epoch)
		return node.remove(key, epoch)
	}
	below := node.ownedChild(place, epoch)
	if !found {
		return below.remove(key, epoch)
	}
	node.items[place] = below.removeLast(epoch)
	return true
}

func (node *treeNode) removeLast(epoch int) *keyIndex {
	last := len(node.items)
	if node.isLeaf() {
		item := node.items[last-1]
		node.items = slices.Delete(node.items, last-1, last)
		return item
	}
	if len(node.children[last].items) <= fewestItems {
		node.fillChild(last, epoch)
		return node.removeLast(epoch)
	}
	return node.ownedChild(last, epoch).removeLast(epoch)
}

// fillChild gives a child that has the fewest items one more, from a neighbour that can spare it or by merging.
func (node *treeNode) fillChild(place, epoch int) {
	switch {
	case place > 0 && len(node.children[place-1].items) > fewestItems:
		left, right := node.ownedChild(place-1, epoch), node.ownedChild(place, epoch)
		last := len(left.items) - 1
		right.items = slices.Insert(right.items, 0, node.items[place-1])
		node.items[place-1] = left.items[last]
		left.items = slices.Delete(left.items, last, last+1)
		if !left.isLeaf() {
			right.children = slices.Insert(right.children, 0, left.children[last+1])
			left.children = slices.Delete(left.children, last+1, last+2)
		}
	case place < len(node.items) && len(node.children[place+1].items) > fewestItems:
		left, right := node.ownedChild(place, epoch), node.ownedChild(place+1, epoch)
		left.items = append(left.items, node.items[place])
		node.items[place] = right.items[0]
		right.items = slices.Delete(right.items, 0, 1)
		if !left.isLeaf() {
			left.children = append(left.children, right.children[0])
			right.children = slices.Delete(right.children, 0, 1)
		}
	default:
		place = min(place, len(node.items)-1)
		left, right := node.ownedChild(place, epoch), node.children[place+1]
		left.items = append(append(left.items, node.items[place]), right.items...)
		left.children = append(left.children, right.children...)
		node.items = slices.Delete(node.items, place, place+1)
		node.children = slices.Delete(node.children, place+1, place+2)
	}
}
