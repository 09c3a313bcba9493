//! What happened in a block, handed to those who subscribed.
//!
//! A subscriber has a queue that is bounded in events and in bytes. One that does not empty it is dropped rather than
//! waited for: the engine never blocks on a reader. Events carry the JSON of CometBFT 0.38's websocket, made once and only
//! if somebody listens; all subscribers hold the same bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::rpc::query_grammar::Query;

/// Events that may wait for one subscriber.
pub(crate) const QUEUE: usize = 256;
/// Their bytes, of a few full blocks; an event that is longer waits alone.
const QUEUE_BYTES: u32 = 32 << 20;
/// Subscribers of all clients together.
const SUBSCRIBERS_MAX: usize = 1024;

/// One event.
pub(crate) struct Event {
    /// Composite key → values, what queries are matched with.
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    /// `{"type": …, "value": …}`, as text.
    pub(crate) data: String,
    /// Bytes of all of it.
    pub(crate) bytes: usize,
}

impl Event {
    fn new(attributes: BTreeMap<String, Vec<String>>, data: &Value) -> Self {
        let data = data.to_string();
        let named = attributes.iter().map(|(key, values)| key.len() + values.iter().map(String::len).sum::<usize>());
        let bytes = data.len() + named.sum::<usize>();
        Self { attributes, data, bytes }
    }
}

/// An event, and the room that it takes in a subscriber's queue.
type Queued = (Arc<Event>, OwnedSemaphorePermit);

/// Why nobody was subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node serves {SUBSCRIBERS_MAX} subscriptions and cannot take another; unsubscribe from some first")]
pub(crate) struct TooMany;

struct Subscriber {
    query: Query,
    sender: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

impl Subscriber {
    /// Whether there was room for an event.
    fn take(&self, event: &Arc<Event>) -> bool {
        let takes = u32::try_from(event.bytes).unwrap_or(u32::MAX).clamp(1, QUEUE_BYTES);
        let room = Arc::clone(&self.room).try_acquire_many_owned(takes);
        room.is_ok_and(|room| self.sender.try_send((Arc::clone(event), room)).is_ok())
    }
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
    receiver: mpsc::Receiver<Queued>,
}

impl Subscription {
    /// The next event; nothing once the hub has given this subscriber up.
    pub(crate) async fn next(&mut self) -> Option<Arc<Event>> {
        self.receiver.recv().await.map(|(event, _)| event)
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
        let room = Arc::new(Semaphore::new(QUEUE_BYTES as usize));
        inner.subscribers.insert(id, Subscriber { query, sender, room });
        Ok(Subscription { hub: Arc::clone(self), id, receiver })
    }

    /// Hands out an event. `data` is asked for only if somebody wants it.
    pub(crate) fn publish(&self, attributes: BTreeMap<String, Vec<String>>, data: impl FnOnce() -> Value) {
        let mut inner = self.lock();
        if !inner.subscribers.values().any(|subscriber| subscriber.query.matches(&attributes)) {
            return;
        }
        let event = Arc::new(Event::new(attributes, &data()));
        inner
            .subscribers
            .retain(|_, subscriber| !subscriber.query.matches(&event.attributes) || subscriber.take(&event));
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
        assert_eq!(txs.next().await.unwrap().data, "1");
        for n in 0..=QUEUE {
            hub.publish(event("Tx"), || Value::from(n));
        }
        for n in 0..QUEUE {
            assert_eq!(txs.next().await.unwrap().data, n.to_string());
        }
        assert!(txs.next().await.is_none(), "a slow reader is dropped");
    }

    #[tokio::test]
    async fn what_waits_for_a_reader_is_bounded_in_bytes() {
        let hub = Arc::new(Hub::default());
        let mut txs = hub.subscribe(Query::parse("tm.event='Tx'").unwrap()).unwrap();
        // Longer than all the room: alone, and with another one behind it.
        let long = || Value::from("x".repeat(QUEUE_BYTES as usize));
        hub.publish(event("Tx"), long);
        assert!(txs.next().await.is_some());
        hub.publish(event("Tx"), long);
        hub.publish(event("Tx"), || Value::from(1));
        assert!(txs.next().await.is_some());
        assert!(txs.next().await.is_none(), "a reader with too much before it is dropped");
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
