package rpc

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// sent is a body that hands over a transaction in the usual form.
func sent(id, method, tx string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"%s","params":{"tx":"%s"}}`, id, method, base64.StdEncoding.EncodeToString([]byte(tx)))
}

func TestKnownCallsAreAnsweredAsCometBFTAnswersThem(t *testing.T) {
	long := strings.Repeat("x", 990)
	for _, row := range []struct{ name, body, has string }{
		{"accepted", sent("1", "broadcast_tx_sync", "a"), `"id":1,"result":{"code":0,"data":"","log":"","codespace":"","hash":"CA97`},
		{"an id of 0", sent("0", "broadcast_tx_sync", "a"), `"id":0,"result"`},
		{"a long id", sent("999999999999999", "broadcast_tx_sync", "a"), `"id":999999999999999,`},
		{"an id that is a text", sent(`"a-b 1'"`, "broadcast_tx_sync", "a"), `"id":"a-b 1'"`},
		{"an empty id", sent(`""`, "broadcast_tx_sync", "a"), `"id":""`},
		{"not waited for", sent("1", "broadcast_tx_async", "bad=no"), `"code":0,"data":"","log":""`},
		{"refused", sent("1", "broadcast_tx_sync", "bad=no"), `"code":4294967295,"data":"00FF10","log":"no","codespace":"sdk"`},
		{"words that JSON escapes", sent("7", "broadcast_tx_sync", "a=<\"&\\\n\u2028ü\xff"), `\u003c\"\u0026`},
		{"the same under a text", sent(`"x"`, "broadcast_tx_sync", "a=<"), `"id":"x"`},
		{"a codespace that JSON escapes", sent("1", "broadcast_tx_sync", "codespace"), `a\u0026b`},
		{"too large", sent("1", "broadcast_tx_sync", strings.Repeat("x", 1001)), `Tx too large. Max size is 1000, but got 1001`},
		{"large", sent("1", "broadcast_tx_sync", "a="+long[:900]), `Content-Length: 10`},
		{"a panic with a text", sent("1", "broadcast_tx_sync", "panic text"), "500 Internal Server Error"},
		{"a panic with an error", sent("1", "broadcast_tx_async", "panic error"), `"data":"an error"`},
		{"a panic with neither", sent("1", "broadcast_tx_sync", "panic number"), "500 Internal Server Error"},
		{"by place", `{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_sync","params":["YQ=="]}`, `"code":0`},
		{"other order", `{"params":{"tx":"YQ=="},"method":"broadcast_tx_sync","id":1}`, `"code":0`},
		{"spaces", " {\t\"id\" : 1 ,\r\n\"method\": \"broadcast_tx_sync\", \"params\" : [ \"YQ==\" ] } \n", `"code":0`},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"broadcast_tx_sync","params":["YQ=="]}`, `"jsonrpc":"2.0"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			stock, ours := both(t, false)
			answer, spared := compare(t, stock, ours, post(row.body))
			if !strings.Contains(answer, row.has) {
				t.Errorf("%q is not in %q", row.has, answer)
			}
			if spared != 1 {
				t.Errorf("%d requests were answered here", spared)
			}
		})
	}
}

func TestAnswersOfManyKilobytesComeInChunks(t *testing.T) {
	// Every sign of the log takes six in JSON.
	for _, signs := range []int{300, 316, 317, 318, 319, 320, 330, 600} {
		stock, ours := both(t, false)
		answer, spared := compare(t, stock, ours, post(sent("1", "broadcast_tx_sync", "a="+strings.Repeat("<", signs))))
		if chunks := strings.Contains(answer, "chunked"); chunks != (signs >= 330) && (signs < 310 || signs >= 330) || spared != 1 {
			t.Errorf("%d signs: %q", signs, answer)
		}
	}
}

func TestWhatAMempoolRefusesIsSaidInTheSameWords(t *testing.T) {
	stock, ours := both(t, false)
	call := func(tx string) string { return post(sent("1", "broadcast_tx_sync", tx)) }
	for _, row := range []struct{ tx, has string }{
		{"a", `"code":0`}, {"a", "tx already exists in cache"}, {"bad=1", `"code":4294967295`}, {"bad=1", `"code":4294967295`},
		{"b", `"code":0`}, {"c", `"code":0`}, {"d", "mempool is full: number of txs 3 (max: 3)"},
	} {
		if answer, spared := compare(t, stock, ours, call(row.tx)); !strings.Contains(answer, row.has) || spared != 1 {
			t.Errorf("%s: %d answered here, %q", row.tx, spared, answer)
		}
	}
	// Many over one connection.
	if _, spared := compare(t, stock, ours, call("x"), call("a"), post(sent("2", "health", "")), call("y")); spared != 3 {
		t.Errorf("%d requests were answered here", spared)
	}
}

