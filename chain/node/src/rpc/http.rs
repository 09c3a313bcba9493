//! JSON-RPC over HTTP: POST with one request or a batch, GET with the method in the path, and CORS for browsers.
//!
//! Source of statuses and texts: CometBFT 0.38's `rpc/jsonrpc/server`. A POST that can be read is answered with 200,
//! whatever the methods say and also if it is too long a batch; a GET whose method fails is answered with 500.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes, HttpBody},
    extract::{Path, Query as UriQuery, State},
    http::{HeaderValue, Method, Request as HttpRequest, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use bytes::BytesMut;
use futures::StreamExt;
use serde_json::Value;

use super::{Node, Request, RpcError, envelope, methods, params::Params, ws};
use crate::net::{self, Peer};

/// Requests of one batch, CometBFT's `max_request_batch_size`.
const BATCH_MAX: usize = 10;
/// How long a client may take for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// What is said of a transaction in a batch of a suspect, behind one that was refused: a batch is one client's.
const UNSEEN: &str = "the transaction was not looked at: one before it in this batch was refused, as were many from this \
                      address before; send it by itself, or in a second";
/// The id of an answer to a GET, CometBFT's `dummyID`.
const URI_ID: i32 = -1;

/// The RPC's routes.
pub(crate) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/", get(list).post(root))
        .route("/websocket", get(ws::upgrade))
        .route("/{method}", get(uri).post(elsewhere))
        .with_state(node)
        .layer(middleware::from_fn(cors))
}

/// Lets pages of other origins ask; nothing here needs credentials.
pub(crate) async fn cors(request: HttpRequest<Body>, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let mut response = if asked { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "etag, content-range, x-server-time, x-cosmos-block-height, grpc-metadata-x-cosmos-block-height, grpc-status, \
             grpc-message",
        ),
    );
    if asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "origin, accept, content-type, range, x-requested-with, x-server-time, x-cosmos-block-height, \
                 grpc-metadata-x-cosmos-block-height, x-aceso-public-key, x-aceso-signature, x-aceso-expires, x-grpc-web, \
                 x-user-agent, grpc-timeout",
            ),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

async fn root(State(node): State<Arc<Node>>, Extension(peer): Extension<Peer>, body: Body) -> Response {
    let bytes = match read(body, node.limits.body_bytes).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    if bytes.is_empty() {
        return list().await.into_response();
    }
    let value: Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(e) => return failed(RpcError::parse(format!("error unmarshaling request: {e}"))),
    };
    let requests = match value {
        Value::Array(values) if values.len() > BATCH_MAX => {
            let error = RpcError::invalid_request(format!(
                "batch request exceeds maximum ({BATCH_MAX}) allowed number of requests"
            ));
            return json(StatusCode::OK, &envelope(Value::Null, Err(error)));
        }
        Value::Array(values) => values,
        single => vec![single],
    };
    let (mut answers, mut spoiled) = (Vec::new(), false);
    for request in requests {
        let request = match Request::from_json(request) {
            Ok(request) => request,
            Err(e) => return failed(e),
        };
        // A notification is not answered, and as in CometBFT not executed either.
        let Some(id) = request.id else { continue };
        let answer = match methods::names(&request.method) {
            None => Err(RpcError::method_not_found()),
            Some(_) if spoiled && methods::checks(&request.method) => Err(RpcError::server(UNSEEN)),
            Some(names) => match Params::from_json(request.params, names) {
                Ok(params) => methods::call(&node, peer, &request.method, params).await,
                Err(e) => Err(e),
            },
        };
        spoiled |= methods::checks(&request.method) && methods::is_refusal(&answer) && node.suspects.holds(peer);
        answers.push(envelope(id, answer));
    }
    match answers.len() {
        0 => StatusCode::OK.into_response(),
        1 => json(StatusCode::OK, &answers.swap_remove(0)),
        _ => json(StatusCode::OK, &Value::Array(answers)),
    }
}

async fn read(body: Body, max: usize) -> Result<Bytes, Response> {
    let reason = match collect(body, max).await {
        Ok(bytes) => return Ok(bytes),
        Err(Unread::Slow) => return Err(StatusCode::REQUEST_TIMEOUT.into_response()),
        Err(Unread::Long) => "it is longer".to_owned(),
        Err(Unread::Broken(reason)) => reason,
    };
    let text = format!("error reading request body: {reason}; a request has at most {max} bytes");
    Err(json(StatusCode::BAD_REQUEST, &envelope(Value::Null, Err(RpcError::invalid_request(text)))))
}

/// Why a body was not read to its end.
pub(crate) enum Unread {
    /// It has more bytes than it may.
    Long,
    /// It did not come in time.
    Slow,
    /// The connection failed.
    Broken(String),
}

/// The bytes of a body, at most `max`. One that says beforehand that it is longer is not waited for; of one that is longer
/// the rest is listened to for a while.
pub(crate) async fn collect(body: Body, max: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > max as u64 {
        net::linger(body.into_data_stream());
        return Err(Unread::Long);
    }
    let mut pieces = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let whole = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|e| Unread::Broken(e.to_string()))?;
            if bytes.len() + piece.len() > max {
                return Err(Unread::Long);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(())) => Ok(bytes.freeze()),
        Ok(Err(unread)) => {
            net::linger(pieces);
            Err(unread)
        }
        Err(_) => Err(Unread::Slow),
    }
}

async fn uri(
    State(node): State<Arc<Node>>,
    Extension(peer): Extension<Peer>,
    Path(method): Path<String>,
    UriQuery(pairs): UriQuery<Vec<(String, String)>>,
) -> Response {
    let answer = match methods::names(&method) {
        None => return StatusCode::NOT_FOUND.into_response(),
        Some(_) => methods::call(&node, peer, &method, Params::from_uri(pairs)).await,
    };
    let status = if answer.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    json(status, &envelope(URI_ID.into(), answer))
}

async fn elsewhere(Path(path): Path<String>) -> Response {
    let error = RpcError::invalid_request(format!("path /{path} is invalid"));
    json(StatusCode::OK, &envelope(Value::Null, Err(error)))
}

/// What there is, for people.
async fn list() -> Html<String> {
    let rows: String = methods::METHODS
        .iter()
        .map(|(name, names)| {
            let arguments: Vec<_> = names.iter().map(|name| format!("{name}=_")).collect();
            let path =
                if arguments.is_empty() { (*name).to_owned() } else { format!("{name}?{}", arguments.join("&amp;")) };
            format!("<li><a href=\"{path}\">/{path}</a></li>")
        })
        .collect();
    Html(format!("<!doctype html><title>Aceso RPC</title><h1>Available endpoints</h1><ul>{rows}</ul>"))
}

fn failed(error: RpcError) -> Response {
    json(StatusCode::INTERNAL_SERVER_ERROR, &envelope(Value::Null, Err(error)))
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    let content = [(header::CONTENT_TYPE, "application/json")];
    (status, content, value.to_string()).into_response()
}
