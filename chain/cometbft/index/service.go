package index

import (
	"context"
	"fmt"

	db "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	blockkv "github.com/cometbft/cometbft/state/indexer/block/kv"
	"github.com/cometbft/cometbft/state/txindex"
	"github.com/cometbft/cometbft/types"
)

// subscriber is under which name CometBFT's indexers listen (state/txindex/indexer_service.go).
const subscriber = "IndexerService"

// Take has the blocks of a node that has not been started indexed by this package, into the database that the node has
// opened for it; a node without one indexes elsewhere or not at all.
//
// CometBFT's service is there since the node was made: it has to see blocks that are replayed for the application. What
// was published until now it still gets.
func Take(n *node.Node, store db.DB) error {
	if store == nil {
		return nil
	}
	return take(n.EventBus(), store, n.Logger.With("module", "txindex"))
}

func take(bus *types.EventBus, store db.DB, logger log.Logger) error {
	if err := bus.UnsubscribeAll(context.Background(), subscriber); err != nil {
		return fmt.Errorf("CometBFT's indexer: %w", err)
	}
	transactions := NewIndexer(store)
	// As in IndexerFromConfigWithDisabledIndexers of CometBFT's state/indexer/block.
	blocks := blockkv.New(db.NewPrefixDB(store, []byte("block_events")))
	transactions.SetLogger(logger)
	blocks.SetLogger(logger)
	service := txindex.NewIndexerService(transactions, blocks, bus, false)
	service.SetLogger(logger)
	return service.Start()
}
