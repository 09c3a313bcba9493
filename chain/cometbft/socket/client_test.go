package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/server"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/protoio"
)

const patience = 10 * time.Second

// application answers with what it was asked.
type application struct {
	types.BaseApplication
}

func (application) CheckTx(_ context.Context, req *types.RequestCheckTx) (*types.ResponseCheckTx, error) {
	return &types.ResponseCheckTx{Data: req.Tx}, nil
}

func (application) Query(_ context.Context, req *types.RequestQuery) (*types.ResponseQuery, error) {
	if req.Path == "/fail" {
		return nil, errors.New("no")
	}
	return &types.ResponseQuery{Value: req.Data}, nil
}

func address(t *testing.T) string {
	t.Helper()
	return "unix://" + filepath.Join(t.TempDir(), "abci.sock")
}

func start(t *testing.T, address string) *Client {
	t.Helper()
	client := NewClient(address)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop() })
	return client
}

// served is a client of CometBFT's own server, which keeps its answers back until a Flush.
func served(t *testing.T) *Client {
	t.Helper()
	at := address(t)
	service := server.NewSocketServer(at, application{})
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Stop() })
	return start(t, at)
}

// against is a client of an application that does what is said with the one connection that it accepts.
func against(t *testing.T, serve func(net.Conn)) *Client {
	t.Helper()
	at := address(t)
	listener, err := net.Listen("unix", strings.TrimPrefix(at, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		if conn, err := listener.Accept(); err == nil {
			defer conn.Close()
			serve(conn)
		}
	}()
	return start(t, at)
}

// soon waits for something that must happen.
func soon(t *testing.T, what string, happens func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { happens(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

func checkTx(tx string) *types.RequestCheckTx { return &types.RequestCheckTx{Tx: []byte(tx)} }

func TestEveryCallHasItsAnswer(t *testing.T) {
	client := reflect.ValueOf(served(t))
	asked := 0
	for _, name := range []string{
		"Info", "Query", "CheckTx", "InitChain", "PrepareProposal", "ProcessProposal", "FinalizeBlock", "ExtendVote",
		"VerifyVoteExtension", "Commit", "ListSnapshots", "OfferSnapshot", "LoadSnapshotChunk", "ApplySnapshotChunk",
	} {
		method := client.MethodByName(name)
		request := reflect.New(method.Type().In(1).Elem())
		soon(t, name, func() {
			got := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), request})
			if !got[1].IsNil() || got[0].IsNil() {
				t.Errorf("%s: %v, %v", name, got[0], got[1])
			}
		})
		asked++
	}
	// Everything that the interface of applications has.
	if all := reflect.TypeOf((*types.Application)(nil)).Elem().NumMethod(); asked != all {
		t.Errorf("%d of %d calls", asked, all)
	}
	echo, err := client.Interface().(*Client).Echo(context.Background(), "words")
	if err != nil || echo.Message != "words" {
		t.Errorf("echo: %v, %v", echo, err)
	}
}

func TestManyAtOnceKeepTheirOrderAndTheirAnswers(t *testing.T) {
	client := served(t)
	const callers, each = 16, 500
	var all, told sync.WaitGroup
	all.Add(callers)
	told.Add(callers * each)
	client.SetResponseCallback(func(req *types.Request, res *types.Response) {
		if check := req.GetCheckTx(); check != nil {
			if string(check.Tx) != string(res.GetCheckTx().Data) {
				t.Errorf("%s was answered with %s", check.Tx, res.GetCheckTx().Data)
			}
			told.Done()
		}
	})
	for caller := range callers {
		go func() {
			defer all.Done()
			last := -1
			for number := range each {
				pending, err := client.CheckTxAsync(context.Background(), checkTx(fmt.Sprint(caller, " ", number)))
				if err != nil {
					t.Error(err)
					return
				}
				// Callbacks come one at a time, so `last` has one owner at a time.
				pending.SetCallback(func(*types.Response) {
					if number != last+1 {
						t.Errorf("caller %d: %d after %d", caller, number, last)
					}
					last = number
				})
			}
			if err := client.Flush(context.Background()); err != nil {
				t.Error(err)
			}
		}()
	}
	soon(t, "all answers", func() { all.Wait(); told.Wait() })
}

func TestOneAloneGoesAtOnce(t *testing.T) {
	client := served(t)
	for range 20 {
		begun := time.Now()
		pending, err := client.CheckTxAsync(context.Background(), checkTx("a"))
		if err != nil {
			t.Fatal(err)
		}
		soon(t, "an answer without a Flush of ours", pending.Wait)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

func TestFlushWaitsForWhatCameBefore(t *testing.T) {
	client := served(t)
	var answered sync.Map
	for number := range 300 {
		pending, err := client.CheckTxAsync(context.Background(), checkTx(fmt.Sprint(number)))
		if err != nil {
			t.Fatal(err)
		}
		pending.SetCallback(func(*types.Response) { answered.Store(number, true) })
	}
	soon(t, "flush", func() { _ = client.Flush(context.Background()) })
	for number := range 300 {
		if _, ok := answered.Load(number); !ok {
			t.Fatalf("%d has no answer", number)
		}
	}
}

// Requests that come while nobody reads share a Flush.
func TestManyShareAWrite(t *testing.T) {
	const requests = 900
	goOn, flushes := make(chan struct{}), make(chan int, 1)
	client := against(t, func(conn net.Conn) {
		<-goOn
		messages := protoio.NewDelimitedReader(bufio.NewReader(conn), 1<<20)
		for flushed, checked := 0, 0; ; {
			request := &types.Request{}
			if _, err := messages.ReadMsg(request); err != nil {
				return
			}
			if request.GetFlush() != nil {
				flushed++
			} else if checked++; checked == requests {
				flushes <- flushed
			}
		}
	})
	// More bytes than the socket has room for, so that the routine that writes is held up.
	tx := strings.Repeat("x", 10_000)
	for range requests {
		if _, err := client.CheckTxAsync(context.Background(), checkTx(tx)); err != nil {
			t.Fatal(err)
		}
	}
	close(goOn)
	soon(t, "the last request", func() {
		if got := <-flushes; got > requests/10 {
			t.Errorf("%d flushes for %d requests", got, requests)
		}
	})
}

func TestAnApplicationThatErrsEndsTheClient(t *testing.T) {
	answer := func(responses ...*types.Response) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			messages := protoio.NewDelimitedWriter(conn)
			for _, response := range responses {
				_, _ = messages.WriteMsg(response)
			}
			_, _ = io.Copy(io.Discard, conn)
		}
	}
	raw := func(bytes ...byte) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			_, _ = conn.Write(bytes)
			_, _ = io.Copy(io.Discard, conn)
		}
	}
	echo, flush := types.ToResponseEcho("a"), types.ToResponseFlush()
	for _, one := range []struct {
		name, says string
		serve      func(net.Conn)
	}{
		{"another kind", "*types.Response_Info to *types.Request_Echo", answer(types.ToResponseInfo(&types.ResponseInfo{}))},
		{"nothing was asked", "to nothing", answer(echo, flush, flush)},
		{"an exception", "out of order", answer(types.ToResponseException("out of order"))},
		{"no kind", "an answer <nil>", answer(&types.Response{})},
		{"no message", "read from the application", raw(3, 0xff, 0xff, 0xff)},
		{"a length without end", "read from the application", raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"an answer of gigabytes", "exceeds max size", raw(0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"it hangs up", "read from the application", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }},
	} {
		t.Run(one.name, func(t *testing.T) {
			client := against(t, one.serve)
			soon(t, "an end", func() {
				_, _ = client.Echo(context.Background(), "a")
				<-client.Quit()
			})
			if err := client.Error(); err == nil || !strings.Contains(err.Error(), one.says) {
				t.Errorf("%v, not %q", err, one.says)
			}
			soon(t, "a call after the end", func() {
				if _, err := client.Echo(context.Background(), "a"); err == nil {
					t.Error("it was answered")
				}
			})
		})
	}
}

