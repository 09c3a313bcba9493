package main

import (
	db "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// indexBuffer are the bytes of the index of transactions that lie in memory before they are sorted into a file. It has a
// row for every attribute of every event, kilobytes for a transaction. With goleveldb's own 4 MiB the same rows are merged
// over and over, a fifth of the engine's time under load.
const indexBuffer = 8 * opt.MiB

// databases opens the engine's databases, whose files are those of any other CometBFT.
type databases struct {
	// The index of transactions, if there is one.
	index db.DB
}

// open opens one of them.
func (d *databases) open(ctx *cfg.DBContext) (db.DB, error) {
	if ctx.ID != "tx_index" {
		return cfg.DefaultDBProvider(ctx)
	}
	var err error
	if db.BackendType(ctx.Config.DBBackend) == db.GoLevelDBBackend {
		options := opt.Options{WriteBuffer: indexBuffer, CompactionTableSize: 8 * opt.MiB, CompactionTotalSize: 64 * opt.MiB}
		d.index, err = db.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), &options)
	} else {
		d.index, err = cfg.DefaultDBProvider(ctx)
	}
	return d.index, err
}
