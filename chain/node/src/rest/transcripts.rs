//! What the open reads of a block came to, for nodes that execute it when its images are gone.
//!
//! `GET /aceso/transcripts/v1/{height}` answers the protobuf of a [`Testimony`]: the block's transcript, and the next
//! header with its commit, without which nobody can tell whether the transcript is true. While the next block is not
//! signed the transcript comes alone. Reads of contracts are open to everyone, so nobody is asked who he is.

use std::{convert::Infallible, sync::Arc};

use aceso_app::{Testimony, statement};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use prost::Message;
use serde_json::json;
use tendermint::block::signed_header::SignedHeader;
use tendermint_proto::v0_38::types as wire;

use super::{Rest, Rpc, refuse};
use crate::{
    application::Fault,
    net::{Peer, places::Place},
    rpc::Node,
    services::engine::HASTE,
};

/// Transcripts on their way out at the same time. Each is in memory whole, twice.
pub(crate) const TELLINGS: usize = 4;
/// Bytes of one piece on the way out.
const PIECE: usize = 128 << 10;

/// See the module.
pub(crate) async fn get(
    State(rest): State<Arc<Rest>>,
    Extension(peer): Extension<Peer>,
    Path(height): Path<String>,
) -> Response {
    let (height, place) = match asked(&rest, peer, &height) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let told = tokio::task::spawn_blocking(move || {
        let Some(transcript) = rest.app.transcript(height)? else { return Ok(None) };
        let signed_header = match signed_header(&rest.rpc, height.saturating_add(1)) {
            Ok(header) => wire::SignedHeader::from(header).encode_to_vec(),
            Err(reason) => {
                tracing::debug!(height, "a transcript is told without the next header: {reason}");
                Vec::new()
            }
        };
        Ok::<_, Fault>(Some(Testimony { transcript, signed_header }.encode_to_vec()))
    });
    match told.await {
        Ok(Ok(Some(bytes))) => {
            let length = bytes.len();
            // The place is taken as long as bytes of it wait to be sent.
            let pieces = futures::stream::unfold((Bytes::from(bytes), place), |(mut rest, place)| async move {
                let piece = rest.split_to(rest.len().min(PIECE));
                (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, place)))
            });
            let mut response = Body::from_stream(pieces).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, length.into());
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response
        }
        Ok(Ok(None)) => {
            let words = format_args!("there is no transcript of block {height} here: it has not read, or it is gone");
            refuse(StatusCode::NOT_FOUND, 5, words)
        }
        Ok(Err(e)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
    }
}

/// `GET /aceso/reads/v1/{height}`: the protobuf of a [`Reads`](aceso_types::msg::Reads), what this validator's reads of a
/// block came to, signed with its attestation key.
pub(crate) async fn reads(
    State(rest): State<Arc<Rest>>,
    Extension(peer): Extension<Peer>,
    Path(height): Path<String>,
) -> Response {
    let (height, place) = match asked(&rest, peer, &height) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let said = tokio::task::spawn_blocking(move || {
        let _place = place;
        let latest = rest.app.info().last_block_height.value();
        if height > latest {
            return Ok(Err("the block is not executed yet"));
        }
        let digest = rest.app.transcript_digest(height)?;
        let counted = rest.app.attests(latest.saturating_add(1));
        let signed = rest.keys.with(&counted, |key| statement(key, &rest.chain_id, height, digest));
        Ok::<_, Fault>(signed.map(|reads| reads.encode_to_vec()).ok_or("this node has no attestation key that counts"))
    });
    match said.await {
        Ok(Ok(Ok(bytes))) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Ok(Ok(Err(reason))) => refuse(StatusCode::NOT_FOUND, 5, reason),
        Ok(Err(e)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
    }
}

/// The height that is asked for, and a place to answer in.
fn asked(rest: &Rest, peer: Peer, height: &str) -> Result<(u64, Place), Box<Response>> {
    let Ok(height) = height.parse::<u64>() else {
        let words = format_args!("{height:?} is not the height of a block");
        return Err(Box::new(refuse(StatusCode::BAD_REQUEST, 3, words)));
    };
    let place = rest.tellings.take(peer);
    place.map(|place| (height, place)).map_err(|e| Box::new(refuse(StatusCode::SERVICE_UNAVAILABLE, 14, e)))
}

/// A header with its commit, if the engine has them.
fn signed_header(rpc: &Rpc, height: u64) -> Result<SignedHeader, String> {
    match rpc {
        Rpc::Here(node) => kept(node, height)?.ok_or_else(|| "the block is not made yet".into()),
        Rpc::CometBft(_) => {
            let asked = rpc.call_within(HASTE, "commit", json!({"height": height.to_string()}));
            let mut answer = asked.map_err(|failure| failure.to_string())?;
            serde_json::from_value(answer["signed_header"].take()).map_err(|e| e.to_string())
        }
    }
}

/// The same of a chain in this process.
fn kept(node: &Node, height: u64) -> Result<Option<SignedHeader>, String> {
    let text = |e: crate::engine::store::StoreError| e.to_string();
    let Some(block) = node.store.block(height).map_err(text)? else { return Ok(None) };
    let Some(commit) = node.store.commit(height).map_err(text)? else { return Ok(None) };
    SignedHeader::new(block.block.header, commit.plain()).map(Some).map_err(|e| e.to_string())
}
