//! What the gateway makes of a request, without a socket or a chain behind it.

use std::sync::OnceLock;

use axum::{extract::Query, http::Uri};
use bytes::Bytes;
use prost::Message;
use prost_reflect::DynamicMessage;

use super::{
    ANSWER_MAX, Asked, print, question, read,
    route::{self, Route, Verb},
};
use crate::services::latest;

/// A request as text: `GET /path?query`, or `POST /path` and the body from the next line on. True if a message came of it, which
/// then goes over protobuf as it is, is shown, and is the same when what is shown is read, as far as it can be.
pub fn gateway(bytes: &[u8]) -> bool {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    let routes = ROUTES.get_or_init(|| route::routes(aceso_proto::pool()).0);
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let (verb, target) = match line.split_once(' ') {
        Some(("GET", target)) => (Verb::Get, target),
        Some(("POST", target)) => (Verb::Post, target),
        _ => return false,
    };
    let Ok(uri) = target.parse::<Uri>() else { return false };
    let found =
        routes.iter().filter(|route| route.verb == verb).find_map(|route| Some((route, words(route, uri.path())?)));
    let Some((route, words)) = found else { return false };
    let asked = match verb {
        Verb::Get => match Query::try_from_uri(&uri) {
            Ok(pairs) => Asked { height: latest(), pairs: pairs.0, body: Bytes::new() },
            Err(_) => return false,
        },
        Verb::Post => Asked { height: latest(), pairs: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) },
    };
    let Ok(message) = question(route, &words, &asked) else { return false };
    let kind = route.method.input();
    let sent = message.encode_to_vec();
    let again = DynamicMessage::decode(kind.clone(), &*sent).expect("what is encoded decodes");
    // Compared as bytes: a list that is empty is not there for the one that was decoded.
    assert!(again.encode_to_vec() == sent, "{line:?}");
    if let Ok(shown) = print::print(&message, ANSWER_MAX) {
        serde_json::from_str::<serde::de::IgnoredAny>(&shown).expect("what is shown is JSON");
        // Numbers that no number is, and times before the year 1, are shown and not read.
        let _ = read::read(kind, &shown);
    }
    true
}

/// The variables of a route in a path that is its.
fn words(route: &Route, path: &str) -> Option<Vec<(String, String)>> {
    let (mut pattern, mut path) = (route.pattern.split('/'), path.split('/'));
    let mut words = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(words),
            (Some(name), Some(word)) if name.starts_with('{') && !word.is_empty() => {
                words.push((name.to_owned(), word.to_owned()));
            }
            (Some(literal), Some(word)) if literal == word => {}
            _ => return None,
        }
    }
}
