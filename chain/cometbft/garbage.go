package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapRoom is up to how many bytes the heap may grow before garbage is collected, however little of it is in use.
	heapRoom = 88 << 20
	// By how many hundredths it may outgrow what is in use: at least, where that leaves no room, and at most.
	leastGarbage = 40
	mostGarbage  = 400
	// look is how often is looked what is in use.
	look = 100 * time.Millisecond
)

// collectSeldom sets when garbage is collected, where the environment does not say, and answers whether it did. Go's own
// rule, a heap of twice what is in use, collects most often when there is least, and with much in use the process holds
// half as much again.
func collectSeldom() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetGCPercent(leastGarbage)
	go func() {
		set := leastGarbage
		for range time.Tick(look) {
			// Setting it stops all routines for a moment, which small differences are not worth.
			if now := garbageFor(inUse()); now < set || now > set+set/10 {
				debug.SetGCPercent(now)
				set = now
			}
		}
	}()
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