func TestBodiesOfOtherFormsAreCometBFTs(t *testing.T) {
	for _, body := range []string{
		"", " ", "{", "null", "1", `"broadcast_tx_sync"`, "[]", "[1]", "{}", "{}x", "\xff", "{\"id\":1,\"method\":\"broadcast_tx_sync\",\"params\":[\"YQ==\"]}}",
		"[" + sent("1", "broadcast_tx_sync", "a") + "]",
		"[" + sent("1", "broadcast_tx_sync", "a") + "," + sent("2", "broadcast_tx_async", "b") + "]",
		sent("null", "broadcast_tx_sync", "a"), sent("-1", "broadcast_tx_sync", "a"), sent("1.5", "broadcast_tx_sync", "a"),
		sent("1e3", "broadcast_tx_sync", "a"), sent("01", "broadcast_tx_sync", "a"), sent("true", "broadcast_tx_sync", "a"),
		sent("9999999999999999", "broadcast_tx_sync", "a"), sent("1234567890123456789012", "broadcast_tx_sync", "a"),
		sent("{}", "broadcast_tx_sync", "a"), sent("[1]", "broadcast_tx_sync", "a"), sent(`"\u0061"`, "broadcast_tx_sync", "a"),
		sent(`"<"`, "broadcast_tx_sync", "a"), sent(`"ü"`, "broadcast_tx_sync", "a"), sent("\"\x01\"", "broadcast_tx_sync", "a"), sent(`"a`, "broadcast_tx_sync", "a"),
		sent("1", "broadcast_tx_sync ", "a"), sent("1", "broadcast_tx", "a"), sent("1", "subscribe", "a"), sent("1", "", "a"),
		sent("1", `broadcast_tx_\u0073ync`, "a"), sent("1", "Broadcast_tx_sync", "a"), sent("1", "broadcast_tx_sync", ""),
		`{"method":"broadcast_tx_sync","params":{"tx":"YQ=="}}`, `{"id":1,"params":{"tx":"YQ=="}}`, `{"id":1,"method":"broadcast_tx_sync"}`,
		`{"id":1,"method":"broadcast_tx_sync","params":null}`, `{"id":1,"method":"broadcast_tx_sync","params":{}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":[]}`, `{"id":1,"method":"broadcast_tx_sync","params":"YQ=="}`,
		`{"id":1,"method":"broadcast_tx_sync","params":["YQ==",1]}`, `{"id":1,"method":"broadcast_tx_sync","params":[null]}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"tx":null}}`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":1}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"TX":"YQ=="}}`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":"YQ==","more":1}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"tx":"YQ==","tx":"Yg=="}}`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":"\u0059Q=="}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"tx":"YQ"}}`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":"YQ="}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"tx":"Y Q=="}}`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":"_-8="}}`,
		`{"id":1,"method":"broadcast_tx_sync","params":{"tx":"0x61"}}x`, `{"id":1,"method":"broadcast_tx_sync","params":{"tx":"YQ==\n"}}`,
		`{"id":1,"id":2,"method":"broadcast_tx_sync","params":["YQ=="]}`, `{"id":1,"method":"health","method":"broadcast_tx_sync","params":["YQ=="]}`,
		`{"id":1,"method":"broadcast_tx_sync","params":["YQ=="],"params":["Yg=="]}`, `{"jsonrpc":2,"id":1,"method":"broadcast_tx_sync","params":["YQ=="]}`,
		`{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"broadcast_tx_sync","params":["YQ=="]}`, `{"ID":1,"Method":"broadcast_tx_sync","Params":["YQ=="]}`,
		`{"id":1,"method":"broadcast_tx_sync","params":["YQ=="],}`, `{"id":1,"method":"broadcast_tx_sync","params":["YQ=="]} {}`,
		`{"id":1,"method":"broadcast_tx_sync","params":["YQ=="],"extra":1}`, `{"id":1 "method":"broadcast_tx_sync","params":["YQ=="]}`,
		`{"id":1,,"method":"broadcast_tx_sync","params":["YQ=="]}`, `{"id":1,"method":"broadcast_tx_sync","params":["YQ==",]}`,
		sent("1", "broadcast_tx_sync", strings.Repeat("x", 2300)), sent("1", "broadcast_tx_sync", strings.Repeat("x", 5000)),
		sent("1", "num_unconfirmed_txs", "a"),
		sent("1", "check_tx", "a=ü"), sent("1", "check_tx", "bad=no"), sent("1", "check_tx", ""), `{"id":1,"method":"check_tx","params":[]}`,
		sent("1", "broadcast_tx_commit", "bad=no"), sent("1", "broadcast_tx_commit", strings.Repeat("x", 1001)),
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			stock, ours := both(t, false)
			if _, spared := compare(t, stock, ours, post(body)); spared != 0 {
				t.Errorf("%.300q was answered here", body)
			}
		})
	}
}

func TestAnApplicationThatNeverAnswersEndsTheConnection(t *testing.T) {
	ours := start(t, true, false)
	c, err := net.Dial("tcp", ours.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte(post(sent("1", "health", ""))))
	time.Sleep(20 * time.Millisecond)
	_, _ = c.Write([]byte(post(sent("1", "broadcast_tx_sync", "never"))))
	begun := time.Now()
	_ = c.SetReadDeadline(begun.Add(5 * time.Second))
	all, err := io.ReadAll(c)
	if took := time.Since(begun); err != nil || took < 600*time.Millisecond || strings.Count(string(all), "HTTP/1.1") != 1 {
		t.Errorf("%v after %v: %q", err, took, all)
	}
}
