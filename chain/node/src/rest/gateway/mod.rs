//! The REST gateway of the Cosmos SDK: JSON over HTTP for every method that the descriptors give a path.
//!
//! Nothing here knows an endpoint. [`route`] reads paths off the descriptors, [`params`] and [`read`] make the request's
//! message of path, query and body, the answer comes the way every question goes, and [`print`] shows it. [`status`] has
//! the numbers of refusals, [`openapi`] the same routes for tools.
//!
//! A question is answered at the height that the header `x-cosmos-block-height` names, the latest without it, and the
//! answer says at which it was. Bounded are the length of the target, the number of parameters, bytes, depth and parts
//! of a body, the bytes of an answer, the time that it takes, and how many are asked at once, in all and by one address.

#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::expect_used, reason = "a fuzzer finds what panics")]
pub(crate) mod fuzz;
pub(crate) mod openapi;
mod params;
mod print;
mod read;
mod route;
mod scalar;
mod shape;
mod status;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use prost::Message;
use prost_reflect::DynamicMessage;
use tendermint::{
    block::Height,
    v0_38::abci::{request, response},
};

use self::route::{Route, Verb};
use super::{Rest, not_implemented, refuse};
use crate::{
    net::{Peer, places::Places, suspects::Suspects},
    rpc::http,
    services::{self, latest},
};

/// Questions at the same time.
const QUESTIONS: usize = 64;
/// Large questions and answers at the same time: each is in memory several times over.
const LARGE: usize = 8;
/// What is large, in bytes.
const LARGE_BYTES: usize = 256 << 10;
/// Longest target of a request, in bytes. A contract's message stands in it.
const TARGET_MAX: usize = 32 << 10;
/// Most parameters of a query.
const PARAMS_MAX: usize = 100;
/// Longest body, in bytes, as the RPC has it: a block's worth of one transaction in base64, and the frame around it.
const BODY_MAX: usize = 6 << 20;
/// Longest answer, in bytes of JSON.
const ANSWER_MAX: usize = 32 << 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The height that is asked about, and the one that was answered about (`types/grpc/headers.go`).
const HEIGHT: &str = "x-cosmos-block-height";
/// The same, as grpc-gateway passes metadata on.
const HEIGHT_METADATA: &str = "grpc-metadata-x-cosmos-block-height";

/// Room for questions.
pub(crate) struct Room {
    questions: Arc<Places>,
    /// For those that are large, or whose answers are.
    large: Arc<Places>,
    /// Clients whose transactions wait in line.
    pub(super) suspects: Suspects,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            questions: Arc::new(Places::new("questions", QUESTIONS)),
            large: Arc::new(Places::new("large questions", LARGE)),
            suspects: Suspects::default(),
        }
    }
}

/// A refusal: gRPC's code, and words.
struct Refused(u32, String);

impl Refused {
    fn invalid(reason: impl ToString) -> Self {
        Self(status::INVALID, reason.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refuse(status::http(self.0), self.0, self.1)
    }
}

/// The routes.
pub(super) fn router() -> Router<Arc<Rest>> {
    let (routes, refused) = route::routes(aceso_proto::pool());
    for rule in refused {
        tracing::error!("no route can be made of {rule}");
    }
    let mut by_pattern: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    for route in routes {
        by_pattern.entry(route.pattern.clone()).or_default().push(route);
    }
    by_pattern.into_iter().fold(Router::new(), |router, (pattern, routes)| {
        let routes: Arc<[Route]> = routes.into();
        router.route(
            &pattern,
            any(move |rest, peer, words, request| serve(rest, peer, words, request, Arc::clone(&routes))),
        )
    })
}

/// Answers a request to a path that has a route, or several for several methods.
async fn serve(
    State(rest): State<Arc<Rest>>,
    Extension(peer): Extension<Peer>,
    words: Result<Path<Vec<(String, String)>>, PathRejection>,
    request: Request,
    routes: Arc<[Route]>,
) -> Response {
    let verb = match *request.method() {
        Method::GET | Method::HEAD => Verb::Get,
        Method::POST => Verb::Post,
        _ => return not_implemented(),
    };
    let Some(index) = routes.iter().position(|route| route.verb == verb) else { return not_implemented() };
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_MAX {
        let words = format_args!("the target of a request has at most {TARGET_MAX} bytes, this one {target}");
        return refuse(StatusCode::URI_TOO_LONG, status::INVALID, words);
    }
    let words = match words {
        Ok(Path(words)) => words,
        Err(reason) => return Refused::invalid(reason.body_text()).into_response(),
    };
    let place = match rest.room.questions.take(peer) {
        Ok(place) => place,
        Err(full) => return Refused(status::UNAVAILABLE, full.to_string()).into_response(),
    };
    let asked = match ask(request, verb).await {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    if routes.get(index).is_some_and(|route| services::sends(&route.path())) {
        rest.room.suspects.turn(peer).await;
    }
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        let Some(route) = routes.get(index) else { return Err(Refused(status::UNIMPLEMENTED, String::new())) };
        answer(&rest, peer, route, &words, &asked)
    });
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok(Ok((height, json)))) => shown(height, json),
        Ok(Ok(Err(refused))) => refused.into_response(),
        Ok(Err(reason)) => Refused(status::INTERNAL, reason.to_string()).into_response(),
        Err(_) => {
            let words = format!("this takes longer than {} s here", TIMEOUT.as_secs());
            Refused(status::DEADLINE, words).into_response()
        }
    }
}

