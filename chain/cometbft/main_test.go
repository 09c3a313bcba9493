package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"
)

// home is a folder of a chain of one validator with CometBFT's own key-value store as the application.
func home(t *testing.T, from string) *cfg.Config {
	t.Helper()
	root := t.TempDir()
	if from != "" {
		if err := copyFiles(root, from); err != nil {
			t.Fatal(err)
		}
	}
	cfg.EnsureRoot(root)
	config := cfg.DefaultConfig().SetRoot(root)
	config.ProxyApp = "persistent_kvstore"
	config.DBPath = "data"
	config.P2P.ListenAddress = "tcp://127.0.0.1:0"
	// It goes on to write a file when a node has stopped.
	config.P2P.PexReactor = false
	config.RPC.ListenAddress = "unix://" + filepath.Join(root, "rpc.sock")
	config.Consensus.TimeoutCommit = 20 * time.Millisecond
	if from != "" {
		return config
	}
	key := privval.LoadOrGenFilePV(config.PrivValidatorKeyFile(), config.PrivValidatorStateFile())
	public, err := key.GetPubKey()
	if err != nil {
		t.Fatal(err)
	}
	genesis := types.GenesisDoc{ChainID: "test", GenesisTime: time.Now(), Validators: []types.GenesisValidator{{PubKey: public, Power: 1}}}
	if err := genesis.SaveAs(config.GenesisFile()); err != nil {
		t.Fatal(err)
	}
	return config
}

// copyFiles copies what is in a folder, but for sockets.
func copyFiles(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		inside, _ := filepath.Rel(from, path)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_ = os.MkdirAll(filepath.Dir(filepath.Join(to, inside)), 0o700)
		return os.WriteFile(filepath.Join(to, inside), data, 0o600)
	})
}

// caller asks a node.
type caller struct {
	*http.Client
	t *testing.T
}

func (c caller) call(method, params string) string {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}`, method, params)
	answer, err := c.Post("http://node/", "application/json", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// until asks until an answer contains some words.
func (c caller) until(method, params, words string) {
	c.t.Helper()
	answer := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if answer = c.call(method, params); strings.Contains(answer, words) {
			return
		}
	}
	c.t.Fatalf("%s %s: no %s in %.500s", method, params, words, answer)
}

// end stops a node, and waits until it writes no more.
func end(t *testing.T, n *node.Node) {
	t.Helper()
	env, err := n.ConfigureRPC()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
	env.ConsensusState.(interface{ Wait() }).Wait()
}

// run has a node put transactions into blocks, and find them and those before.
func run(t *testing.T, make node.Provider, config *cfg.Config, before int) {
	t.Helper()
	socket := strings.TrimPrefix(config.RPC.ListenAddress, "unix://")
	n, err := make(config, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }
	asker := caller{&http.Client{Transport: &http.Transport{DialContext: dial}}, t}
	asker.until("status", "{}", `"tx_index":"on"`)
	asker.until("status", "{}", `"rpc_address":"unix://`)
	for number := before; number < before+3; number++ {
		tx := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("key%d=%d", number, number)))
		if answer := asker.call("broadcast_tx_sync", `{"tx":"`+tx+`"}`); !strings.Contains(answer, `"code":0`) {
			t.Fatal(answer)
		}
	}
	total := fmt.Sprintf(`"total_count":"%d"`, before+3)
	asker.until("tx_search", `{"query":"tx.height > 0"}`, total)
	asker.until("tx_search", `{"query":"app.creator CONTAINS 'Cosmoshi'"}`, total)
	asker.until("tx_search", `{"query":"app.key = 'key0'"}`, `"total_count":"1"`)
	hash := base64.StdEncoding.EncodeToString(types.Tx("key1=1").Hash())
	asker.until("tx", `{"hash":"`+hash+`"}`, `"tx":"a2V5MT0x"`)
	asker.until("block_search", `{"query":"block.height = 2"}`, `"height":"2"`)
	end(t, n)
	if _, err := net.Dial("unix", socket); err == nil {
		t.Error("a node that has stopped listens")
	}
}

func TestEitherProgramGoesOnWithTheOthersData(t *testing.T) {
	config := home(t, "")
	for turn, make := range []node.Provider{start, node.DefaultNewNode, start} {
		run(t, make, config, 3*turn)
		// A node leaves its index open, and so locked.
		config = home(t, config.RootDir)
	}
}

func TestANodeWithoutRPCOrIndexStarts(t *testing.T) {
	config := home(t, "")
	config.RPC.ListenAddress, config.TxIndex.Indexer = "", "null"
	n, err := start(config, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	end(t, n)
}

func TestAnAddressThatCannotBeListenedAtIsAnError(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "tcp://256.0.0.1:1", "unix:///nowhere/rpc.sock"} {
		config := home(t, "")
		config.RPC.ListenAddress = address
		n, err := start(config, log.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err == nil {
			t.Errorf("%s: no error", address)
			_ = n.Stop()
		}
	}
}
