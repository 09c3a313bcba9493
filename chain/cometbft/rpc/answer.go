package rpc

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/rpc/core"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

// chunked is from how many bytes on net/http does not say the length of an answer (bufferBeforeChunkingSize there).
const chunked = 2048

// errSlow is an application that does not answer for as long as an answer may take.
var errSlow = errors.New("the application does not answer")

// broadcast is what all connections of a listener share.
type broadcast struct {
	env    *core.Environment
	limits *server.Config
	// What they send goes the long way, where it waits in their line.
	suspects *suspects
	// Answers say that they depend on where a page comes from.
	vary   bool
	logger log.Logger
}

func newBroadcast(
	env *core.Environment, limits *server.Config, suspects *suspects, vary bool, logger log.Logger,
) *broadcast {
	return &broadcast{env: env, limits: limits, suspects: suspects, vary: vary, logger: logger}
}

// takes says whether a request may be a call that is answered here.
func (b *broadcast) takes(r request) bool {
	return r.plain && !(b.vary && r.origin) && 0 < r.body && int64(r.body) <= b.limits.MaxBodyBytes
}

// answer does what BroadcastTxSync and BroadcastTxAsync of CometBFT's rpc/core do, and writes what their handler would.
func (c *conn) answer(call call) error {
	begin := time.Now()
	status := http.StatusOK
	result, err := c.check(call, &status)
	switch {
	case err == errSlow:
		return err
	case status != http.StatusOK:
		// A panic, of which c.body tells.
	case err != nil:
		c.body, err = call.of(rpctypes.RPCInternalError(nil, err))
	default:
		err = c.success(call, result)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	if err := c.limit(now); err != nil {
		return err
	}
	_, err = c.Conn.Write(c.compose(status, begin, now))
	if cap(c.body) > chunked {
		c.body, c.out = nil, nil
	}
	return err
}

// check hands a transaction to the mempool, and waits for the application's word where it is asked for.
func (c *conn) check(call call, status *int) (result *abci.ResponseCheckTx, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			*status, c.body = c.fast.panicked(reason)
		}
	}()
	if !call.sync {
		return &abci.ResponseCheckTx{}, c.mempool.CheckTx(call.tx, nil, mempool.TxInfo{})
	}
	if c.checked == nil {
		c.checked = make(chan *abci.ResponseCheckTx, 1)
		c.told = func(result *abci.ResponseCheckTx) { c.checked <- result }
	}
	if err = c.mempool.CheckTx(call.tx, c.told, mempool.TxInfo{}); err != nil {
		return nil, err
	}
	if c.patience == nil {
		c.patience = time.NewTimer(c.fast.limits.WriteTimeout)
	} else {
		c.patience.Reset(c.fast.limits.WriteTimeout)
	}
	select {
	case result = <-c.checked:
	case <-c.patience.C:
		// Nobody could write an answer any more. The connection ends, so that a late word still finds room.
		return nil, errSlow
	}
	if !c.patience.Stop() {
		// It has gone off meanwhile and must not be taken for the next one.
		c.patience = nil
	}
	return result, nil
}

// success is the answer with the application's word.
func (c *conn) success(call call, result *abci.ResponseCheckTx) error {
	hash := call.tx.Hash()
	if !plain(result.Log) || !plain(result.Codespace) {
		body, err := call.of(rpctypes.NewRPCSuccessResponse(nil, &coretypes.ResultBroadcastTx{
			Code: result.Code, Data: result.Data, Log: result.Log, Codespace: result.Codespace, Hash: hash,
		}))
		c.body = body
		return err
	}
	b := append(c.body[:0], `{"jsonrpc":"2.0","id":`...)
	b = append(b, call.id...)
	b = append(b, `,"result":{"code":`...)
	b = strconv.AppendUint(b, uint64(result.Code), 10)
	b = append(b, `,"data":"`...)
	b = appendHex(b, result.Data)
	b = append(b, `","log":"`...)
	b = append(b, result.Log...)
	b = append(b, `","codespace":"`...)
	b = append(b, result.Codespace...)
	b = append(b, `","hash":"`...)
	b = appendHex(b, hash)
	c.body = append(b, `"}}`...)
	return nil
}

// compose puts the head before c.body, the fields in net/http's order.
func (c *conn) compose(status int, begin, now time.Time) []byte {
	b := append(c.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	if len(c.body) > 0 {
		b = append(b, "Content-Type: application/json\r\n"...)
	}
	if c.fast.vary {
		b = append(b, "Vary: Origin\r\n"...)
	}
	b = append(b, "X-Server-Time: "...)
	b = strconv.AppendInt(b, begin.Unix(), 10)
	b = append(b, "\r\nDate: "...)
	b = now.UTC().AppendFormat(b, http.TimeFormat)
	if len(c.body) <= chunked {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(c.body)), 10)
		b = append(b, "\r\n\r\n"...)
		b = append(b, c.body...)
	} else {
		b = append(b, "\r\nTransfer-Encoding: chunked\r\n\r\n"...)
		b = strconv.AppendInt(b, int64(len(c.body)), 16)
		b = append(b, "\r\n"...)
		b = append(b, c.body...)
		b = append(b, "\r\n0\r\n\r\n"...)
	}
	c.out = b
	return b
}

// panicked has CometBFT's handler say and log what it does of a panic.
func (b *broadcast) panicked(reason any) (int, []byte) {
	said := recorder{header: http.Header{}}
	again := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(reason) })
	server.RecoverAndLogHandler(again, b.logger).ServeHTTP(&said, &http.Request{})
	return said.status, said.body
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(data []byte) (int, error) {
	r.body = append(r.body, data...)
	return len(data), nil
}

// of gives an answer a call's id as CometBFT's types have it.
func (c call) of(answer rpctypes.RPCResponse) ([]byte, error) {
	if number, ok := decimal(c.id); ok {
		answer.ID = rpctypes.JSONRPCIntID(number)
	} else {
		answer.ID = rpctypes.JSONRPCStringID(c.id[1 : len(c.id)-1])
	}
	return json.Marshal(answer)
}

func appendHex(b, data []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range data {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}
