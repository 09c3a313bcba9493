package index

import (
	"context"
	"fmt"
	"slices"

	db "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/libs/pubsub"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/state/indexer"
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
	// As in IndexerFromConfigWithDisabledIndexers of CometBFT's state/indexer/block.
	s := service{transactions: NewIndexer(store), blocks: blockkv.New(db.NewPrefixDB(store, []byte("block_events"))), logger: logger}
	s.transactions.SetLogger(logger)
	s.blocks.SetLogger(logger)
	// Without a buffer, so that nothing is dropped because of a slow disk.
	blocks, err := bus.SubscribeUnbuffered(context.Background(), subscriber, quick{types.EventQueryNewBlockEvents, types.EventNewBlockEvents})
	if err != nil {
		return err
	}
	transactions, err := bus.SubscribeUnbuffered(context.Background(), subscriber, quick{types.EventQueryTx, types.EventTx})
	if err != nil {
		return err
	}
	go s.run(blocks, transactions)
	return nil
}

// quick is a query for one kind of event that looks at the kind alone. CometBFT's own takes every event apart for it.
type quick struct {
	pubsub.Query
	kind string
}

// Matches says whether these are an event's of the kind.
func (q quick) Matches(events map[string][]string) (bool, error) {
	return slices.Contains(events[types.EventTypeKey], q.kind), nil
}

// service adds each block and its transactions.
type service struct {
	transactions *Indexer
	blocks       indexer.BlockIndexer
	logger       log.Logger
}

// run goes on until the bus stops. What cannot be indexed is logged and left out, as CometBFT has it.
func (s *service) run(blocks, transactions types.Subscription) {
	for {
		select {
		case <-blocks.Canceled():
			return
		case message := <-blocks.Out():
			events := message.Data().(types.EventDataNewBlockEvents)
			batch, ok := collect(events.NumTxs, transactions)
			if !ok {
				return
			}
			s.add(events, batch)
		}
	}
}

// collect takes a block's transactions, which are published after it; there are none when the bus stops before.
func collect(count int64, transactions types.Subscription) (*txindex.Batch, bool) {
	batch := txindex.NewBatch(count)
	for range count {
		select {
		case <-transactions.Canceled():
			return nil, false
		case message := <-transactions.Out():
			result := message.Data().(types.EventDataTx).TxResult
			// It has no other error than a panic, for an index that consensus does not give.
			_ = batch.Add(&result)
		}
	}
	return batch, true
}

func (s *service) add(events types.EventDataNewBlockEvents, batch *txindex.Batch) {
	if err := s.blocks.Index(events); err != nil {
		s.logger.Error("failed to index block", "height", events.Height, "err", err)
	} else {
		s.logger.Info("indexed block events", "height", events.Height)
	}
	if err := s.transactions.AddBatch(batch); err != nil {
		s.logger.Error("failed to index block txs", "height", events.Height, "err", err)
	} else {
		s.logger.Debug("indexed transactions", "height", events.Height, "num_txs", events.NumTxs)
	}
}
