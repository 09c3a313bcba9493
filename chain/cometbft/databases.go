package main

import (
	db "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// writtenMuch are the databases that take kilobytes for every transaction: its index, by each attribute of its events;
// what it came to; and itself. Their bytes lie in memory until there are so many, and are then sorted into files. With
// goleveldb's own 4 MiB the same rows are merged over and over, a fifth of the engine's time under load.
var writtenMuch = map[string]int{
	"tx_index":   16 * opt.MiB,
	"state":      8 * opt.MiB,
	"blockstore": 8 * opt.MiB,
}

// databases opens the engine's databases. The files are those of any other CometBFT.
func databases(ctx *cfg.DBContext) (db.DB, error) {
	buffer, much := writtenMuch[ctx.ID]
	if !much || db.BackendType(ctx.Config.DBBackend) != db.GoLevelDBBackend {
		return cfg.DefaultDBProvider(ctx)
	}
	options := opt.Options{WriteBuffer: buffer, CompactionTableSize: 8 * opt.MiB, CompactionTotalSize: 64 * opt.MiB}
	return db.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), &options)
}
