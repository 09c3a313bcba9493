// Command cometbft is CometBFT 0.38 as it comes, with another client of the application's socket (package socket), a shorter
// way for transactions that are handed over and a line for those who flood it with bad ones (rpc), another writer of its
// index (index), and less work for its databases and for garbage.
//
// It takes the same verbs, flags, configuration and data folder, and `version` says the same. Neither program knows
// which of the two others in a network run.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/cmd/cometbft/commands"
	cmtdebug "github.com/cometbft/cometbft/cmd/cometbft/commands/debug"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/cli"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"aceso/cometbft/index"
	"aceso/cometbft/rpc"
	"aceso/cometbft/socket"
)

func main() {
	collectSeldom()
	root := commands.RootCmd
	root.AddCommand(
		commands.CompactGoLevelDBCmd,
		commands.GenNodeKeyCmd,
		commands.GenValidatorCmd,
		commands.InitFilesCmd,
		commands.InspectCmd,
		commands.LightCmd,
		commands.ReIndexEventCmd,
		commands.ReplayCmd,
		commands.ReplayConsoleCmd,
		commands.ResetAllCmd,
		commands.ResetPrivValidatorCmd,
		commands.ResetStateCmd,
		commands.RollbackStateCmd,
		commands.ShowNodeIDCmd,
		commands.ShowValidatorCmd,
		commands.TestnetFilesCmd,
		commands.VersionCmd,
		commands.NewRunNodeCmd(start),
		cmtdebug.DebugCmd,
		cli.NewCompletionCmd(root, true),
	)
	home := os.ExpandEnv(filepath.Join("$HOME", cfg.DefaultTendermintDir))
	if err := cli.PrepareBaseCmd(root, "CMT", home).Execute(); err != nil {
		os.Exit(1)
	}
}

// start makes a node as node.DefaultNewNode does, but for what is ours.
func start(config *cfg.Config, logger log.Logger) (*node.Node, error) {
	key, err := p2p.LoadOrGenNodeKey(config.NodeKeyFile())
	if err != nil {
		return nil, fmt.Errorf("the node's key in %s: %w", config.NodeKeyFile(), err)
	}
	var stores databases
	n, err := node.NewNode(
		config,
		privval.LoadOrGenFilePV(config.PrivValidatorKeyFile(), config.PrivValidatorStateFile()),
		key,
		socket.Creator(config.ProxyApp, config.ABCI, config.DBDir()),
		node.DefaultGenesisDocProviderFunc(config),
		stores.open,
		node.DefaultMetricsProvider(config.Instrumentation),
		logger,
	)
	if err != nil {
		return nil, err
	}
	if err := index.Take(n, stores.index); err != nil {
		return nil, err
	}
	return rpc.Take(n), nil
}
