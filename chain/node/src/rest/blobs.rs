//! Blobs in and out over HTTP, streamed both ways.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
    time::{Duration, Instant},
};

use aceso_blobs::{BlobError, BlobReader, Put};
use aceso_types::BlobId;
use axum::{
    Extension,
    body::{Body, BodyDataStream, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde_json::json;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{Rest, access, ledger, refuse};
use crate::{
    net::{self, Peer, places::Place},
    rpc::http,
};

/// How long a sender may pause between two pieces.
const PAUSE: Duration = Duration::from_secs(30);
/// Bytes per second that a sender must reach on average, [`ledger::Limits::grace`] not counted.
const RATE: u64 = 64 << 10;
/// Bytes of one piece on the way out.
const PIECE: usize = 128 << 10;
/// Blobs on their way out at the same time. Each holds a leaf of 1 MiB and a few pieces.
pub(crate) const DOWNLOADS: usize = 64;

/// `POST /aceso/blobs/v1`: the body becomes a blob; answers `{"cid", "size"}`.
pub(crate) async fn put(
    State(rest): State<Arc<Rest>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let grace = rest.ledger.limits().grace;
    let sender = Sender { body: body.into_data_stream(), grace, received: 0, waited: Duration::ZERO };
    let pieces = futures::stream::unfold(sender, |mut sender| async move { Some((sender.piece().await?, sender)) });
    let pieces = Box::pin(pieces);
    let room = match rest.ledger.reserve(peer, announced) {
        Ok(room) => room,
        Err(refused) => {
            net::linger(pieces);
            let (status, code) = match refused {
                ledger::Refused::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, 3),
                ledger::Refused::Quota { .. } | ledger::Refused::Share { .. } => (StatusCode::INSUFFICIENT_STORAGE, 8),
                ledger::Refused::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, 14),
            };
            return refuse(status, code, refused);
        }
    };
    let mut reader = SyncIoBridge::new(StreamReader::new(pieces));
    let storing = Arc::clone(&rest);
    let stored = tokio::task::spawn_blocking(move || {
        let mut counted = reader.by_ref().take(u64::MAX);
        match storing.blobs.put(&mut counted, room.bytes()) {
            Ok(put) => {
                room.keep(put.id, put.size);
                Ok(put)
            }
            Err(e) => {
                room.spill(u64::MAX - counted.limit());
                Err((e, reader.into_inner().into_inner()))
            }
        }
    });
    match stored.await {
        Ok(Ok(Put { id, size, .. })) => {
            rest.pulse.beat();
            http::json(StatusCode::OK, &json!({"cid": id.to_string(), "size": size.to_string()}))
        }
        Ok(Err((e, pieces))) => {
            net::linger(pieces);
            failed(&e)
        }
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
    }
}

/// Somebody who sends, and how long we have waited for what.
struct Sender {
    body: BodyDataStream,
    grace: Duration,
    received: u64,
    waited: Duration,
}

impl Sender {
    /// The next piece, unless it takes too long: each byte received buys some time, so that whoever holds a place in
    /// the queue of uploads uses it.
    async fn piece(&mut self) -> Option<io::Result<Bytes>> {
        let bought = Duration::from_millis(self.received.saturating_mul(1000) / RATE);
        let left = self.grace.saturating_add(bought).saturating_sub(self.waited);
        let began = Instant::now();
        let piece = tokio::time::timeout(left.min(PAUSE), self.body.next()).await;
        self.waited += began.elapsed();
        match piece {
            Ok(Some(Ok(piece))) => {
                self.received += piece.len() as u64;
                Some(Ok(piece))
            }
            Ok(Some(Err(e))) => Some(Err(io::Error::other(e))),
            Ok(None) => None,
            Err(_) if left < PAUSE => {
                let words = format!(
                    "the sender is too slow: {} bytes came, and {RATE} bytes a second are the least",
                    self.received
                );
                Some(Err(io::Error::new(io::ErrorKind::TimedOut, words)))
            }
            Err(_) => Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the sender paused for too long"))),
        }
    }
}

fn failed(error: &BlobError) -> Response {
    let (status, code) = match error {
        BlobError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, 3),
        BlobError::Missing { .. } => (StatusCode::NOT_FOUND, 5),
        BlobError::Input(e) if e.kind() == io::ErrorKind::TimedOut => (StatusCode::REQUEST_TIMEOUT, 4),
        BlobError::Input(_) => (StatusCode::BAD_REQUEST, 3),
        BlobError::NoSpace { .. } => (StatusCode::INSUFFICIENT_STORAGE, 8),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, 13),
    };
    if status.is_server_error() {
        tracing::error!("{error}");
    }
    refuse(status, code, error)
}

