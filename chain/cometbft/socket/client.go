// Package socket is a client of an ABCI application behind a socket, in place of CometBFT's own (abci/client).
//
// CometBFT's client collects requests in a buffer, means to send them after 20 ms, and says 20 ns
// (flushThrottleMS of abci/client/socket_client.go). The timer goes off before the routine that it should wake has had a
// processor, is set again, and takes that processor for itself: on a machine with two of them a third of the engine's
// time, and milliseconds in which nobody else runs. This client has no timer. It sends what is there as soon as there is
// no more: one request alone goes at once, and many at the same time share a write.
//
// On the wire nothing differs (CometBFT's spec/abci/abci++_client_server.md): messages behind their lengths, answers in
// the order of requests, and a Flush wherever an application that collects its answers must let them go.
package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"reflect"
	"strings"
	"sync"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/types"
	cmtnet "github.com/cometbft/cometbft/libs/net"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/libs/service"
	"github.com/cometbft/cometbft/proxy"
)

const (
	// Requests that wait to be written; whoever has one more waits.
	waitingMax = 1024
	// Bytes of one write, and of one read.
	bufferBytes = 64 << 10
	// The longest answer, as CometBFT's client has it.
	answerMax = math.MaxInt32
	// Pause before another try to connect.
	retry = time.Second
)

// Creator makes this client for an application behind a socket, and what CometBFT makes for every other.
func Creator(app, transport, dataDir string) proxy.ClientCreator {
	if transport == "socket" && strings.Contains(app, "://") {
		return creator(app)
	}
	return proxy.DefaultClientCreator(app, transport, dataDir)
}

// creator is the application's address, `tcp://HOST:PORT` or `unix://PATH`.
type creator string

func (c creator) NewABCIClient() (abcicli.Client, error) { return NewClient(string(c)), nil }

// Client is one connection to an application. All its methods may be called by many at a time.
type Client struct {
	service.BaseService

	address string
	waiting chan *abcicli.ReqRes

	// Over the rest.
	mutex sync.Mutex
	conn  net.Conn
	// Written and not answered, in their order.
	sent []*abcicli.ReqRes
	err  error
	// Told of every answer.
	told abcicli.Callback
}

var _ abcicli.Client = (*Client)(nil)

// NewClient is a client of the application at `tcp://HOST:PORT` or `unix://PATH`; it connects when it is started.
func NewClient(address string) *Client {
	c := &Client{address: address, waiting: make(chan *abcicli.ReqRes, waitingMax)}
	c.BaseService = *service.NewBaseService(nil, "socketClient", c)
	return c
}

// OnStart connects, and tries again until the application listens.
func (c *Client) OnStart() error {
	for {
		conn, err := cmtnet.Connect(c.address)
		if err == nil {
			c.mutex.Lock()
			c.conn = conn
			c.mutex.Unlock()
			go c.send(conn)
			go c.receive(conn)
			return nil
		}
		c.Logger.Error("the application does not listen; trying again", "address", c.address, "err", err)
		select {
		case <-time.After(retry):
		case <-c.Quit():
			return err
		}
	}
}

// OnStop closes the connection and lets go of everybody who waits for an answer; Error says why there is none.
func (c *Client) OnStop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.conn != nil {
		_ = c.conn.Close()
	}
	for _, pending := range c.sent {
		pending.Done()
	}
	c.sent = nil
}

// Error is why the client stopped by itself.
func (c *Client) Error() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.err
}

// SetResponseCallback has every answer told, those to Flush too.
func (c *Client) SetResponseCallback(told abcicli.Callback) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.told = told
}

// fail stops the client for a reason, the first of which stays.
func (c *Client) fail(reason error) {
	if !c.IsRunning() {
		return
	}
	c.mutex.Lock()
	if c.err == nil {
		c.err = reason
	}
	c.mutex.Unlock()
	c.Logger.Error("the connection to the application ends", "err", reason)
	if err := c.Stop(); err != nil && !errors.Is(err, service.ErrAlreadyStopped) {
		c.Logger.Error("the client cannot stop", "err", err)
	}
}

