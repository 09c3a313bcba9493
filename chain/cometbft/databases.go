package main

import (
	db "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// unmerged are the files with new rows that are merged with the older ones at once. With goleveldb's own 4 the older ones
// are written over and over: the index of transactions has a row for every attribute of every event, kilobytes for a
// transaction, and merging it took a tenth of the engine's time under load. Reading looks into each of them.
const unmerged = 24

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
		options.CompactionTableSize, options.CompactionTotalSize = 8*opt.MiB, 64*opt.MiB
	}
	return db.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), &options)
}
