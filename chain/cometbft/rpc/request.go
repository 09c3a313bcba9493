package rpc

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/cometbft/cometbft/types"
)

// request is what the head of an HTTP request says, as far as it matters here.
type request struct {
	// Bytes of the head and of what follows it.
	head, body int
	// It is `POST /`, by a client that stays, with nothing that changes its answer.
	plain bool
	// An Origin is named, of which answers of a server with CORS depend.
	origin bool
}

// readHead reads the head of an HTTP/1.1 request. It knows those whose length it can tell without a doubt: all is there,
// every line ends as it should, and nothing but one Content-Length says what follows (RFC 9112, section 6).
func readHead(data []byte) (request, bool) {
	line, rest, ok := cutLine(data)
	if !ok || !requestLine(line) {
		return request{}, false
	}
	r := request{plain: bytes.HasPrefix(line, []byte("POST / "))}
	hosts, lengths := 0, 0
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return request{}, false
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !token(name) {
			return request{}, false
		}
		value = bytes.Trim(value, " \t")
		if !printable(value) {
			return request{}, false
		}
		switch {
		case named(name, "content-length"):
			lengths++
			if r.body, ok = decimal(value); !ok {
				return request{}, false
			}
		case named(name, "transfer-encoding"), named(name, "upgrade"), named(name, "expect"), named(name, "trailer"):
			return request{}, false
		case named(name, "host"):
			hosts++
			r.plain = r.plain && host(value)
		case named(name, "connection"):
			r.plain = r.plain && named(value, "keep-alive")
		case named(name, "origin"):
			r.origin = true
		}
	}
	r.head = len(data) - len(rest)
	r.plain = r.plain && hosts == 1
	return r, lengths <= 1
}

// cutLine takes a line that ends in CR LF; no other CR may be in it.
func cutLine(data []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(data, '\r')
	if end < 0 || end+1 >= len(data) || data[end+1] != '\n' || bytes.IndexByte(data[:end], '\n') >= 0 {
		return nil, nil, false
	}
	return data[:end], data[end+2:], true
}

// requestLine says whether a line is of the kind `GET /path HTTP/1.1`.
func requestLine(line []byte) bool {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, proto, _ := bytes.Cut(rest, []byte(" "))
	upper := func(c rune) bool { return c < 'A' || c > 'Z' }
	return len(method) > 0 && bytes.IndexFunc(method, upper) < 0 && string(method) != "CONNECT" &&
		len(target) > 0 && target[0] == '/' && printable(target) && string(proto) == "HTTP/1.1"
}

func token(name []byte) bool {
	for _, c := range name {
		if !alphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(name) > 0
}

func host(value []byte) bool {
	for _, c := range value {
		if !alphanumeric(c) && strings.IndexByte(".-:[]_", c) < 0 {
			return false
		}
	}
	return len(value) > 0
}

func alphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

func printable(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// named compares with a name in small letters.
func named(name []byte, small string) bool {
	return len(name) == len(small) && strings.EqualFold(string(name), small)
}

// decimal reads a length without signs.
func decimal(value []byte) (int, bool) {
	number := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		number = 10*number + int(c-'0')
	}
	return number, 0 < len(value) && len(value) <= 15
}

// call is a transaction that somebody hands over.
type call struct {
	// As it goes into the answer: a number, or a text with its quotes.
	id []byte
	tx types.Tx
	// The application's word is waited for.
	sync bool
}

// readCall reads a call of broadcast_tx_sync or broadcast_tx_async. It knows the forms that clients write: each field
// once and by its name, texts without escapes, an id that is a natural number or a text, the transaction alone by name or
// by place. What another reader of JSON might take for something else it does not know.
func readCall(body []byte) (call, bool) {
	r := reader{rest: body}
	var id, method, tx []byte
	version := false
	r.eat('{')
	for more := true; more && !r.bad; more = r.comma() {
		name := r.text()
		r.eat(':')
		switch {
		case string(name) == "jsonrpc" && !version:
			r.text()
			version = true
		case string(name) == "id" && id == nil:
			id = r.id()
		case string(name) == "method" && method == nil:
			method = r.text()
		case string(name) == "params" && tx == nil:
			tx = r.tx()
		default:
			return call{}, false
		}
	}
	r.eat('}')
	sync := string(method) == "broadcast_tx_sync"
	if r.space(); r.bad || len(r.rest) > 0 || len(id) == 0 || len(tx) == 0 || !sync && string(method) != "broadcast_tx_async" {
		return call{}, false
	}
	// Of its own: the mempool keeps it.
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(tx)))
	n, err := base64.StdEncoding.Decode(raw, tx)
	return call{id: id, tx: raw[:n:n], sync: sync}, err == nil && n > 0
}

// reader reads JSON of the known forms, and notes when it is none.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) space() {
	for len(r.rest) > 0 && strings.IndexByte(" \t\r\n", r.rest[0]) >= 0 {
		r.rest = r.rest[1:]
	}
}

// next says whether the next sign is this one, and takes it then.
func (r *reader) next(sign byte) bool {
	r.space()
	if len(r.rest) == 0 || r.rest[0] != sign {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) eat(sign byte) {
	if !r.next(sign) {
		r.bad = true
	}
}

func (r *reader) comma() bool { return r.next(',') }

// text takes a text that says what it looks like, in ASCII.
func (r *reader) text() []byte {
	r.eat('"')
	end := bytes.IndexByte(r.rest, '"')
	if r.bad || end < 0 || !plain(r.rest[:end]) {
		r.bad = true
		return nil
	}
	text := r.rest[:end]
	r.rest = r.rest[end+1:]
	return text
}

// id takes a number or a text.
func (r *reader) id() []byte {
	r.space()
	start := r.rest
	if len(start) > 0 && start[0] == '"' {
		text := r.text()
		if r.bad {
			return nil
		}
		return start[:len(text)+2]
	}
	end := 0
	for end < len(start) && '0' <= start[end] && start[end] <= '9' {
		end++
	}
	// A longer one may not be the same in floating point.
	if end == 0 || end > 15 || end > 1 && start[0] == '0' {
		r.bad = true
		return nil
	}
	r.rest = start[end:]
	return start[:end]
}

// tx takes the parameters, which are the transaction in base64.
func (r *reader) tx() []byte {
	if r.next('[') {
		tx := r.text()
		r.eat(']')
		return tx
	}
	r.eat('{')
	name := r.text()
	r.eat(':')
	tx := r.text()
	r.eat('}')
	if string(name) != "tx" {
		r.bad = true
	}
	return tx
}

// plain says whether a text is the same in JSON as it is, also where JSON goes into a page.
func plain[T string | []byte](text T) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
