package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/mempool"
)

// watch is a clock that goes on when somebody waits for it.
type watch struct{ time time.Time }

func (w *watch) now() time.Time { return w.time }

func (w *watch) after(d time.Duration) <-chan time.Time {
	w.time = w.time.Add(d)
	rung := make(chan time.Time, 1)
	rung <- w.time
	return rung
}

func timed() (*suspects, *watch) {
	s, w := newSuspects(), &watch{time.Unix(1_700_000_000, 0)}
	s.now, s.after = w.now, w.after
	return s, w
}

func client(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
}

func TestWhoIsRefusedAgainAndAgainIsOneForAWhile(t *testing.T) {
	s, clock := timed()
	at := func(since time.Duration, peer netip.Addr) bool {
		begun := clock.time
		defer func() { clock.time = begun }()
		clock.time = begun.Add(since)
		return s.holds(peer)
	}
	for range forgiven {
		s.told(client(1), true)
	}
	if s.holds(client(1)) {
		t.Error("so many are forgiven")
	}
	s.told(client(1), true)
	if !s.holds(client(1)) || s.holds(client(2)) {
		t.Error("one more is not, of nobody else")
	}
	if at(forgivenPeriod, client(1)) {
		t.Error("one of them is forgotten")
	}
	for range 100_000 {
		s.told(client(1), true)
	}
	if !at(suspected-forgivenPeriod, client(1)) || at(suspected, client(1)) {
		t.Error("it lasts a second, however many there were")
	}
}

func TestGoodOnesMakeGood(t *testing.T) {
	s, _ := timed()
	for n := range 10_000 {
		s.told(client(1), n%2 == 0)
		if s.holds(client(1)) {
			t.Fatalf("after %d", n)
		}
	}
	if len(s.until) != 0 {
		t.Error("nothing is left of it")
	}
}

func TestOnlySoManyAreRemembered(t *testing.T) {
	s, clock := timed()
	for n := range 20_000 {
		s.told(client(n), true)
	}
	if _, first := s.until[client(0)]; len(s.until) != knownMax || !first {
		t.Errorf("%d, the first one %v", len(s.until), first)
	}
	// Room is there again when the first are forgotten, and is looked for now and then.
	swept := s.swept
	clock.time = clock.time.Add(sweepPeriod - 1)
	if s.told(client(20_000), true); s.swept != swept || len(s.until) != knownMax {
		t.Error("it was looked for room too early")
	}
	clock.time = clock.time.Add(1)
	if s.told(client(20_000), true); len(s.until) != 1 {
		t.Errorf("%d are left", len(s.until))
	}
}

func TestPeers(t *testing.T) {
	for _, row := range []struct {
		one, other string
		same       bool
	}{
		{"10.0.0.1:1", "10.0.0.2:1", false},
		{"10.0.0.1:1", "10.0.0.1:2", true},
		{"10.0.0.1:1", "[::ffff:10.0.0.1]:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:2", true},
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:1", true},
	} {
		if one, other := peerOf(row.one), peerOf(row.other); (one == other) != row.same || !one.IsValid() {
			t.Errorf("%s and %s: %s and %s", row.one, row.other, one, other)
		}
	}
	s, _ := timed()
	for _, remote := range []string{"", "@", "/run/rpc.sock"} {
		for range 100 {
			s.told(peerOf(remote), true)
		}
		if s.holds(peerOf(remote)) {
			t.Errorf("%q is a suspect", remote)
		}
	}
}

