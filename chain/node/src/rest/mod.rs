//! The REST port: the gateway that wallets know, blobs in and out, and the page.
//!
//! Everything that is declared in protobuf is answered by the [`gateway`], by JSON; `/openapi.json` lists it.
//! `POST /aceso/blobs/v1` and `GET /ipfs/{cid}` are in [`blobs`], who may fetch what in [`access`], what blocks have read
//! in [`transcripts`], static files in [`ui`]. The RPC is here a second time under `/rpc`, so that a page needs one origin only. What is not served is
//! answered as grpc-gateway answers it: 501.

pub(crate) mod access;
pub(crate) mod blobs;
pub(crate) mod gateway;
pub(crate) mod ledger;
pub(crate) mod transcripts;
pub(crate) mod ui;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use aceso_blobs::BlobStore;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tracing::{Instrument, field::Empty};

pub(crate) use self::gateway::Room;
use self::ledger::Ledger;
use crate::{
    abci::{info::Info, query::Queries, vote::AttestKeys},
    application::Application,
    engine::pulse::Pulse,
    metrics::{self, Metrics, Traffic},
    net::places::Places,
    rpc::http,
    services::engine::{HASTE, Rpc},
    worker::chores::Pins,
};

/// What the REST port answers from.
pub(crate) struct Rest {
    /// The chain's id.
    pub(crate) chain_id: String,
    /// The application, for what its blocks have read.
    pub(crate) app: Arc<dyn Application>,
    /// Where it stands.
    pub(crate) info: Info,
    /// Questions to it.
    pub(crate) queries: Queries,
    /// Who serves the RPC.
    pub(crate) rpc: Rpc,
    /// The blobs.
    pub(crate) blobs: Arc<BlobStore>,
    /// Unregistered bytes and the room for them.
    pub(crate) ledger: Arc<Ledger>,
    /// Attestation keys of nodes that may fetch guarded blobs though they are no validators.
    pub(crate) blob_readers: Vec<[u8; 48]>,
    /// Sealed files that this node keeps for its committees.
    pub(crate) pins: Arc<Pins>,
    /// What is counted and timed.
    pub(crate) metrics: Arc<Metrics>,
    /// Blobs on their way out.
    pub(crate) downloads: Arc<Places>,
    /// What this validator attests with, if it does.
    pub(crate) keys: AttestKeys,
    /// Transcripts on their way out.
    pub(crate) tellings: Arc<Places>,
    /// Room for questions to the gateway.
    pub(crate) room: Room,
    /// Wakes the embedded engine: a blob that was waited for may be here.
    pub(crate) pulse: Arc<Pulse>,
    /// The chain's address prefix and coin, which pages need before they can ask anything.
    pub(crate) prefix: String,
    /// The smallest coin.
    pub(crate) denom: String,
    /// Where the page's files are.
    pub(crate) ui: Option<PathBuf>,
}

impl Rest {
    /// Room for as many downloads as a node serves.
    pub(crate) fn downloads() -> Arc<Places> {
        Arc::new(Places::new("downloads", blobs::DOWNLOADS))
    }

    /// Room for as many transcripts as a node tells at a time.
    pub(crate) fn tellings() -> Arc<Places> {
        Arc::new(Places::new("transcripts", transcripts::TELLINGS))
    }

    fn traffic(&self) -> Traffic {
        Traffic { downloads: self.downloads.taken() as u64, ..self.ledger.traffic() }
    }
}

/// The routes.
pub(crate) fn router(rest: Arc<Rest>) -> Router {
    let rpc = match &rest.rpc {
        Rpc::Here(node) => http::router(Arc::clone(node)),
        Rpc::CometBft(_) => Router::new(),
    };
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(gateway::openapi::serve))
        .route("/aceso/node/v1", get(about))
        .route("/aceso/blobs/v1", post(blobs::put))
        .route("/ipfs/{cid}", get(blobs::get))
        .route("/aceso/transcripts/v1/{height}", get(transcripts::get))
        .route("/aceso/reads/v1/{height}", get(transcripts::reads))
        .merge(gateway::router())
        .fallback(other)
        .with_state(rest)
        .layer(middleware::from_fn(http::cors))
        .layer(middleware::from_fn(traced))
        .nest("/rpc", rpc)
}

/// Puts a span around an answer. It names the route, not what was asked for there.
async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    match route.as_deref() {
        // Asked every few seconds by machines.
        None | Some("/health" | "/ready" | "/metrics") => return next.run(request).await,
        Some(_) => {}
    }
    let span = tracing::info_span!("http", method = request.method().as_str(), route, status = Empty);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    response
}

/// Whether clients may be sent here: there is a chain, and its engine is not catching up with it.
async fn ready(State(rest): State<Arc<Rest>>) -> Response {
    let height = rest.info.info().last_block_height;
    let waiting =
        |reason: String| http::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"ready": false, "reason": reason}));
    if height.value() == 0 {
        return waiting("there is no block yet".into());
    }
    if matches!(rest.rpc, Rpc::CometBft(_)) {
        let rpc = rest.rpc.clone();
        match tokio::task::spawn_blocking(move || rpc.is_catching_up(HASTE)).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => return waiting("the engine is catching up".into()),
            Ok(Err(failure)) => return waiting(failure.to_string()),
            Err(reason) => return waiting(reason.to_string()),
        }
    }
    http::json(StatusCode::OK, &json!({"ready": true, "height": height.to_string()}))
}

/// What Prometheus asks for.
async fn metrics(State(rest): State<Arc<Rest>>) -> Response {
    let text = tokio::task::spawn_blocking(move || rest.metrics.text(rest.traffic())).await;
    match text {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Ok(Err(e)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 13, e),
    }
}

async fn health(State(rest): State<Arc<Rest>>) -> Response {
    http::json(StatusCode::OK, &json!({"height": rest.info.info().last_block_height.to_string()}))
}

/// What a page must know before it can ask anything.
async fn about(State(rest): State<Arc<Rest>>) -> Response {
    let answer = json!({
        "chain_id": rest.chain_id,
        "prefix": rest.prefix,
        "denom": rest.denom,
        "rpc": match &rest.rpc {
            Rpc::Here(_) => "/rpc",
            Rpc::CometBft(url) => url.as_str(),
        },
        "blob_bytes_max": rest.ledger.limits().blob_bytes.to_string(),
    });
    http::json(StatusCode::OK, &answer)
}

async fn other(State(rest): State<Arc<Rest>>, method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return not_implemented();
    }
    match ui::page(rest.ui.as_deref(), uri.path()).await {
        Some(page) => page,
        None => not_implemented(),
    }
}

fn not_implemented() -> Response {
    refuse(StatusCode::NOT_IMPLEMENTED, 12, "Not Implemented")
}

/// An error as grpc-gateway prints it; the code is gRPC's.
pub(crate) fn refuse(status: StatusCode, code: u32, message: impl std::fmt::Display) -> Response {
    let body = json!({"code": code, "message": message.to_string(), "details": []});
    http::json(status, &body).into_response()
}