/// `GET /ipfs/{cid}`: the blob's bytes, or the one range of them that is asked for.
pub(crate) async fn get(
    State(rest): State<Arc<Rest>>,
    Extension(peer): Extension<Peer>,
    Path(cid): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id: BlobId = match cid.parse() {
        Ok(id) => id,
        Err(e) => return refuse(StatusCode::BAD_REQUEST, 3, e),
    };
    let place = match rest.downloads.take(peer) {
        Ok(place) => place,
        Err(e) => return refuse(StatusCode::SERVICE_UNAVAILABLE, 14, e),
    };
    let tag = format!("\"{id}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let opened = tokio::task::spawn_blocking(move || {
        let chain_id = rest.chain_id.as_str();
        if let Err(denied) =
            access::check(&rest.queries, chain_id, &rest.prefix, &rest.blob_readers, &rest.pins, id, &headers)
        {
            let (status, code) = denied.status();
            return Err(Box::new(refuse(status, code, denied)));
        }
        rest.blobs.open_file(&id).map_err(|e| Box::new(failed(&e)))
    });
    let reader = match opened.await {
        Ok(Ok(reader)) => reader,
        Ok(Err(response)) => return *response,
        Err(e) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
    };
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { send(reader, place, range.as_deref()) };
    let answered = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answered.insert(header::ETAG, tag);
    }
    answered.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Bytes of a stranger: never a page or a script of this origin. A grant can end, so no shared cache keeps them.
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answered.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answered.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// A blob on its way out.
struct Outgoing {
    reader: BlobReader,
    left: u64,
    _place: Place,
}

impl Outgoing {
    /// The next piece. It is read when the connection has room for it, so that a client that does not read holds a
    /// place and a few pieces, and no thread.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let size = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if size == 0 {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; size];
            self.reader.read_exact(&mut piece)?;
            self.left -= size as u64;
            Ok((Bytes::from(piece), self))
        });
        match read.await.map_err(io::Error::other).flatten() {
            Ok((piece, rest)) => Some((Ok(piece), Some(rest))),
            Err(e) => {
                tracing::error!("a blob broke off on its way out: {e}");
                // The receiver sees a body that is too short, and that is an error to it.
                Some((Err(e), None))
            }
        }
    }
}

fn send(mut reader: BlobReader, place: Place, range: Option<&str>) -> Response {
    let size = reader.size();
    let (status, first, length) = match range.map(|range| parse_range(range, size)) {
        // A range of another kind than one of bytes may be ignored (RFC 9110, 14.2).
        None | Some(Range::Whole) => (StatusCode::OK, 0, size),
        Some(Range::Part(first, last)) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Some(Range::Outside) => {
            let content = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, content).into_response();
        }
    };
    if let Err(e) = reader.seek(SeekFrom::Start(first)) {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e);
    }
    let outgoing = Outgoing { reader, left: length, _place: place };
    let body = futures::stream::unfold(Some(outgoing), |outgoing| async move { outgoing?.piece().await });
    let mut response = (status, Body::from_stream(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{}/{size}", first + length - 1))
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    response
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part(u64, u64),
    Outside,
}

/// One range of bytes, first and last included (RFC 9110, 14.1.2).
fn parse_range(text: &str, size: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Range::Whole;
    };
    match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), _) if first >= size => Range::Outside,
        (Some(first), None) if last.is_empty() => Range::Part(first, size - 1),
        (Some(first), Some(last)) if first <= last => Range::Part(first, last.min(size - 1)),
        (None, Some(0)) if first.is_empty() => Range::Outside,
        (None, Some(suffix)) if first.is_empty() && size > 0 => Range::Part(size.saturating_sub(suffix), size - 1),
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-4", 10), Range::Part(0, 4));
        assert_eq!(parse_range("bytes=5-", 10), Range::Part(5, 9));
        assert_eq!(parse_range("bytes=-3", 10), Range::Part(7, 9));
        assert_eq!(parse_range("bytes=-30", 10), Range::Part(0, 9));
        assert_eq!(parse_range("bytes=8-99", 10), Range::Part(8, 9));
        assert_eq!(parse_range("bytes=10-", 10), Range::Outside);
        assert_eq!(parse_range("bytes=0-", 0), Range::Outside);
        assert_eq!(parse_range("bytes=-0", 10), Range::Outside);
        for text in ["bytes=4-2", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes=-"] {
            assert_eq!(parse_range(text, 10), Range::Whole, "{text}");
        }
    }
}