// send writes what waits; what it has written is sent when nothing waits any more.
func (c *Client) send(conn io.Writer) {
	buffer := bufio.NewWriterSize(conn, bufferBytes)
	messages := protoio.NewDelimitedWriter(buffer)
	write := func(pending *abcicli.ReqRes) error {
		// First, since the answer may come before the write returns.
		if !c.track(pending) {
			return net.ErrClosed
		}
		_, err := messages.WriteMsg(pending.Request)
		return err
	}
	for {
		var next *abcicli.ReqRes
		select {
		case next = <-c.waiting:
		case <-c.Quit():
			c.abandon()
			return
		}
		var err error
		flushed := false
		for next != nil && err == nil {
			_, flushed = next.Request.Value.(*types.Request_Flush)
			err = write(next)
			select {
			case next = <-c.waiting:
			default:
				next = nil
			}
		}
		if err == nil && !flushed {
			err = write(abcicli.NewReqRes(types.ToRequestFlush()))
		}
		if err == nil {
			err = buffer.Flush()
		}
		if err != nil {
			if next != nil {
				next.Done()
			}
			c.fail(fmt.Errorf("write to the application: %w", err))
			c.abandon()
			return
		}
	}
}

// track notes a request as sent; not once the client has stopped.
func (c *Client) track(pending *abcicli.ReqRes) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.IsRunning() {
		pending.Done()
		return false
	}
	c.sent = append(c.sent, pending)
	return true
}

// abandon lets go of everybody whose request was never written.
func (c *Client) abandon() {
	for {
		select {
		case pending := <-c.waiting:
			pending.Done()
		default:
			return
		}
	}
}

// receive hands each answer to the oldest request.
func (c *Client) receive(conn io.Reader) {
	messages := protoio.NewDelimitedReader(bufio.NewReaderSize(conn, bufferBytes), answerMax)
	for c.IsRunning() {
		answer := &types.Response{}
		if _, err := messages.ReadMsg(answer); err != nil {
			c.fail(fmt.Errorf("read from the application: %w", err))
			return
		}
		if exception, ok := answer.Value.(*types.Response_Exception); ok {
			c.fail(errors.New(exception.Exception.Error))
			return
		}
		if err := c.answered(answer); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Client) answered(answer *types.Response) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.sent) == 0 {
		return fmt.Errorf("an answer %T to nothing", answer.Value)
	}
	pending := c.sent[0]
	if !fits(pending.Request, answer) {
		return fmt.Errorf("an answer %T to %T", answer.Value, pending.Request.Value)
	}
	c.sent[0] = nil
	if c.sent = c.sent[1:]; len(c.sent) == 0 {
		// An empty slice at the end of its array would make every append take a new one.
		c.sent = nil
	}
	pending.Response = answer
	pending.Done()
	// Under the lock, as CometBFT's client has it: its mempool expects one callback at a time.
	if c.told != nil {
		c.told(pending.Request, answer)
	}
	pending.InvokeCallback()
	return nil
}

// fits says whether an answer is of its request's kind: the generated types differ in Request_ and Response_ only.
func fits(request *types.Request, answer *types.Response) bool {
	kind := func(value any) string {
		_, name, _ := strings.Cut(reflect.TypeOf(value).Elem().Name(), "_")
		return name
	}
	return answer.Value != nil && kind(request.Value) == kind(answer.Value)
}

// put adds a request to what waits.
func (c *Client) put(ctx context.Context, request *types.Request) (*abcicli.ReqRes, error) {
	pending := abcicli.NewReqRes(request)
	select {
	case c.waiting <- pending:
		if !c.IsRunning() {
			// Nobody may be there any more who would take it.
			c.abandon()
		}
		return pending, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask waits for an answer, which is nil where there is an error.
func (c *Client) ask(ctx context.Context, request *types.Request) (*types.Response, error) {
	pending, err := c.put(ctx, request)
	if err != nil {
		return nil, err
	}
	pending.Wait()
	return pending.Response, c.Error()
}
