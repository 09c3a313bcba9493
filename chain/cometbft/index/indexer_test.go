package index

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	db "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/libs/pubsub/query"
	blockkv "github.com/cometbft/cometbft/state/indexer/block/kv"
	"github.com/cometbft/cometbft/state/txindex"
	"github.com/cometbft/cometbft/state/txindex/kv"
	"github.com/cometbft/cometbft/types"
)

// block is one with so many transactions, which have events of all kinds.
func block(random *rand.Rand, height int64, count int) *txindex.Batch {
	word := func() string {
		return []string{"", "a", "transfer", "from/to", "$es$1", "tx", "hash ", "\xff\x00", "ü", strings.Repeat("long", 90)}[random.Intn(10)]
	}
	batch := txindex.NewBatch(int64(count))
	for i := range batch.Ops {
		result := &abci.TxResult{Height: height, Index: uint32(i), Tx: []byte(fmt.Sprint(height, i))}
		result.Result = abci.ExecTxResult{Code: uint32(random.Intn(2)), Data: []byte(word()), GasUsed: random.Int63()}
		for range random.Intn(5) {
			event := abci.Event{Type: word()}
			for range random.Intn(5) {
				event.Attributes = append(event.Attributes, abci.EventAttribute{Key: word(), Value: word(), Index: random.Intn(3) > 0})
			}
			result.Result.Events = append(result.Result.Events, event)
		}
		batch.Ops[i] = result
	}
	return batch
}

