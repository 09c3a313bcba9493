package socket

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/types"
)

// CheckTxAsync does not wait: whoever calls it sets a callback.
func (c *Client) CheckTxAsync(ctx context.Context, req *types.RequestCheckTx) (*abcicli.ReqRes, error) {
	return c.put(ctx, types.ToRequestCheckTx(req))
}

// Flush waits until every request before it is answered.
func (c *Client) Flush(ctx context.Context) error {
	_, err := c.ask(ctx, types.ToRequestFlush())
	return err
}

// Echo asks for the same words.
func (c *Client) Echo(ctx context.Context, message string) (*types.ResponseEcho, error) {
	answer, err := c.ask(ctx, types.ToRequestEcho(message))
	return answer.GetEcho(), err
}

// Commit keeps the block that was executed.
func (c *Client) Commit(ctx context.Context, _ *types.RequestCommit) (*types.ResponseCommit, error) {
	answer, err := c.ask(ctx, types.ToRequestCommit())
	return answer.GetCommit(), err
}

// Info asks where the application stands.
func (c *Client) Info(ctx context.Context, req *types.RequestInfo) (*types.ResponseInfo, error) {
	answer, err := c.ask(ctx, types.ToRequestInfo(req))
	return answer.GetInfo(), err
}

// Query asks about its state.
func (c *Client) Query(ctx context.Context, req *types.RequestQuery) (*types.ResponseQuery, error) {
	answer, err := c.ask(ctx, types.ToRequestQuery(req))
	return answer.GetQuery(), err
}

// CheckTx asks whether a transaction may wait for a block.
func (c *Client) CheckTx(ctx context.Context, req *types.RequestCheckTx) (*types.ResponseCheckTx, error) {
	answer, err := c.ask(ctx, types.ToRequestCheckTx(req))
	return answer.GetCheckTx(), err
}

// InitChain tells it the genesis.
func (c *Client) InitChain(ctx context.Context, req *types.RequestInitChain) (*types.ResponseInitChain, error) {
	answer, err := c.ask(ctx, types.ToRequestInitChain(req))
	return answer.GetInitChain(), err
}

// PrepareProposal has it choose what to propose.
func (c *Client) PrepareProposal(ctx context.Context, req *types.RequestPrepareProposal) (*types.ResponsePrepareProposal, error) {
	answer, err := c.ask(ctx, types.ToRequestPrepareProposal(req))
	return answer.GetPrepareProposal(), err
}

// ProcessProposal asks whether a proposal is well formed.
func (c *Client) ProcessProposal(ctx context.Context, req *types.RequestProcessProposal) (*types.ResponseProcessProposal, error) {
	answer, err := c.ask(ctx, types.ToRequestProcessProposal(req))
	return answer.GetProcessProposal(), err
}

// FinalizeBlock has it execute a block.
func (c *Client) FinalizeBlock(ctx context.Context, req *types.RequestFinalizeBlock) (*types.ResponseFinalizeBlock, error) {
	answer, err := c.ask(ctx, types.ToRequestFinalizeBlock(req))
	return answer.GetFinalizeBlock(), err
}

// ExtendVote asks what goes with a vote.
func (c *Client) ExtendVote(ctx context.Context, req *types.RequestExtendVote) (*types.ResponseExtendVote, error) {
	answer, err := c.ask(ctx, types.ToRequestExtendVote(req))
	return answer.GetExtendVote(), err
}

// VerifyVoteExtension asks about what went with another's.
func (c *Client) VerifyVoteExtension(ctx context.Context, req *types.RequestVerifyVoteExtension) (*types.ResponseVerifyVoteExtension, error) {
	answer, err := c.ask(ctx, types.ToRequestVerifyVoteExtension(req))
	return answer.GetVerifyVoteExtension(), err
}

// ListSnapshots asks for the snapshots that it has.
func (c *Client) ListSnapshots(ctx context.Context, req *types.RequestListSnapshots) (*types.ResponseListSnapshots, error) {
	answer, err := c.ask(ctx, types.ToRequestListSnapshots(req))
	return answer.GetListSnapshots(), err
}

// OfferSnapshot offers it a peer's.
func (c *Client) OfferSnapshot(ctx context.Context, req *types.RequestOfferSnapshot) (*types.ResponseOfferSnapshot, error) {
	answer, err := c.ask(ctx, types.ToRequestOfferSnapshot(req))
	return answer.GetOfferSnapshot(), err
}

// LoadSnapshotChunk asks for a part of one.
func (c *Client) LoadSnapshotChunk(ctx context.Context, req *types.RequestLoadSnapshotChunk) (*types.ResponseLoadSnapshotChunk, error) {
	answer, err := c.ask(ctx, types.ToRequestLoadSnapshotChunk(req))
	return answer.GetLoadSnapshotChunk(), err
}

// ApplySnapshotChunk hands it a part of one.
func (c *Client) ApplySnapshotChunk(ctx context.Context, req *types.RequestApplySnapshotChunk) (*types.ResponseApplySnapshotChunk, error) {
	answer, err := c.ask(ctx, types.ToRequestApplySnapshotChunk(req))
	return answer.GetApplySnapshotChunk(), err
}
