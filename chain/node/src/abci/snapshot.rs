//! The snapshot connection: this application takes and offers no snapshots, and says so in ABCI's own words.

use tendermint::v0_38::abci::{SnapshotRequest, SnapshotResponse, response};

use crate::application::Fault;

/// Answers one request.
pub(crate) fn answer(request: &SnapshotRequest) -> Result<SnapshotResponse, Fault> {
    Ok(match request {
        SnapshotRequest::ListSnapshots => SnapshotResponse::ListSnapshots(response::ListSnapshots::default()),
        SnapshotRequest::OfferSnapshot(_) => SnapshotResponse::OfferSnapshot(response::OfferSnapshot::Abort),
        SnapshotRequest::LoadSnapshotChunk(_) => {
            SnapshotResponse::LoadSnapshotChunk(response::LoadSnapshotChunk::default())
        }
        SnapshotRequest::ApplySnapshotChunk(_) => SnapshotResponse::ApplySnapshotChunk(response::ApplySnapshotChunk {
            result: tendermint::abci::response::ApplySnapshotChunkResult::Abort,
            ..Default::default()
        }),
    })
}