// databases are two empty ones of each kind that batches differ for.
func databases(t *testing.T) map[string][2]db.DB {
	t.Helper()
	level := func() db.DB {
		store, err := db.NewGoLevelDB("tx_index", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	return map[string][2]db.DB{"memory": {db.NewMemDB(), db.NewMemDB()}, "goleveldb": {level(), level()}}
}

func rows(t *testing.T, store db.DB) string {
	t.Helper()
	all, err := store.Iterator(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	var text bytes.Buffer
	for ; all.Valid(); all.Next() {
		fmt.Fprintf(&text, "%q=%q\n", all.Key(), all.Value())
	}
	return text.String()
}

func TestRowsAreThoseOfCometBFT(t *testing.T) {
	for name, stores := range databases(t) {
		random := rand.New(rand.NewSource(1))
		stock, ours := kv.NewTxIndex(stores[0]), NewIndexer(stores[1])
		for height := int64(1); height < 60; height++ {
			blockOf := block(random, height*height*1000, random.Intn(20))
			if height == 30 {
				blockOf.Ops = append(blockOf.Ops, &abci.TxResult{Height: 30, Index: 1 << 31, Tx: make([]byte, keptBatch+1)})
			}
			for _, indexer := range []txindex.TxIndexer{stock, ours} {
				if err := indexer.AddBatch(blockOf); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := rows(t, stores[0])
		if got := rows(t, stores[1]); got != want || strings.Count(want, "\n") < 1000 {
			t.Errorf("%s: rows differ, %d bytes of them and %d here", name, len(want), len(got))
		}
		if len(ours.batch.Dump()) > keptBatch || cap(ours.value) > keptBatch {
			t.Errorf("%s: what a large block took stays", name)
		}
	}
}

func TestNamesOfTheIndexAreRefused(t *testing.T) {
	for name, stores := range databases(t) {
		stock, ours := kv.NewTxIndex(stores[0]), NewIndexer(stores[1])
		for _, key := range []string{"hash", "height"} {
			for _, found := range []bool{false, true} {
				batch := block(rand.New(rand.NewSource(2)), 7, 2)
				event := abci.Event{Type: "tx", Attributes: []abci.EventAttribute{{Key: key, Index: found}}}
				batch.Ops[1].Result.Events = append(batch.Ops[1].Result.Events, event)
				want, got := stock.AddBatch(batch), ours.AddBatch(batch)
				if want == nil || got == nil || got.Error() != want.Error() {
					t.Errorf("%s: %v, and %v here", name, want, got)
				}
			}
		}
		if found := rows(t, stores[1]); found != "" {
			t.Errorf("%s: %s", name, found)
		}
		// The next block is none the worse for it.
		good := block(rand.New(rand.NewSource(3)), 8, 3)
		if err := ours.AddBatch(good); err != nil || strings.Contains(rows(t, stores[1]), "/7/") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADatabaseThatFailsIsAnError(t *testing.T) {
	for name, stores := range databases(t) {
		if name == "memory" {
			continue
		}
		ours := NewIndexer(stores[1])
		_ = stores[1].Close()
		if err := ours.AddBatch(block(rand.New(rand.NewSource(4)), 1, 1)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheQuickQueryIsCometBFTs(t *testing.T) {
	for _, one := range []quick{{types.EventQueryTx, types.EventTx}, {types.EventQueryNewBlockEvents, types.EventNewBlockEvents}} {
		for _, events := range []map[string][]string{
			nil, {}, {"tm.event": nil}, {"tm.event": {""}}, {"tm.event": {"Tx"}}, {"tm.event": {"tx"}}, {"tm.event": {"a", "Tx"}},
			{"tm.event": {"NewBlockEvents"}}, {"tm.event": {"NewBlock"}}, {"a.event": {"Tx"}}, {"a.tm.event": {"Tx"}},
			{"tm": {"Tx"}}, {"tm.event.a": {"Tx"}}, {"tm.event": {"Tx "}}, {"tm.event": {"'Tx'"}}, {"tm.event": {"Tx", "NewBlockEvents"}},
		} {
			want, err := one.Query.Matches(events)
			if got, other := one.Matches(events); got != want || err != nil || other != nil {
				t.Errorf("%s of %v: %v, and %v here", one, events, want, got)
			}
		}
	}
}

// A bus with CometBFT's service, which has blocks on their way when this package takes over.
func TestNoBlockIsLostBetweenTheServices(t *testing.T) {
	for name, stores := range databases(t) {
		store := stores[0]
		bus := types.NewEventBus()
		if err := bus.Start(); err != nil {
			t.Fatal(err)
		}
		blocks := blockkv.New(db.NewPrefixDB(store, []byte("block_events")))
		if err := txindex.NewIndexerService(kv.NewTxIndex(store), blocks, bus, false).Start(); err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewSource(5))
		publish := func(height int64) {
			batch := block(random, height, 4)
			_ = bus.PublishEventNewBlockEvents(types.EventDataNewBlockEvents{Height: height, NumTxs: 4, Events: batch.Ops[0].Result.Events})
			for _, result := range batch.Ops {
				if err := bus.PublishEventTx(types.EventDataTx{TxResult: *result}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for height := int64(1); height <= 20; height++ {
			publish(height)
		}
		if err := take(bus, store, log.NewNopLogger()); err != nil {
			t.Fatal(err)
		}
		for height := int64(21); height <= 40; height++ {
			publish(height)
		}
		found := func() int {
			all, err := kv.NewTxIndex(store).Search(context.Background(), query.MustCompile("tx.height > 0"))
			if err != nil {
				t.Fatal(err)
			}
			heights, err := blocks.Search(context.Background(), query.MustCompile("block.height > 0"))
			if err != nil {
				t.Fatal(err)
			}
			return len(all) + len(heights)
		}
		for end := time.Now().Add(5 * time.Second); found() < 200 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if all := found(); all != 200 {
			t.Errorf("%s: %d of 160 transactions and 40 blocks", name, all)
		}
		if err := take(bus, store, log.NewNopLogger()); err != nil {
			t.Errorf("%s: a second time: %v", name, err)
		}
		if err := bus.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := take(bus, store, log.NewNopLogger()); err == nil {
			t.Errorf("%s: a bus that has stopped is taken", name)
		}
	}
}
