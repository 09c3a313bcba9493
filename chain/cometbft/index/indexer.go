// Package index writes the index of transactions: the rows of CometBFT's own indexer (state/txindex/kv), which goes on to
// read them. A transaction has a row for every attribute of every event. CometBFT formats each key three times over and
// grows a batch anew for every block; here a key is put together in one buffer, and buffers stay.
package index

import (
	"fmt"
	"strconv"

	db "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/state/txindex"
	"github.com/cometbft/cometbft/state/txindex/kv"
	"github.com/cometbft/cometbft/types"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// keptBatch are the bytes of a batch up to which its memory is kept for the next.
const keptBatch = 2 * opt.MiB

// Indexer writes as kv.TxIndex does; everything else is that one's. Blocks are added one at a time.
type Indexer struct {
	*kv.TxIndex
	store db.DB
	// Events since the start: attributes of one event have its number in their keys.
	events int64

	// Of a block's transactions.
	hashes [][]byte
	before []int64
	batch  *leveldb.Batch
	key    []byte
	value  []byte
}

var _ txindex.TxIndexer = (*Indexer)(nil)

// NewIndexer writes into a database that other indexers may write into too.
func NewIndexer(store db.DB) *Indexer {
	return &Indexer{TxIndex: kv.NewTxIndex(store), store: store, batch: new(leveldb.Batch)}
}

// batch is what rows are put into; it takes copies.
type batch interface{ Set(key, value []byte) error }

// kept is a batch of goleveldb whose memory stays.
type kept struct{ *leveldb.Batch }

func (k kept) Set(key, value []byte) error {
	k.Put(key, value)
	return nil
}

// copying is any other database's batch, which may keep what it is given.
type copying struct{ db.Batch }

func (c copying) Set(key, value []byte) error {
	return c.Batch.Set(append([]byte(nil), key...), append([]byte(nil), value...))
}

// AddBatch writes the rows of a block's transactions at once. An event with a name that is the index's own is an error,
// and then nothing is written.
func (x *Indexer) AddBatch(block *txindex.Batch) error {
	level, ok := x.store.(*db.GoLevelDB)
	if !ok {
		rows := x.store.NewBatch()
		defer rows.Close()
		if err := x.rows(copying{rows}, block.Ops); err != nil {
			return err
		}
		return rows.WriteSync()
	}
	x.batch.Reset()
	if err := x.rows(kept{x.batch}, block.Ops); err != nil {
		return err
	}
	err := level.DB().Write(x.batch, &opt.WriteOptions{Sync: true})
	if len(x.batch.Dump()) > keptBatch {
		x.batch = new(leveldb.Batch)
	}
	return err
}

// rows puts a block's rows into a batch. Attributes of the same place in their transactions go one after another: their
// keys mostly begin alike, and goleveldb then finds where they belong in two thirds of the time.
func (x *Indexer) rows(rows batch, results []*abci.TxResult) error {
	if err := x.count(results); err != nil {
		return err
	}
	for event, more := 0, true; more; event++ {
		more = false
		for attribute, left := 0, true; left; attribute++ {
			left = false
			for i, result := range results {
				if event >= len(result.Result.Events) {
					continue
				}
				more = true
				if one := &result.Result.Events[event]; attribute < len(one.Attributes) {
					left = true
					if err := x.attribute(rows, result, i, event, &one.Attributes[attribute]); err != nil {
						return err
					}
				}
			}
		}
	}
	for i, result := range results {
		x.key = append(append(x.key[:0], types.TxHeightKey...), '/')
		x.key = append(strconv.AppendInt(x.key, result.Height, 10), '/')
		if err := rows.Set(x.place(result, 0), x.hashes[i]); err != nil {
			return err
		}
		if err := x.whole(rows, result, x.hashes[i]); err != nil {
			return err
		}
	}
	return nil
}

// count notes each transaction's hash, and how many events came before it.
func (x *Indexer) count(results []*abci.TxResult) error {
	x.hashes, x.before = x.hashes[:0], x.before[:0]
	for _, result := range results {
		x.hashes = append(x.hashes, types.Tx(result.Tx).Hash())
		x.before = append(x.before, x.events)
		for _, event := range result.Result.Events {
			x.events++
			if len(event.Type) == 0 {
				continue
			}
			for _, attribute := range event.Attributes {
				name := event.Type + "." + attribute.Key
				if len(attribute.Key) > 0 && (name == types.TxHashKey || name == types.TxHeightKey) {
					return fmt.Errorf("event type and attribute key \"%s\" is reserved; please use a different key", name)
				}
			}
		}
	}
	return nil
}

// attribute puts the row of one that is to be found: `type.key/value/height/index$es$event`.
func (x *Indexer) attribute(rows batch, result *abci.TxResult, i, event int, attribute *abci.EventAttribute) error {
	kind := result.Result.Events[event].Type
	if len(kind) == 0 || len(attribute.Key) == 0 || !attribute.Index {
		return nil
	}
	x.key = append(append(x.key[:0], kind...), '.')
	x.key = append(append(x.key, attribute.Key...), '/')
	x.key = append(append(x.key, attribute.Value...), '/')
	return rows.Set(x.place(result, x.before[i]+int64(event)+1), x.hashes[i])
}

// whole puts the row with the transaction and its result.
func (x *Indexer) whole(rows batch, result *abci.TxResult, hash []byte) error {
	size := result.Size()
	if cap(x.value) < size {
		x.value = make([]byte, size)
	}
	n, err := result.MarshalToSizedBuffer(x.value[:size])
	if err != nil {
		return err
	}
	err = rows.Set(hash, x.value[size-n:size])
	if cap(x.value) > keptBatch {
		x.value = nil
	}
	return err
}

// place is the key with where a transaction is at its end.
func (x *Indexer) place(result *abci.TxResult, event int64) []byte {
	x.key = append(strconv.AppendInt(x.key, result.Height, 10), '/')
	x.key = strconv.AppendUint(x.key, uint64(result.Index), 10)
	x.key = strconv.AppendInt(append(x.key, "$es$"...), event, 10)
	return x.key
}
