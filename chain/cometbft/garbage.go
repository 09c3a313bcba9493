package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapRoom is up to how many bytes the heap may grow before garbage is collected, however little of it is in use.
	heapRoom = 88 << 20
	// By how many hundredths it may outgrow what is in use: at least, where that leaves no room, and at most.
	leastGarbage = 40
	mostGarbage  = 400
)

// collectSeldom sets when garbage is collected, where the environment does not say, and answers whether it did. Go's own rule, a heap of twice what
// is in use, collects most often when there is least, and with much in use the process holds half as much again.
func collectSeldom() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetGCPercent(leastGarbage)
	afterCollection(func() { debug.SetGCPercent(garbageFor(inUse())) })
	return true
}

// garbageFor is by how many hundredths the heap may grow with so many bytes in use.
func garbageFor(used uint64) int {
	if used >= heapRoom {
		return leastGarbage
	}
	return int(min(max((heapRoom-used)*100/max(used, 1), leastGarbage), mostGarbage))
}

// inUse are the bytes that the last collection has found in use.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterCollection calls a function after every collection of garbage: nothing points to the mark, so that each collection
// finalizes one.
func afterCollection(then func()) {
	type mark struct{ _ *byte }
	var again func(*mark)
	again = func(*mark) {
		then()
		runtime.SetFinalizer(&mark{}, again)
	}
	runtime.SetFinalizer(&mark{}, again)
}
