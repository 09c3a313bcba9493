//! What strangers type into searches and send to the gateway, as functions of bytes: each must answer.
//!
//! `fuzz/` hands them to libFuzzer, the tests below hand them the corpora and spoiled files; how both are run is in the
//! module documentation of `inference-host/fuzz/src/lib.rs`.

use std::collections::BTreeMap;

use crate::rpc::query_grammar::{Condition, Query};

pub use crate::rest::gateway::fuzz::gateway;

/// Values that attributes have, and some that they should not.
const VALUES: [&str; 12] = [
    "",
    "5",
    "-5",
    "5.25",
    "100uaceso",
    "aceso1",
    "'",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "é",
    "999999999999999999999",
    ".",
];

/// A search: refused with words, or the same when it is read again; a height that it is true of lies in the bounds that a search
/// through an index is cut down to.
pub fn event_query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(refused) => {
            assert!(refused.to_string().len() < 1024, "{refused}");
            return;
        }
    };
    assert_eq!(Query::parse(query.text()).as_ref(), Ok(&query));
    let mut events = BTreeMap::new();
    for condition in query.conditions() {
        for value in VALUES {
            // Whoever matches in an index matches in a subscription.
            assert!(!condition.matches_indexed(value) || condition.matches(value), "{text:?} of {value:?}");
        }
        let (first, last) = query.height_bounds(condition.key());
        let near = [0, 1, 5, 6, first, last, u64::MAX].into_iter().flat_map(|at| [at.saturating_sub(1), at]);
        for height in near.filter(|height| query.height_matches(condition.key(), *height)) {
            assert!((first..=last).contains(&height), "{text:?} is true of {height}");
        }
        events.insert(condition.key().to_owned(), VALUES.map(str::to_owned).to_vec());
    }
    // Each condition holds for some value, or the whole does not.
    let each = |condition: &Condition| VALUES.iter().any(|value| condition.matches(value));
    assert_eq!(query.matches(&events), query.conditions().iter().all(each), "{text:?}");
}

#[cfg(test)]
mod tests {
    use aceso_test_support::fuzz::{Target, corpus};

    fn drive(name: &'static str, run: fn(&[u8]), long: bool) {
        Target { name, home: "chain/node", run }.drive(&corpus(&[&format!("fuzz/corpus/{name}")], ""), long);
    }

    #[test]
    fn spoiled_searches_are_answered() {
        drive("event_query", super::event_query, false);
    }

    #[test]
    fn spoiled_requests_are_answered() {
        drive("gateway", |bytes| _ = super::gateway(bytes), false);
    }

    #[test]
    fn the_corpus_reaches_what_it_is_there_for() {
        for file in std::fs::read_dir("fuzz/corpus/gateway").unwrap() {
            let path = file.unwrap().path();
            assert!(super::gateway(&std::fs::read(&path).unwrap()), "{}", path.display());
        }
    }

    #[test]
    #[ignore = "twenty seconds: the suite `fuzz`"]
    fn searches_for_long() {
        drive("event_query", super::event_query, true);
    }

    #[test]
    #[ignore = "twenty seconds: the suite `fuzz`"]
    fn requests_for_long() {
        drive("gateway", |bytes| _ = super::gateway(bytes), true);
    }
}
