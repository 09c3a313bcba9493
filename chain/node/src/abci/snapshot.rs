//! The snapshot connection: state sync. This node's snapshots for others, and another's for this node.
//!
//! What a peer did wrong is said in the answer, so that CometBFT bans it and goes on with the next. Only a failure of
//! this machine stops the node.

use std::sync::Arc;

use tendermint::v0_38::abci::{SnapshotRequest, SnapshotResponse, request, response};

use crate::application::{Application, Fault};

/// The switchboard of the snapshot connection.
#[derive(Clone)]
pub(crate) struct Snapshot {
    app: Arc<dyn Application>,
}

impl Snapshot {
    /// The switchboard over an application.
    pub(crate) fn new(app: Arc<dyn Application>) -> Self {
        Self { app }
    }

    /// Answers one request.
    pub(crate) fn answer(&self, request: SnapshotRequest) -> Result<SnapshotResponse, Fault> {
        Ok(match request {
            SnapshotRequest::ListSnapshots => SnapshotResponse::ListSnapshots(self.list_snapshots()),
            SnapshotRequest::OfferSnapshot(r) => SnapshotResponse::OfferSnapshot(self.offer_snapshot(r)?),
            SnapshotRequest::LoadSnapshotChunk(r) => SnapshotResponse::LoadSnapshotChunk(self.load_snapshot_chunk(r)),
            SnapshotRequest::ApplySnapshotChunk(r) => {
                SnapshotResponse::ApplySnapshotChunk(self.apply_snapshot_chunk(r)?)
            }
        })
    }

    pub(crate) fn list_snapshots(&self) -> response::ListSnapshots {
        self.app.list_snapshots()
    }

    pub(crate) fn offer_snapshot(&self, request: request::OfferSnapshot) -> Result<response::OfferSnapshot, Fault> {
        self.app.offer_snapshot(request)
    }

    pub(crate) fn load_snapshot_chunk(&self, request: request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        self.app.load_snapshot_chunk(request)
    }

    pub(crate) fn apply_snapshot_chunk(
        &self,
        request: request::ApplySnapshotChunk,
    ) -> Result<response::ApplySnapshotChunk, Fault> {
        self.app.apply_snapshot_chunk(request)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aceso_app::{App, Config};
    use tendermint::{block, validator};
    use tendermint_proto::v0_38::abci::{self as pb, request::Value as Ask, response::Value as Answer};
    use tokio::net::UnixStream;

    use super::*;
    use crate::{
        abci::{
            consensus::Consensus,
            info::Info,
            mempool::Mempool,
            server::{
                Address, serve,
                tests::{ask, connect},
            },
        },
        cli::init::proof_spec,
        home::Home,
        testing::Here,
    };

    /// An application behind a socket.
    async fn served(home: &Path, app: Arc<App>) -> UnixStream {
        let socket = home.join("abci.sock");
        let consensus = Consensus::new(app.clone(), Arc::new(Here));
        let (mempool, info) = (Mempool::new(app.clone()), Info::new(app.clone()));
        let (address, snapshot) = (Address::Unix(socket.clone()), Snapshot::new(app));
        tokio::spawn(serve(address, consensus, mempool, info, snapshot, Default::default()));
        connect(&socket).await
    }

    fn open(home: &Path, snapshot_interval: u64) -> Arc<App> {
        let blobs = aceso_blobs::BlobStore::open(&home.join("blobs"), aceso_blobs::Options::default()).unwrap();
        let config = Config { snapshot_interval, ..Config::new(home, Arc::new(blobs), &crate::worker::Reopening) };
        Arc::new(App::open(config).unwrap())
    }

    fn at(height: u32) -> block::Height {
        height.into()
    }

    /// Three empty blocks of a chain of one validator.
    fn run(app: &App, home: &Home) {
        let origin = home.begin(&Default::default(), proof_spec().unwrap()).unwrap().origin;
        let update = |info: &validator::Info| validator::Update { pub_key: info.pub_key, power: info.power };
        app.init_chain(request::InitChain {
            time: origin.time,
            chain_id: origin.chain_id.to_string(),
            consensus_params: origin.params,
            validators: origin.validators.iter().map(update).collect(),
            app_state_bytes: origin.app_state,
            initial_height: at(1),
        })
        .unwrap();
        for height in 1..=3 {
            app.finalize_block(request::FinalizeBlock {
                txs: Vec::new(),
                decided_last_commit: tendermint::abci::types::CommitInfo { round: 0_u16.into(), votes: Vec::new() },
                misbehavior: Vec::new(),
                hash: Default::default(),
                height: at(height),
                time: origin.time,
                next_validators_hash: Default::default(),
                proposer_address: tendermint::account::Id::new([0; 20]),
            })
            .unwrap();
            app.commit().unwrap();
        }
    }

    #[tokio::test]
    async fn a_state_goes_from_socket_to_socket() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let home = Home::at(old.path());
        let _lock = home.lock().unwrap();
        let (first, second) = (open(old.path(), 3), open(new.path(), 3));
        run(&first, &home);
        let trusted = first.info().last_block_app_hash;
        let (mut from, mut to) = (served(old.path(), first).await, served(new.path(), second.clone()).await);

        let snapshot = loop {
            let listed = ask(&mut from, Ask::ListSnapshots(Default::default())).await;
            let Answer::ListSnapshots(mut listed) = listed else { panic!("{listed:?}") };
            match listed.snapshots.pop() {
                Some(snapshot) => break snapshot,
                None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        assert_eq!((snapshot.height, snapshot.format), (3, aceso_app::SNAPSHOT_FORMAT));
        let mut refused = snapshot.clone();
        refused.hash = vec![0; 32].into();
        for (snapshot, result) in [(refused, 5), (snapshot.clone(), 1)] {
            let offer = pb::RequestOfferSnapshot { snapshot: Some(snapshot), app_hash: trusted.clone().into() };
            let answer = ask(&mut to, Ask::OfferSnapshot(offer)).await;
            assert!(matches!(&answer, Answer::OfferSnapshot(offer) if offer.result == result), "{answer:?}");
        }
        for index in 0..snapshot.chunks {
            let load = pb::RequestLoadSnapshotChunk { height: snapshot.height, format: snapshot.format, chunk: index };
            let loaded = ask(&mut from, Ask::LoadSnapshotChunk(load)).await;
            let Answer::LoadSnapshotChunk(loaded) = loaded else { panic!("{loaded:?}") };
            let lie = [loaded.chunk.as_ref(), b"x"].concat().into();
            for (chunk, result, refetched) in [(lie, 3, vec![index]), (loaded.chunk, 1, vec![])] {
                let apply = pb::RequestApplySnapshotChunk { index, chunk, sender: "peer".into() };
                let applied = ask(&mut to, Ask::ApplySnapshotChunk(apply)).await;
                let Answer::ApplySnapshotChunk(applied) = applied else { panic!("{applied:?}") };
                assert_eq!((applied.result, &applied.refetch_chunks), (result, &refetched));
                assert_eq!(applied.reject_senders.len(), refetched.len());
            }
        }
        let [old, new] =
            [ask(&mut from, Ask::Info(Default::default())).await, ask(&mut to, Ask::Info(Default::default())).await];
        assert_eq!(old, new);
        assert_eq!(second.info().last_block_height, at(3));
        assert_eq!(second.chain().unwrap().chain_id, "aceso-dev");
    }
}
