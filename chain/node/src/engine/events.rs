//! What happened in a block, handed to those who subscribed.
//!
//! A subscriber has a bounded queue. One that does not empty it is dropped rather than waited for: the engine never
//! blocks on a reader. Events carry the JSON of CometBFT 0.38's websocket, made once and only if somebody listens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::rpc::query_grammar::Query;

/// Events that may wait for one subscriber.
pub(crate) const QUEUE: usize = 256;
/// Subscribers of all clients together.
const SUBSCRIBERS_MAX: usize = 1024;

/// One event.
pub(crate) struct Event {
    /// Composite key → values, what queries are matched with.
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    /// `{"type": …, "value": …}`.
    pub(crate) data: Value,
}

/// Why nobody was subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node serves {SUBSCRIBERS_MAX} subscriptions and cannot take another; unsubscribe from some first")]
pub(crate) struct TooMany;

struct Subscriber {
    query: Query,
    sender: mpsc::Sender<Arc<Event>>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    subscribers: BTreeMap<u64, Subscriber>,
}

/// The hub between the engine and its subscribers.
#[derive(Default)]
pub(crate) struct Hub {
    inner: Mutex<Inner>,
}

/// A subscription; ends when it is dropped, or when the hub drops it because it is slow.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    id: u64,
    receiver: mpsc::Receiver<Arc<Event>>,
}

impl Subscription {
    /// The next event; nothing once the hub has given this subscriber up.
    pub(crate) async fn next(&mut self) -> Option<Arc<Event>> {
        self.receiver.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.lock().subscribers.remove(&self.id);
    }
}

impl Hub {
    /// Subscribes to what a query names, from the next event on.
    pub(crate) fn subscribe(self: &Arc<Self>, query: Query) -> Result<Subscription, TooMany> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut inner = self.lock();
        if inner.subscribers.len() >= SUBSCRIBERS_MAX {
            return Err(TooMany);
        }
        let id = inner.next;
        inner.next += 1;
        inner.subscribers.insert(id, Subscriber { query, sender });
        Ok(Subscription { hub: Arc::clone(self), id, receiver })
    }

    /// Hands out an event. `data` is asked for only if somebody wants it.
    pub(crate) fn publish(&self, attributes: BTreeMap<String, Vec<String>>, data: impl FnOnce() -> Value) {
        let mut inner = self.lock();
        if !inner.subscribers.values().any(|subscriber| subscriber.query.matches(&attributes)) {
            return;
        }
        let event = Arc::new(Event { attributes, data: data() });
        inner.subscribers.retain(|_, subscriber| {
            !subscriber.query.matches(&event.attributes) || subscriber.sender.try_send(Arc::clone(&event)).is_ok()
        });
    }

    // A map of senders cannot be left half changed.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str) -> BTreeMap<String, Vec<String>> {
        BTreeMap::from([("tm.event".to_owned(), vec![kind.to_owned()])])
    }

    #[tokio::test]
    async fn only_what_was_asked_for_and_nothing_after_a_full_queue() {
        let hub = Arc::new(Hub::default());
        let mut txs = hub.subscribe(Query::parse("tm.event='Tx'").unwrap()).unwrap();
        hub.publish(event("NewBlock"), || panic!("nobody listens"));
        hub.publish(event("Tx"), || Value::from(1));
        assert_eq!(txs.next().await.unwrap().data, Value::from(1));
        for n in 0..=QUEUE {
            hub.publish(event("Tx"), || Value::from(n));
        }
        for n in 0..QUEUE {
            assert_eq!(txs.next().await.unwrap().data, Value::from(n));
        }
        assert!(txs.next().await.is_none(), "a slow reader is dropped");
    }

    #[tokio::test]
    async fn a_dropped_subscription_frees_its_place() {
        let hub = Arc::new(Hub::default());
        let query = || Query::parse("tm.event='Tx'").unwrap();
        let mut held: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| hub.subscribe(query()).unwrap()).collect();
        assert!(hub.subscribe(query()).is_err());
        held.pop();
        assert!(hub.subscribe(query()).is_ok());
    }
}
