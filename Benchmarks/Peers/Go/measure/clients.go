package measure

import "sync"

// Clients runs body on as many goroutines as there are threads, waits for all, and returns what each returned, by index.
func Clients[Part any](threads int, body func(index int) Part) []Part {
	parts := make([]Part, threads)
	var group sync.WaitGroup
	for index := range threads {
		group.Go(func() { parts[index] = body(index) })
	}
	group.Wait()
	return parts
}

// Share is how much of a total client index does, where all do the same but for what division leaves.
func Share(total, index, threads int) int {
	return total*(index+1)/threads - total*index/threads
}
