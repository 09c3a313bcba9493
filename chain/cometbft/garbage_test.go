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

func TestWhatIsInUseSetsWhenGarbageIsCollected(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	if !collectSeldom() {
		t.Fatal("the environment says something")
	}
	for _, bytes := range []int{0, 2 * heapRoom, heapRoom / 2, 3 * heapRoom, 0} {
		held = make([]byte, bytes)
		percent, want := 0, 0
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			runtime.GC()
			want = garbageFor(inUse())
			percent = debug.SetGCPercent(leastGarbage + 1)
			debug.SetGCPercent(percent)
			if percent >= want*9/10 && percent <= want*11/10 && (bytes < heapRoom || want == leastGarbage) {
				break
			}
		}
		if percent < want*9/10 || percent > want*11/10 || bytes > heapRoom && want != leastGarbage {
			t.Errorf("%d bytes held, %d in use: %d %%, not %d", bytes, inUse(), percent, want)
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