func TestAnErrorOfTheApplicationIsTold(t *testing.T) {
	client := served(t)
	soon(t, "an end", func() {
		if _, err := client.Query(context.Background(), &types.RequestQuery{Path: "/fail"}); err == nil {
			t.Error("it was answered")
		}
	})
	if err := client.Error(); err == nil || !strings.Contains(err.Error(), "no") {
		t.Error(err)
	}
}

func TestStoppingLetsGoOfEverybody(t *testing.T) {
	// Nobody answers, and nobody reads: some wait for an answer, some to be written, some for room.
	client := against(t, func(conn net.Conn) { <-time.After(patience); _ = conn.Close() })
	tx, all := strings.Repeat("x", 10_000), sync.WaitGroup{}
	for range waitingMax + 500 {
		all.Add(1)
		go func() {
			defer all.Done()
			if pending, err := client.CheckTxAsync(context.Background(), checkTx(tx)); err == nil {
				pending.Wait()
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	if err := client.Stop(); err != nil {
		t.Fatal(err)
	}
	soon(t, "everybody", all.Wait)
}

func TestAWaitForRoomCanBeGivenUp(t *testing.T) {
	client := against(t, func(conn net.Conn) { <-time.After(patience); _ = conn.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	refused := make(chan error, 1)
	go func() {
		for {
			if _, err := client.CheckTxAsync(ctx, checkTx(strings.Repeat("x", 10_000))); err != nil {
				refused <- err
				return
			}
		}
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	soon(t, "a refusal", func() {
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestItWaitsUntilTheApplicationListens(t *testing.T) {
	at := address(t)
	client := NewClient(at)
	started := make(chan error, 1)
	go func() { started <- client.Start() }()
	time.Sleep(100 * time.Millisecond)
	service := server.NewSocketServer(at, application{})
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop(); _ = service.Stop() })
	soon(t, "a start", func() {
		if err := <-started; err != nil {
			t.Error(err)
		}
		if _, err := client.Echo(context.Background(), "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyASocketGetsThisClient(t *testing.T) {
	for _, one := range []struct {
		app, transport string
		ours           bool
	}{
		{"unix:///run/abci.sock", "socket", true},
		{"tcp://127.0.0.1:26658", "socket", true},
		{"tcp://127.0.0.1:26658", "grpc", false},
		{"kvstore", "socket", false},
		{"noop", "socket", false},
	} {
		client, err := Creator(one.app, one.transport, t.TempDir()).NewABCIClient()
		if _, ours := client.(*Client); err != nil || ours != one.ours {
			t.Errorf("%s over %s: %T, %v", one.app, one.transport, client, err)
		}
	}
	var _ abcicli.Client = (*Client)(nil)
}
