// Imports a file into a blockstore of boxo over flatfs, as IPFS nodes do, and prints how many seconds it took.
//
//	boxo FILE DIR
//
// UnixFS, CIDv1, SHA-256, leaves of 1 MiB, at most 1024 links: the same blocks as ours. Every block is synced.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	flatfs "github.com/ipfs/go-ds-flatfs"
	"github.com/multiformats/go-multihash"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: boxo FILE DIR")
	}
	seconds, root, err := run(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"seconds\":%f,\"root\":%q}\n", seconds, root)
}

func run(path, dir string) (float64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	store, err := flatfs.CreateOrOpen(dir, flatfs.NextToLast(2), true)
	if err != nil {
		return 0, "", err
	}
	defer store.Close()

	start := time.Now()
	blocks := blockstore.NewBlockstore(store, blockstore.NoPrefix())
	service := merkledag.NewDAGService(blockservice.New(blocks, offline.Exchange(blocks)))
	params := helpers.DagBuilderParams{
		Maxlinks:   1024,
		RawLeaves:  true,
		CidBuilder: cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256},
		Dagserv:    service,
	}
	builder, err := params.New(chunk.NewSizeSplitter(file, 1<<20))
	if err != nil {
		return 0, "", err
	}
	node, err := balanced.Layout(builder)
	if err != nil {
		return 0, "", err
	}
	if err := store.Sync(context.Background(), datastore.NewKey("/")); err != nil {
		return 0, "", err
	}
	return time.Since(start).Seconds(), node.Cid().String(), nil
}
