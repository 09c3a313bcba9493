package rpc

import (
	"net"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
)

// state is what a connection's next bytes are.
type state uint8

const (
	// The beginning of a request.
	waiting state = iota
	// Parts of a request of known length, which net/http answers.
	given
	// Anything; from here on all of it is net/http's.
	opaque
)

// conn looks at what comes between net/http's requests, and answers calls that it knows in place of handing them on.
//
// net/http reads a request when it has answered the one before. At that point, and only there, a request may be taken
// from under it. It is known to be there while every request that it got had a length of its own, and nothing came
// after it: requests in chunks, other protocols, pipelines and whatever is malformed make a connection opaque for good.
type conn struct {
	net.Conn
	fast    *broadcast
	mempool heard

	state state
	// The bytes of the given request that have not come yet.
	left int
	// Of reading those, when that has failed.
	err error
	// net/http counts its time for the first request from when it begins to wait for it, so that one is always its.
	later bool
	// When time limits were set that are ours, if they are.
	limited time.Time

	// For an answer at a time.
	checked  chan *abci.ResponseCheckTx
	told     func(*abci.ResponseCheckTx)
	patience *time.Timer
	body     []byte
	out      []byte
}

func newConn(c net.Conn, fast *broadcast) *conn {
	peer := peerOf(c.RemoteAddr().String())
	return &conn{Conn: c, fast: fast, mempool: heard{fast.env.Mempool, fast.suspects, peer}}
}

// Read is called by net/http, by one routine at a time: where it waits for a request, where it reads one, and while it
// answers, to learn whether the client is still there.
func (c *conn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	switch c.state {
	case waiting:
		return c.look(p)
	case given:
		if c.left > 0 {
			n, err := c.Conn.Read(p[:min(len(p), c.left)])
			c.left -= n
			return n, err
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			// The next request has begun before this one is answered.
			c.state = opaque
		}
		return n, err
	default:
		return c.Conn.Read(p)
	}
}

// idle is called when net/http has answered a request, before it waits for the next.
func (c *conn) idle() {
	if c.state != given || c.left != 0 {
		c.state = opaque
		return
	}
	c.state, c.later, c.limited = waiting, true, time.Time{}
}

// CloseWrite is what net/http uses where the connection has it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// look answers what it knows, and is over with the first bytes that are for net/http.
func (c *conn) look(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n == 0 || err != nil {
			c.state = opaque
			return n, err
		}
		request, ok := readHead(p[:n])
		if !ok || n > request.head+request.body {
			c.state = opaque
			return n, nil
		}
		size := request.head + request.body
		if c.later && c.fast.takes(request) && size <= len(p) && !c.fast.suspects.holds(c.mempool.peer) {
			n, c.err = c.rest(p[:size], n)
			if c.err == nil {
				if call, ok := readCall(p[request.head:size]); ok {
					if err := c.answer(call); err != nil {
						return 0, err
					}
					continue
				}
			}
		}
		c.state, c.left = given, size-n
		return n, nil
	}
}

// rest reads a request to its end, of which n bytes are there, and answers how many there are then.
func (c *conn) rest(request []byte, n int) (int, error) {
	if n < len(request) {
		c.limited = time.Time{}
		if err := c.SetReadDeadline(time.Now().Add(c.fast.limits.ReadTimeout)); err != nil {
			return n, err
		}
	}
	for n < len(request) {
		more, err := c.Conn.Read(request[n:])
		n += more
		if err != nil && n < len(request) {
			return n, err
		}
	}
	return n, nil
}

// slack is by how much time limits may be late: they are not set anew for every answer.
const slack = 250 * time.Millisecond

// limit has the connection end when the client does not take an answer, or asks nothing any more, in time.
func (c *conn) limit(now time.Time) error {
	if now.Sub(c.limited) < slack {
		return nil
	}
	c.limited = now
	if err := c.SetReadDeadline(now.Add(c.fast.limits.ReadTimeout + slack)); err != nil {
		return err
	}
	return c.SetWriteDeadline(now.Add(c.fast.limits.WriteTimeout + slack))
}