func TestTheLineHasAPaceAndCatchesUpALittle(t *testing.T) {
	s, clock := timed()
	wait := func(times int) time.Duration {
		begun := clock.time
		for range times {
			if err := s.wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return clock.time.Sub(begun)
	}
	const ahead = int(behind / pace)
	if took := wait(1 + ahead); took != 0 {
		t.Errorf("the first ones took %v", took)
	}
	if took := wait(1_000); took != 1_000*pace {
		t.Errorf("a thousand took %v", took)
	}
	clock.time = clock.time.Add(time.Hour)
	if took := wait(1_000); took != time.Duration(1_000-1-ahead)*pace {
		t.Errorf("a thousand after an hour took %v", took)
	}
}

func TestWhoHasGoneLeavesTheLine(t *testing.T) {
	s, clock := timed()
	next := <-s.line
	for range 100 {
		gone, cancel := context.WithCancel(context.Background())
		left := make(chan error)
		go func() { left <- s.wait(gone) }()
		cancel()
		if err := <-left; err == nil {
			t.Error("it was its turn")
		}
	}
	s.line <- next
	// The first of the line may go as well.
	far := clock.time.Add(time.Hour)
	<-s.line
	s.line <- far
	s.after = func(time.Duration) <-chan time.Time { return nil }
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		if err := s.wait(gone); err == nil {
			t.Error("it was its turn")
		}
	}
	select {
	case at := <-s.line:
		if at != far {
			t.Errorf("the next one's turn is at %v", at)
		}
	default:
		t.Error("the line has no end")
	}
}

// talker is a connection of which answers are counted.
type talker struct {
	net.Conn
	heard string
}

// dial has a first request answered, so that the next may be answered in the short way.
func dial(t *testing.T, address, form string) *talker {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	k := &talker{Conn: c}
	if form == "websocket" {
		k.say(hello)
		k.hear(5*time.Second, func(heard string) bool { return strings.HasSuffix(heard, "\r\n\r\n") })
	} else {
		k.say(post(`{"jsonrpc":"2.0","id":0,"method":"health"}`))
		k.answers(5*time.Second, 1)
	}
	k.heard = ""
	return k
}

func (k *talker) say(text string) { _, _ = k.Write([]byte(text)) }

func (k *talker) hear(limit time.Duration, enough func(string) bool) bool {
	_ = k.SetReadDeadline(time.Now().Add(limit))
	for part := make([]byte, 4096); !enough(k.heard); {
		n, err := k.Read(part)
		k.heard += string(part[:n])
		if err != nil {
			return false
		}
	}
	return true
}

// answers says whether so many have come.
func (k *talker) answers(limit time.Duration, count int) bool {
	return k.hear(limit, func(heard string) bool { return strings.Count(heard, `"jsonrpc"`) >= count })
}

var (
	methods = []string{"broadcast_tx_sync", "broadcast_tx_async", "broadcast_tx_commit", "check_tx"}
	// Ways in, and how many transactions one request of each has.
	forms = map[string]int{"plain": 1, "long": 1, "batch": 2, "page": 1, "websocket": 1}
)

// inForm is a request that hands a transaction over.
func inForm(form, method, tx string) string {
	switch form {
	case "long":
		return post(sent("-1", method, tx))
	case "batch":
		return post("[" + sent("1", method, tx) + "," + sent("2", method, tx) + "]")
	case "page":
		return fmt.Sprintf("GET /%s?tx=0x%s HTTP/1.1\r\nHost: a\r\n\r\n", method, hex.EncodeToString([]byte(tx)))
	case "websocket":
		return frame(1, sent("1", method, tx))
	default:
		return post(sent("1", method, tx))
	}
}

func inEveryForm(t *testing.T, test func(t *testing.T, s side, form, method string, each int)) {
	for form, each := range forms {
		for _, method := range methods {
			t.Run(form+" "+method, func(t *testing.T) {
				t.Parallel()
				test(t, start(t, true, false), form, method, each)
			})
		}
	}
}

