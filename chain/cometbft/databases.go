package main

import (
	db "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// indexBuffer are the bytes of the index of transactions that lie in memory before they are sorted into a file. It has a
// row for every attribute of every event, kilobytes for a transaction: with goleveldb's own 4 MiB the same rows are merged
// over and over, a fifth of the engine's time under load.
const indexBuffer = 8 * opt.MiB

// unmerged are the files with new rows that are merged with the older ones at once. With goleveldb's own 4 the older ones
// are written half as often again. Reading looks into each of them.
const unmerged = 12

// databases opens the engine's databases, whose files are those of any other CometBFT.
type databases struct {
	// The index of transactions, if there is one.
	index db.DB
}

// open opens one of them.
func (d *databases) open(ctx *cfg.DBContext) (db.DB, error) {
	store, err := open(ctx)
	if err == nil && ctx.ID == "tx_index" {
		d.index = store
	}
	return store, err
}

func open(ctx *cfg.DBContext) (db.DB, error) {
	if db.BackendType(ctx.Config.DBBackend) != db.GoLevelDBBackend {
		return cfg.DefaultDBProvider(ctx)
	}
	options := opt.Options{
		CompactionL0Trigger: unmerged,
		// In goleveldb's proportions: from here on writing is slower, and from there on it waits.
		WriteL0SlowdownTrigger: 2 * unmerged,
		WriteL0PauseTrigger:    3 * unmerged,
	}
	if ctx.ID == "tx_index" {
		options.WriteBuffer, options.CompactionTableSize, options.CompactionTotalSize = indexBuffer, indexBuffer, 8*indexBuffer
	}
	return db.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), &options)
}
