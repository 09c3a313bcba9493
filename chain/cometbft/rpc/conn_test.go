package rpc

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestRequestsOfOtherKindsAreNetHTTPs(t *testing.T) {
	body := sent("1", "broadcast_tx_sync", "a")
	head := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	whole := post(body)
	for _, row := range []struct {
		name  string
		parts []string
		// Requests answered here.
		spared int64
	}{
		{"as it should be", []string{whole}, 1},
		{"small letters", []string{strings.Replace(strings.Replace(whole, "Content-Length", "content-length", 1), "Host", "host", 1)}, 1},
		{"a connection that is kept", []string{post(body, "Connection: Keep-Alive", "Accept-Encoding: gzip", "User-Agent: a/1 (b; c)")}, 1},
		{"body later", []string{whole[:len(whole)-len(body)], body[:20], body[20:]}, 1},
		{"head in two", []string{whole[:30], whole[30:]}, 0},
		{"body that ends early, then another's head", []string{post(body+"x", "")[:len(whole)+2]}, 0},
		{"two at once", []string{whole + whole}, 0},
		{"two and a half", []string{whole + whole[:50], whole[50:]}, 0},
		{"one after another", []string{whole, whole, post(`{"id":1,"method":"health"}`), whole}, 3},
		{"a page between", []string{"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", whole, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", whole}, 2},
		{"after what went wrong", []string{"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", whole}, 1},
		{"a page with a body", []string{"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", whole}, 1},
		{"a body like a request", []string{fmt.Sprintf("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(whole)), whole, whole}, 1},
		{"an empty line before", []string{"\r\n" + whole, whole}, 0},
		{"another path", []string{"POST /a HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"a query", []string{"POST /?a HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"a whole address", []string{"POST http://a/ HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"an older version", []string{"POST / HTTP/1.0\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"a newer version", []string{"POST / HTTP/2.0\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"no version", []string{"POST /\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"another method", []string{"PUT / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"a method in small letters", []string{"post / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body}, 0},
		{"no host", []string{"POST / HTTP/1.1\r\n" + head + "\r\n" + body}, 0},
		{"an empty host", []string{"POST / HTTP/1.1\r\nHost:\r\n" + head + "\r\n" + body}, 0},
		{"an odd host", []string{"POST / HTTP/1.1\r\nHost: a b\r\n" + head + "\r\n" + body}, 0},
		{"two hosts", []string{post(body, "Host: b")}, 0},
		{"no length", []string{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", body}, 0},
		{"two lengths", []string{post(body, head[:len(head)-2])}, 0},
		{"lengths that differ", []string{post(body, "Content-Length: 1")}, 0},
		{"a length with a sign", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345"}, 0},
		{"an empty length", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"}, 0},
		{"a length too long", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n12345"}, 0},
		{"chunks", []string{fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body), whole}, 0},
		{"chunks and a length", []string{post(body, "Transfer-Encoding: chunked")}, 0},
		{"another coding", []string{post(body, "Transfer-Encoding: gzip")}, 0},
		{"waits for a word", []string{post(body, "Expect: 100-continue")}, 0},
		{"waits for another word", []string{post(body, "Expect: else")}, 0},
		{"the last one", []string{post(body, "Connection: close"), whole}, 0},
		{"another protocol", []string{post(body, "Connection: Upgrade", "Upgrade: h2c")}, 0},
		{"a name with a space", []string{post(body, "a b: c")}, 0},
		{"a space before the colon", []string{post(body, "a : c")}, 0},
		{"no colon", []string{post(body, "a")}, 0},
		{"no name", []string{post(body, ": a")}, 0},
		{"a folded line", []string{post(body, "a: b", " c")}, 0},
		{"lines with LF alone", []string{strings.ReplaceAll(whole, "\r\n", "\n")}, 0},
		{"a line with LF alone", []string{post(body, "a: b\nc: d")}, 0},
		{"a CR within", []string{post(body, "a: b\rc")}, 0},
		{"a zero within", []string{post(body, "a: b\x00")}, 0},
		{"letters of others", []string{post(body, "a: ü"), whole}, 0},
		{"a long head", []string{post(body, "a: "+strings.Repeat("b", 4000)), whole}, 0},
		{"a body that does not come", []string{whole[:len(whole)-50]}, 0},
		{"a head that does not come", []string{"POST / HTTP/1.1\r\nHo"}, 0},
		{"a length over the limit", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3001\r\n\r\n" + strings.Repeat(" ", 3001)}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stock, ours := both(t, false)
			if _, spared := compare(t, stock, ours, row.parts...); spared != row.spared {
				t.Errorf("%d requests were answered here", spared)
			}
		})
	}
}

func TestPagesOfOtherPlaces(t *testing.T) {
	body := sent("1", "broadcast_tx_sync", "a")
	for _, fields := range [][]string{nil, {"Origin: http://page.example"}, {"Origin: http://other.example"}, {"Origin: null"}} {
		for _, origins := range []bool{true, false} {
			stock, ours := both(t, origins)
			answer, spared := compare(t, stock, ours, post(body, fields...))
			if strings.Contains(answer, "Vary") != origins || (spared == 1) != (fields == nil || !origins) {
				t.Errorf("%v, CORS %v: %d answered here, %q", fields, origins, spared, answer)
			}
		}
	}
}

const hello = "GET /websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// frame is a client's, of less than 126 bytes.
func frame(kind byte, text string) string {
	return string([]byte{0x80 | kind, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

func TestWebSocketsGoOn(t *testing.T) {
	stock, ours := both(t, false)
	answer, _ := compare(t, stock, ours, hello, frame(1, `{"jsonrpc":"2.0","id":1,"method":"health","params":{}}`), frame(8, ""))
	if !strings.Contains(answer, "101 Switching Protocols") || !strings.Contains(answer, `"id":1,"result":{}`) {
		t.Errorf("%q", answer)
	}
}

// A WebSocket outlives the time that an answer may take.
func TestWebSocketsStay(t *testing.T) {
	k := dial(t, start(t, true, false).address, "websocket")
	time.Sleep(limits().WriteTimeout + 100*time.Millisecond)
	k.say(frame(1, sent("1", "broadcast_tx_sync", "a")))
	if !k.answers(5*time.Second, 1) || !strings.Contains(k.heard, `"code":0`) {
		t.Errorf("%q", k.heard)
	}
}

// A client that says nothing is hung up on after ReadTimeout, whoever answered it before.
func TestConnectionsThatAskNothingEnd(t *testing.T) {
	for _, last := range []string{post(sent("1", "health", "")), post(sent("1", "broadcast_tx_sync", "a"))} {
		for _, fast := range []bool{false, true} {
			s := start(t, fast, false)
			c, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte(post(sent("1", "health", ""))))
			time.Sleep(20 * time.Millisecond)
			_, _ = c.Write([]byte(last))
			begun := time.Now()
			_ = c.SetReadDeadline(begun.Add(5 * time.Second))
			_, err = io.ReadAll(c)
			if took := time.Since(begun); err != nil || took < 400*time.Millisecond || took > 2*time.Second {
				t.Errorf("fast %v: %v after %v", fast, err, took)
			}
			_ = c.Close()
		}
	}
}
