//go:build linux

package rpc

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/types"
)

// queue is a mempool whose application looks at one transaction at a time.
type queue struct {
	mempool.NopMempool
	mutex sync.Mutex
	// Bad ones that it has looked at.
	bad atomic.Int64
}

func (q *queue) CheckTx(tx types.Tx, told func(*abci.ResponseCheckTx), _ mempool.TxInfo) error {
	q.mutex.Lock()
	time.Sleep(50 * time.Microsecond)
	q.mutex.Unlock()
	answer := &abci.ResponseCheckTx{}
	if strings.HasPrefix(string(tx), "bad") {
		answer.Code = 2
		q.bad.Add(1)
	}
	told(answer)
	return nil
}

// The flood comes from 127.0.0.2, everybody else from 127.0.0.1. What others wait for is counted in transactions of the
// flood that were looked at meanwhile, which a slow machine does not change.
func TestAFloodOfRefusedTransactionsKeepsNobodyElseWaiting(t *testing.T) {
	const senders, honest = 100, 100
	pool := &queue{}
	env := environment(t)
	env.Mempool = pool
	s := startWith(t, env, 2*senders, true, false)
	var flood sync.WaitGroup
	stop := make(chan struct{})
	for n := range senders {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		c, err := from.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		form := []string{"plain", "long", "page"}[n%3]
		flood.Add(1)
		go func() {
			defer flood.Done()
			defer c.Close()
			for k := (&talker{Conn: c}); ; k.heard = "" {
				select {
				case <-stop:
					return
				default:
				}
				k.say(inForm(form, "broadcast_tx_sync", "bad"))
				if !k.answers(10*time.Second, 1) {
					return
				}
			}
		}()
	}
	for begun := time.Now(); !s.suspects.holds(peerOf("127.0.0.2:1")); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the flood is no suspect")
		}
	}
	// What was under way is over.
	time.Sleep(50 * time.Millisecond)
	k := dial(t, s.address, "plain")
	first, begun := pool.bad.Load(), time.Now()
	meanwhile := make([]int64, honest)
	for n := range meanwhile {
		before := pool.bad.Load()
		k.heard = ""
		k.say(inForm("plain", "broadcast_tx_sync", "good"))
		if !k.answers(10*time.Second, 1) {
			t.Fatalf("%q", k.heard)
		}
		meanwhile[n] = pool.bad.Load() - before
		time.Sleep(3 * time.Millisecond)
	}
	looked, took := pool.bad.Load()-first, time.Since(begun)
	close(stop)
	flood.Wait()
	slices.Sort(meanwhile)
	if half := meanwhile[honest/2]; half > senders/4 {
		t.Errorf("half of the good ones waited for %d others and more", half)
	}
	// Each sender may have had one under way when the count began.
	if at := int64((took + behind) / pace); looked > at+senders || looked < at/20 {
		t.Errorf("%d of the flood were looked at in %v", looked, took)
	}
	if s.suspects.holds(peerOf("127.0.0.1:1")) {
		t.Error("who sends good ones is a suspect")
	}
	t.Logf("%d of the flood in %v; behind them half of the good ones waited for %d, one for %d", looked, took, meanwhile[honest/2], meanwhile[honest-1])
}
