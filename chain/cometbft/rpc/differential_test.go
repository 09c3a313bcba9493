package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	"github.com/cometbft/cometbft/types"
)

// app says of a transaction what the transaction says.
type app struct{ abci.BaseApplication }

func (app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	code, text, _ := strings.Cut(string(req.Tx), "=")
	answer := &abci.ResponseCheckTx{Log: text}
	if strings.HasPrefix(code, "bad") {
		answer.Code, answer.Codespace, answer.Data = 4294967295, "sdk", []byte{0, 255, 16}
	}
	return answer, nil
}

// odd is a mempool that breaks its word for some transactions.
type odd struct{ mempool.Mempool }

func (m odd) CheckTx(tx types.Tx, told func(*abci.ResponseCheckTx), info mempool.TxInfo) error {
	switch string(tx) {
	case "panic text":
		panic("it is <broken>")
	case "panic error":
		panic(errors.New("an error"))
	case "panic number":
		panic(7)
	case "never":
		return nil
	case "codespace":
		told(&abci.ResponseCheckTx{Codespace: "a&b"})
		return nil
	}
	return m.Mempool.CheckTx(tx, told, info)
}

// environment is what handlers need, with a mempool of its own for three transactions.
func environment(t *testing.T) *core.Environment {
	t.Helper()
	client := abcicli.NewLocalClient(nil, app{})
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop() })
	config := cfg.TestMempoolConfig()
	config.Size, config.MaxTxBytes, config.MaxTxsBytes = 3, 1000, 2500
	bus := types.NewEventBus()
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Stop() })
	connection := proxy.NewAppConnMempool(client, proxy.NopMetrics())
	return &core.Environment{
		ProxyAppMempool: connection,
		Mempool:         odd{mempool.NewCListMempool(config, connection, 1)},
		EventBus:        bus,
		Config:          *cfg.TestRPCConfig(),
		Logger:          log.NewNopLogger(),
	}
}

// side is a server that listens.
type side struct {
	address string
	// Requests that CometBFT's handlers have got.
	handled  *atomic.Int64
	suspects *suspects
}

// limits are short where a test waits for them.
func limits() *server.Config {
	limits := server.DefaultConfig()
	limits.MaxBodyBytes = 3000
	limits.ReadTimeout, limits.WriteTimeout = 500*time.Millisecond, 700*time.Millisecond
	return limits
}

// start serves with or without what this package does.
func start(t *testing.T, fast, origins bool) side {
	t.Helper()
	return startWith(t, environment(t), 9, fast, origins)
}

func startWith(t *testing.T, env *core.Environment, connections int, fast, origins bool) side {
	t.Helper()
	config := cfg.RPCConfig{}
	if origins {
		config.CORSAllowedOrigins = []string{"http://page.example"}
		config.CORSAllowedMethods = []string{"POST", "GET"}
	}
	listener, err := server.Listen("tcp://127.0.0.1:0", connections)
	if err != nil {
		t.Fatal(err)
	}
	limits, logger := limits(), log.NewNopLogger()
	s := side{listener.Addr().String(), &atomic.Int64{}, newSuspects()}
	routes := env.GetRoutes()
	if fast {
		s.suspects.watch(routes, env)
	}
	handler := (&served{config: config}).handler(routes, limits, logger)
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handled.Add(1)
		handler.ServeHTTP(w, r)
	})
	go func() {
		if fast {
			_ = serve(listener, counted, newBroadcast(env, limits, s.suspects, origins, logger), limits, logger)
		} else {
			_ = server.Serve(listener, counted, logger, limits)
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return s
}

var (
	changing = regexp.MustCompile(`(X-Server-Time: \d+|Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)`)
	ports    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// talk has a first request answered, sends parts with pauses between them, asks for something else, and returns all that
// was answered, but for the time and the ports.
func (s side) talk(t *testing.T, parts ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := post(`{"jsonrpc":"2.0","id":0,"method":"health"}`)
	last := "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, part := range append(append([]string{first}, parts...), last) {
		if _, err := c.Write([]byte(part)); err != nil {
			break
		}
		time.Sleep(15 * time.Millisecond)
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	all, _ := io.ReadAll(c)
	text := changing.ReplaceAllStringFunc(string(all), func(found string) string {
		name, _, _ := strings.Cut(found, ":")
		return name + ": now"
	})
	return ports.ReplaceAllString(text, "127.0.0.1:1")
}

func post(body string, fields ...string) string {
	head := "POST / HTTP/1.1\r\nHost: localhost:26657\r\nContent-Type: application/json\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// compare has both sides answer, and returns what they answered, and how many requests went past our handlers.
func compare(t *testing.T, stock, ours side, parts ...string) (string, int64) {
	t.Helper()
	one, other := stock.handled.Load(), ours.handled.Load()
	want, got := stock.talk(t, parts...), ours.talk(t, parts...)
	if got != want {
		t.Errorf("%.300q\nCometBFT answers %q\nthis server      %q", parts, want, got)
	}
	return got, (stock.handled.Load() - one) - (ours.handled.Load() - other)
}

func both(t *testing.T, origins bool) (stock, ours side) {
	return start(t, false, origins), start(t, true, origins)
}