func TestEveryWayInIsHeard(t *testing.T) {
	inEveryForm(t, func(t *testing.T, s side, form, method string, each int) {
		k, peer := dial(t, s.address, form), peerOf("127.0.0.1:1")
		for n := range 100 {
			k.say(inForm(form, method, "bad"))
			if !k.answers(5*time.Second, (n+1)*each) {
				t.Fatalf("after %d: %q", n, k.heard)
			}
		}
		if !s.suspects.holds(peer) {
			t.Error("it is no suspect")
		}
		// Good ones are taken, and make good.
		s.suspects.mutex.Lock()
		before := s.suspects.until[peer]
		s.suspects.mutex.Unlock()
		k.heard = ""
		k.say(inForm("plain", "broadcast_tx_sync", "good"))
		if form == "websocket" {
			k = dial(t, s.address, "plain")
			k.say(inForm("plain", "broadcast_tx_sync", "good"))
		}
		if !k.answers(5*time.Second, 1) || !strings.Contains(k.heard, `"code":0`) {
			t.Errorf("%q", k.heard)
		}
		s.suspects.mutex.Lock()
		defer s.suspects.mutex.Unlock()
		if after := s.suspects.until[peer]; !after.Before(before) {
			t.Errorf("%v after %v", after, before)
		}
	})
}

func TestEveryWayInWaitsInTheLine(t *testing.T) {
	inEveryForm(t, func(t *testing.T, s side, form, method string, each int) {
		k := dial(t, s.address, form)
		for range 100 {
			s.suspects.told(peerOf("127.0.0.1:1"), true)
		}
		next := <-s.suspects.line
		k.say(inForm(form, method, "bad"))
		if k.answers(50*time.Millisecond, 1) {
			t.Errorf("%q before its turn", k.heard)
		}
		s.suspects.line <- next
		if !k.answers(5*time.Second, each) {
			t.Errorf("%q", k.heard)
		}
	})
}

func TestWhoHangsUpOrWaitsTooLongIsNotLookedAt(t *testing.T) {
	for _, form := range []string{"plain", "long", "batch", "page"} {
		for _, stays := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v", form, stays), func(t *testing.T) {
				t.Parallel()
				env := environment(t)
				s := startWith(t, env, 9, true, false)
				k := dial(t, s.address, form)
				for range 100 {
					s.suspects.told(peerOf("127.0.0.1:1"), true)
				}
				next := <-s.suspects.line
				k.say(inForm(form, "broadcast_tx_sync", "good"))
				if stays {
					// The time to write an answer has just passed, and the connection ends; an answer that slips through is
					// one of an error.
					begun := time.Now()
					k.hear(5*time.Second, func(string) bool { return false })
					said := strings.Count(k.heard, `"jsonrpc"`) == strings.Count(k.heard, "transaction not looked at: ")
					if took := time.Since(begun); !said || took < 600*time.Millisecond || took > 4*time.Second {
						t.Errorf("%q after %v", k.heard, took)
					}
				} else {
					time.Sleep(30 * time.Millisecond)
					_ = k.Close()
					time.Sleep(30 * time.Millisecond)
				}
				s.suspects.line <- next
				time.Sleep(30 * time.Millisecond)
				if env.Mempool.Size() != 0 {
					t.Error("it was looked at")
				}
			})
		}
	}
}

func TestOfAMempoolsErrorsOnlyTheSendersCount(t *testing.T) {
	for _, row := range []struct {
		tx    string
		count bool
	}{{"a", true}, {strings.Repeat("x", 1001), true}, {"bad", true}, {"full", false}} {
		env, suspects, peer := environment(t), newSuspects(), client(1)
		pool := heard{env.Mempool, suspects, peer}
		hand := func(tx string) { _ = pool.CheckTx([]byte(tx), nil, mempool.TxInfo{}) }
		for _, tx := range []string{"a", "b", "c"} {
			if row.tx == "full" || tx == row.tx {
				hand(tx)
			}
		}
		for range 100 {
			hand(row.tx)
		}
		if suspects.holds(peer) != row.count {
			t.Errorf("%.10s: a suspect is %v", row.tx, !row.count)
		}
	}
}
