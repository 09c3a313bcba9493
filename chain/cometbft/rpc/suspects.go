package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
)

// The numbers are those of chain/node (net/suspects.rs), which has the same line before its own ports.
const (
	// Refused transactions that an address may have behind it, and how long it takes until one of them is forgotten.
	forgiven       = 50
	forgivenPeriod = 100 * time.Millisecond
	// How long an address that sends no more is a suspect.
	suspected = time.Second
	// From one transaction of a suspect to the next one that is looked at.
	pace = 500 * time.Microsecond
	// How far the line may be behind and catch up: timers are no finer than this.
	behind = 4 * time.Millisecond
	// Addresses that are remembered. When there are more, those that were refused first stay.
	knownMax = 4096
	// How often it is looked for addresses to forget when there is no room.
	sweepPeriod = 100 * time.Millisecond
)

// suspects are addresses whose transactions are refused again and again. What they send is looked at one after the other,
// at a pace that leaves the machine to everybody else.
//
// Whether a transaction is good shows only when it was looked at, and people share addresses. So what a suspect sends is
// not refused, it waits, and all suspects together have one line. A connection asks again when it was answered, so the
// line is as long as there are connections. Good transactions make good for refused ones.
type suspects struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
	// When the next one is looked at. Who has it is the first in the line; the others wait for it in their order.
	line chan time.Time

	// Over the rest.
	mutex sync.Mutex
	// When all that was refused is forgotten.
	until map[netip.Addr]time.Time
	swept time.Time
}

func newSuspects() *suspects {
	s := &suspects{now: time.Now, after: time.After, line: make(chan time.Time, 1), until: map[netip.Addr]time.Time{}}
	s.line <- time.Time{}
	return s
}

// peerOf is the client at the other end: its address, or the /64 network of an IPv6 one, which a single client usually
// has to itself. A socket of this machine that has a path has none.
func peerOf(remote string) netip.Addr {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	peer := address.Addr().Unmap()
	if peer.Is4() {
		return peer
	}
	network, _ := peer.Prefix(64)
	return network.Addr()
}

// holds says whether a client is one.
func (s *suspects) holds(peer netip.Addr) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	until, known := s.until[peer]
	return known && until.After(s.now().Add(forgiven*forgivenPeriod))
}

// told takes in what became of a transaction.
func (s *suspects) told(peer netip.Addr, refused bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	until, known := s.until[peer]
	if !known && !refused || !peer.IsValid() {
		return
	}
	now := s.now()
	switch {
	case !refused:
		until = until.Add(-forgivenPeriod)
	case known:
		until = later(until, now).Add(forgivenPeriod)
		if most := now.Add(forgiven*forgivenPeriod + suspected); until.After(most) {
			until = most
		}
	case s.room(now):
		until = now.Add(forgivenPeriod)
	}
	if until.After(now) {
		s.until[peer] = until
	} else {
		delete(s.until, peer)
	}
}

// room says whether one more can be remembered.
func (s *suspects) room(now time.Time) bool {
	if len(s.until) >= knownMax && !now.Before(s.swept.Add(sweepPeriod)) {
		s.swept = now
		for peer, until := range s.until {
			if !until.After(now) {
				delete(s.until, peer)
			}
		}
	}
	return len(s.until) < knownMax
}

// wait returns when a transaction of a suspect may be looked at. Who has gone leaves the line, which is an error.
func (s *suspects) wait(ctx context.Context) error {
	var next time.Time
	select {
	case next = <-s.line:
	case <-ctx.Done():
		return fmt.Errorf("transaction not looked at: %w", ctx.Err())
	}
	now := s.now()
	if early := next.Sub(now); early > 0 {
		select {
		case <-s.after(early):
		case <-ctx.Done():
			s.line <- next
			return fmt.Errorf("transaction not looked at: %w", ctx.Err())
		}
		now = s.now()
	}
	s.line <- later(next, now.Add(-behind)).Add(pace)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// watch has every call that hands a transaction over wait in the line where it must, and tell what became of it.
func (s *suspects) watch(routes core.RoutesMap, env *core.Environment) {
	routes["broadcast_tx_sync"] = watched(s, env, (*core.Environment).BroadcastTxSync)
	routes["broadcast_tx_async"] = watched(s, env, (*core.Environment).BroadcastTxAsync)
	routes["broadcast_tx_commit"] = watched(s, env, (*core.Environment).BroadcastTxCommit)
	routes["check_tx"] = watched(s, env, (*core.Environment).CheckTx)
}

// watched is CometBFT's method with ears. A batch waits for each of its calls.
func watched[R any](
	s *suspects, env *core.Environment, method func(*core.Environment, *rpctypes.Context, types.Tx) (*R, error),
) *server.RPCFunc {
	return server.NewRPCFunc(func(ctx *rpctypes.Context, tx types.Tx) (*R, error) {
		peer := peerOf(ctx.RemoteAddr())
		if s.holds(peer) {
			if err := s.wait(ctx.Context()); err != nil {
				return nil, err
			}
		}
		own := *env
		own.Mempool = heard{env.Mempool, s, peer}
		own.ProxyAppMempool = asked{env.ProxyAppMempool, s, peer}
		return method(&own, ctx, tx)
	}, "tx")
}

// heard is a mempool for a client. What the application says of a transaction is heard also where nobody waits for it.
type heard struct {
	mempool.Mempool
	suspects *suspects
	peer     netip.Addr
}

func (h heard) CheckTx(tx types.Tx, then func(*abci.ResponseCheckTx), info mempool.TxInfo) error {
	err := h.Mempool.CheckTx(tx, func(answer *abci.ResponseCheckTx) {
		h.suspects.told(h.peer, answer.GetCode() != abci.CodeTypeOK)
		if then != nil {
			then(answer)
		}
	}, info)
	if err != nil && ofSender(err) {
		h.suspects.told(h.peer, true)
	}
	return err
}

// ofSender says whether a mempool's error is its sender's fault. One that is full, or an application that is gone, is not.
func ofSender(err error) bool {
	return errors.Is(err, mempool.ErrTxInCache) || errors.As(err, &mempool.ErrTxTooLarge{}) || mempool.IsPreCheckError(err)
}

// asked is the application for a client that asks it past the mempool.
type asked struct {
	proxy.AppConnMempool
	suspects *suspects
	peer     netip.Addr
}

func (a asked) CheckTx(ctx context.Context, request *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	answer, err := a.AppConnMempool.CheckTx(ctx, request)
	if err == nil {
		a.suspects.told(a.peer, answer.GetCode() != abci.CodeTypeOK)
	}
	return answer, err
}