/// What a request says beside its path.
struct Asked {
    height: Height,
    pairs: Vec<(String, String)>,
    body: Bytes,
}

async fn ask(request: Request, verb: Verb) -> Result<Asked, Response> {
    let height = height(request.headers()).map_err(IntoResponse::into_response)?;
    let query = request.uri().query().unwrap_or_default();
    let count = query.split('&').count();
    if count > PARAMS_MAX {
        let words = format!("a query has at most {PARAMS_MAX} parameters, this one {count}");
        return Err(Refused::invalid(words).into_response());
    }
    if verb == Verb::Get {
        let pairs = Query::try_from_uri(request.uri()).map_err(|e| Refused::invalid(e.body_text()).into_response())?;
        return Ok(Asked { height, pairs: pairs.0, body: Bytes::new() });
    }
    let too_long = || {
        let words = format_args!("a body has at most {BODY_MAX} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, status::INVALID, words)
    };
    match http::collect(request.into_body(), BODY_MAX).await {
        Ok(body) => Ok(Asked { height, pairs: Vec::new(), body }),
        Err(http::Unread::Long) => Err(too_long()),
        Err(http::Unread::Slow) => Err(StatusCode::REQUEST_TIMEOUT.into_response()),
        Err(http::Unread::Broken(reason)) => Err(Refused::invalid(reason).into_response()),
    }
}

/// The height that is asked about; 0 for the latest.
fn height(headers: &HeaderMap) -> Result<Height, Refused> {
    let Some(text) = headers.get(HEIGHT).or_else(|| headers.get(HEIGHT_METADATA)) else { return Ok(latest()) };
    let text = text.to_str().unwrap_or_default();
    let height = text.parse::<i64>().ok().and_then(|height| Height::try_from(height).ok());
    height.ok_or_else(|| Refused::invalid(format!("{HEIGHT} {:?} is no height", scalar::short(text))))
}

/// The height and the JSON that answer a question.
fn answer(
    rest: &Rest,
    peer: Peer,
    route: &Route,
    words: &[(String, String)],
    asked: &Asked,
) -> Result<(Height, String), Refused> {
    let large = |bytes: usize| match bytes > LARGE_BYTES {
        true => rest.room.large.take(peer).map(Some).map_err(|full| Refused(status::UNAVAILABLE, full.to_string())),
        false => Ok(None),
    };
    let question = {
        let _place = large(asked.body.len())?;
        question(route, words, asked)?.encode_to_vec()
    };
    let answer = asked_of(rest, route, question, asked.height);
    if services::sends(&route.path())
        && let Some(refused) = services::is_refusal(&answer)
    {
        rest.room.suspects.told(peer, refused);
    }
    if answer.code.is_err() {
        let (code, text) = status::of(&answer);
        return Err(Refused(code, text));
    }
    let _place = large(answer.value.len())?;
    let message = DynamicMessage::decode(route.method.output(), answer.value);
    let message = message.map_err(|e| Refused(status::INTERNAL, format!("the answer does not decode: {e}")))?;
    let json = print::print(&message, ANSWER_MAX).map_err(|error| match error {
        print::PrintError::Long(_) => Refused(status::EXHAUSTED, error.to_string()),
        print::PrintError::Time(_) => Refused(status::INTERNAL, error.to_string()),
    })?;
    Ok((answer.height, json))
}

/// The request's message, of the path, the query and the body.
fn question(route: &Route, words: &[(String, String)], asked: &Asked) -> Result<DynamicMessage, Refused> {
    let kind = route.method.input();
    let mut message = match (route.verb, asked.body.iter().all(u8::is_ascii_whitespace)) {
        (Verb::Post, false) => {
            let text = std::str::from_utf8(&asked.body).map_err(Refused::invalid)?;
            read::read(kind, text).map_err(Refused::invalid)?
        }
        _ => DynamicMessage::new(kind),
    };
    for (name, (_, word)) in route.variables.iter().zip(words) {
        params::bind(&mut message, name, word).map_err(Refused::invalid)?;
    }
    if route.verb == Verb::Get {
        params::fill(&mut message, &asked.pairs, &route.variables).map_err(Refused::invalid)?;
    }
    Ok(message)
}

/// Asks whoever answers the method.
fn asked_of(rest: &Rest, route: &Route, question: Vec<u8>, height: Height) -> response::Query {
    rest.queries.answer(request::Query { data: question.into(), path: route.path(), height, prove: false })
}

/// The JSON of a message of this name, as REST prints it; why there is none.
pub(crate) fn to_json(name: &str, bytes: &[u8]) -> Result<String, String> {
    let kind = aceso_proto::pool().get_message_by_name(name).ok_or_else(|| format!("there is no message {name}"))?;
    let message = DynamicMessage::decode(kind, bytes).map_err(|e| e.to_string())?;
    print::print(&message, ANSWER_MAX).map_err(|e| e.to_string())
}

/// The bytes of a message of this name from its JSON, as REST reads it; why there are none.
pub(crate) fn from_json(name: &str, json: &str) -> Result<Vec<u8>, String> {
    let kind = aceso_proto::pool().get_message_by_name(name).ok_or_else(|| format!("there is no message {name}"))?;
    read::read(kind, json).map(|message| message.encode_to_vec()).map_err(|e| e.to_string())
}

fn shown(height: Height, json: String) -> Response {
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response();
    for name in [HEIGHT, HEIGHT_METADATA] {
        response.headers_mut().insert(name, height.value().into());
    }
    response
}
