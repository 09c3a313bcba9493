//! gRPC and gRPC-web on one port, for clients that are made of declarations.
//!
//! There is one generic method: what is declared in `proto/` is asked of [`Queries`] under its own name, as `abci_query`
//! asks it, and what comes is bytes. So gRPC cannot answer otherwise than ABCI does. [`reflection`] tells the declarations
//! themselves. Everything that a client can reach is bounded: connections and streams ([`crate::net`]), bytes of a message,
//! requests at the same time and of one address, the time that an answer takes and the time that its client takes it in.

#![allow(clippy::result_large_err, reason = "a status is what the library's interfaces take")]

mod reflection;

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
};
use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tendermint::{block::Height, v0_38::abci::request};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::UnaryService,
};
use tracing::Instrument;

use crate::{
    abci::query::Queries,
    net::{
        self, Hangup, NetError, Peer,
        places::{Place, Places},
        suspects::Suspects,
        turns::Turns,
    },
    rpc::http,
    services::{self, status},
};

/// The height that is asked about, and the one that is answered of.
const HEIGHT: &str = "x-cosmos-block-height";

/// Bounds of gRPC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one message from a client.
    pub(crate) message_bytes: usize,
    /// Requests at the same time; one address has half of them at most.
    pub(crate) requests: usize,
    /// Questions that are worked on at the same time.
    pub(crate) workers: usize,
    /// How long a request may take from its first byte to the answer.
    pub(crate) timeout: Duration,
    /// How long a client may take for an answer that is there.
    pub(crate) taking: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // As many as the RPC takes: a block's worth of one transaction.
            message_bytes: 6 << 20,
            requests: 128,
            workers: 16,
            timeout: Duration::from_secs(30),
            taking: Duration::from_secs(120),
        }
    }
}

/// A port that is taken.
pub(crate) struct Listening {
    listener: TcpListener,
    at: SocketAddr,
}

/// Takes the port of `--grpc`; none for `off`.
pub(crate) async fn bind(text: &str) -> Result<Option<Listening>, NetError> {
    if text == "off" {
        return Ok(None);
    }
    let (listener, at) = net::bind("--grpc", text).await?;
    Ok(Some(Listening { listener, at }))
}

impl Listening {
    /// Serves there until `stop` says true, and answers where that is.
    pub(crate) fn serve(self, queries: Queries, limits: Limits, stop: watch::Receiver<bool>) -> SocketAddr {
        tokio::spawn(net::serve_http2(self.listener, router(queries, limits), stop));
        self.at
    }
}

/// What requests are answered from.
struct Grpc {
    queries: Queries,
    limits: Limits,
    requests: Arc<Places>,
    workers: Turns,
    /// Clients whose transactions wait in line.
    suspects: Suspects,
}

impl Grpc {
    fn new(queries: Queries, limits: Limits) -> Self {
        Self {
            queries,
            limits,
            requests: Arc::new(Places::new("requests", limits.requests)),
            workers: Turns::new(limits.workers),
            suspects: Suspects::default(),
        }
    }
}

fn router(queries: Queries, limits: Limits) -> Router {
    Router::new()
        .fallback(answer)
        .with_state(Arc::new(Grpc::new(queries, limits)))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(middleware::from_fn(http::cors))
}

async fn answer(
    State(grpc): State<Arc<Grpc>>,
    Extension(peer): Extension<Peer>,
    hangup: Option<Extension<Hangup>>,
    request: Request,
) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if request.method() != Method::POST || !kind.starts_with(b"application/grpc") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let path = request.uri().path().to_owned();
    if let Err(status) = declared(&path) {
        return refuse(status);
    }
    let place = match grpc.requests.take(peer) {
        Ok(place) => place,
        Err(full) => return refuse(Status::resource_exhausted(full.to_string())),
    };
    let span = tracing::info_span!("grpc", route = path);
    let (limits, mut server) = (grpc.limits, tonic::server::Grpc::new(Raw));
    server = server.max_decoding_message_size(limits.message_bytes);
    let answered = async {
        if reflection::PATHS.contains(&path.as_str()) {
            server.streaming(reflection::Server, request).await
        } else {
            server.unary(Unary { grpc: Arc::clone(&grpc), peer, path }, request).await
        }
    };
    match tokio::time::timeout(limits.timeout, answered.instrument(span)).await {
        Ok(response) => {
            let (done, taken) = oneshot::channel();
            if let Some(Extension(hangup)) = hangup {
                tokio::spawn(async move {
                    if tokio::time::timeout(limits.taking, taken).await.is_err() {
                        hangup.now();
                    }
                });
            }
            response.map(|body| Body::new(Held { body, _place: place, _done: done }))
        }
        Err(_) => refuse(Status::deadline_exceeded(format!("the answer takes longer than {:?} here", limits.timeout))),
    }
}

