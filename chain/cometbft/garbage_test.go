package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheHeapGrowsToItsRoom(t *testing.T) {
	for _, row := range []struct {
		used    uint64
		percent int
	}{
		{0, mostGarbage}, {1, mostGarbage}, {heapRoom / 5, mostGarbage}, {heapRoom / 4, 300}, {heapRoom / 2, 100},
		{heapRoom * 5 / 8, 60}, {heapRoom * 3 / 4, leastGarbage}, {heapRoom - 1, leastGarbage}, {heapRoom, leastGarbage},
		{heapRoom + 1, leastGarbage}, {1 << 40, leastGarbage}, {1<<64 - 1, leastGarbage},
	} {
		if got := garbageFor(row.used); got != row.percent {
			t.Errorf("%d bytes in use: %d %%, not %d", row.used, got, row.percent)
		}
	}
}

var held []byte

func TestEveryCollectionSetsWhenTheNextOneIs(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	collectSeldom()
	for _, row := range []struct{ bytes, percent int }{{0, mostGarbage}, {2 * heapRoom, leastGarbage}, {heapRoom / 2, 90}, {0, mostGarbage}} {
		held = make([]byte, row.bytes)
		percent := 0
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			runtime.GC()
			time.Sleep(time.Millisecond)
			percent = debug.SetGCPercent(leastGarbage + 1)
			debug.SetGCPercent(percent)
			if percent > row.percent-20 && percent < row.percent+20 {
				break
			}
		}
		if percent <= row.percent-20 || percent >= row.percent+20 {
			t.Errorf("%d bytes in use: %d %%", row.bytes, percent)
		}
	}
	held = nil
}

func TestTheEnvironmentDecides(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv("GOGC", "")
		t.Setenv("GOMEMLIMIT", "")
		t.Setenv(name, "100")
		if collectSeldom() {
			t.Error(name)
		}
	}
}