/// Whether somebody answers a method, in grpc-go's words where nobody does. Messages of transactions are no questions.
fn declared(path: &str) -> Result<(), Status> {
    let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.rsplit_once('/')) else {
        return Err(Status::unimplemented("malformed method name"));
    };
    let short = |name: &str| name.chars().take(128).collect::<String>();
    let Some(found) = aceso_proto::pool().get_service_by_name(service).filter(is_asked) else {
        return Err(Status::unimplemented(format!("unknown service {}", short(service))));
    };
    if !found.methods().any(|found| found.name() == method) {
        let method = short(method);
        return Err(Status::unimplemented(format!("unknown method {method} for service {service}")));
    }
    Ok(())
}

/// Whether a service is one of questions.
fn is_asked(service: &prost_reflect::ServiceDescriptor) -> bool {
    service.name() != "Msg"
}

fn refuse(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(Body::new)
}

/// One question.
struct Unary {
    grpc: Arc<Grpc>,
    peer: Peer,
    path: String,
}

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (grpc, peer, path) = (Arc::clone(&self.grpc), self.peer, self.path.clone());
        Box::pin(async move {
            let height = height(request.metadata())?;
            let gone = |e: &dyn std::fmt::Display| Status::internal(e.to_string());
            if services::sends(&path) {
                grpc.suspects.turn(peer).await;
            }
            let turn = grpc.workers.take(peer).await.map_err(|e| gone(&e))?;
            let question = request::Query { path, data: request.into_inner(), height, prove: false };
            let asked = tokio::task::spawn_blocking(move || {
                let is_sent = services::sends(&question.path);
                let answer = grpc.queries.answer(question);
                if let Some(refused) = is_sent.then(|| services::is_refusal(&answer)).flatten() {
                    grpc.suspects.told(peer, refused);
                }
                drop(turn);
                answer
            });
            let answer = asked.await.map_err(|e| gone(&e))?;
            if let Some(status) = status::Status::of(&answer) {
                return Err(status.into());
            }
            let mut response = tonic::Response::new(answer.value);
            let height = answer.height.value().into();
            response.metadata_mut().insert(HEIGHT, height);
            Ok(response)
        })
    }
}

/// The height in a request's metadata; 0 for the latest.
fn height(metadata: &MetadataMap) -> Result<Height, Status> {
    let Some(text) = metadata.get(HEIGHT) else { return Ok(services::latest()) };
    let invalid = |why: &dyn std::fmt::Display| {
        Status::unknown(format!("invalid height header \"{HEIGHT}\": {why}: invalid request"))
    };
    let height: i64 = text.to_str().map_err(|e| invalid(&e))?.parse().map_err(|e| invalid(&e))?;
    Height::try_from(height)
        .map_err(|_| Status::unknown("cannot query with height < 0; please provide a valid height: invalid request"))
}

/// The body of an answer, which holds its request's place until it is taken.
struct Held<B> {
    body: B,
    _place: Place,
    _done: oneshot::Sender<()>,
}

impl<B: hyper::body::Body + Unpin> hyper::body::Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Messages as they travel: whoever answers decodes them.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use cosmos_sdk_proto::cosmos::tx::v1beta1::{BroadcastMode, BroadcastTxRequest, BroadcastTxResponse};
    use prost::Message;

    use super::*;
    use crate::testing::{Counter, Rig};

    #[tokio::test]
    async fn an_address_whose_transactions_are_refused_is_a_suspect() {
        let home = tempfile::tempdir().unwrap();
        let rig = Rig::start(home.path(), Counter::default()).unwrap();
        let grpc = Arc::new(Grpc::new(rig.node.questions(), Limits::default()));
        let peer = std::net::IpAddr::from([10, 0, 0, 1]).into();
        let send = async |tx: &[u8]| {
            let path = "/cosmos.tx.v1beta1.Service/BroadcastTx".to_owned();
            let request = BroadcastTxRequest { tx_bytes: tx.into(), mode: BroadcastMode::Sync.into() };
            let asked = tonic::Request::new(Bytes::from(request.encode_to_vec()));
            let answer = Unary { grpc: Arc::clone(&grpc), peer, path }.call(asked).await.unwrap().into_inner();
            BroadcastTxResponse::decode(answer).unwrap().tx_response.unwrap().code
        };
        for _ in 0..60 {
            assert_eq!(send(b"bad").await, 2);
        }
        assert!(grpc.suspects.holds(peer));
        assert_eq!(send(b"a=1").await, 0, "what is good is taken from a suspect too");
    }
}
