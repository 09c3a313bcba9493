//! A lane: a bounded queue and one thread behind it.
//!
//! Requests of one kind are executed in the order in which they came (a check must not overtake the check before it),
//! and the kinds do not wait for one another.

use std::io;

use prometheus_client::metrics::gauge::Gauge;
use tendermint::v0_38::abci::Response;
use tokio::sync::{mpsc, oneshot};

use crate::application::Fault;

/// Requests that may wait before their connections are no longer read; each of them bounds their bytes.
const QUEUE: usize = 8192;

/// Requests that are taken out of the queue together.
const TOGETHER: usize = 64;

/// What a request comes to. An error stops the server.
pub(crate) type Answer = Result<Response, Fault>;

/// A request, and where its answer goes.
pub(crate) type Job<Q> = (Q, oneshot::Sender<Answer>);

/// The lane of one kind of request.
pub(crate) struct Lane<Q> {
    jobs: mpsc::Sender<Job<Q>>,
    waits: Gauge,
}

impl<Q: Send + 'static> Lane<Q> {
    /// Starts the thread. It tells `faults` what stopped it, and `waits` how many requests wait.
    pub(crate) fn start<A: Into<Response>>(
        name: &str,
        waits: Gauge,
        faults: mpsc::UnboundedSender<String>,
        answer: impl Fn(Q) -> Result<A, Fault> + Send + 'static,
    ) -> io::Result<Self> {
        Self::looking_ahead(name, waits, faults, |_| (), answer)
    }

    /// The same of work that goes faster after a look at all the requests that are next.
    pub(crate) fn looking_ahead<A: Into<Response>>(
        name: &str,
        waits: Gauge,
        faults: mpsc::UnboundedSender<String>,
        look: impl Fn(&[Job<Q>]) + Send + 'static,
        answer: impl Fn(Q) -> Result<A, Fault> + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job<Q>>(QUEUE);
        let left = waits.clone();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            let mut next = Vec::new();
            while waiting.blocking_recv_many(&mut next, TOGETHER) > 0 {
                look(&next);
                for (request, reply) in next.drain(..) {
                    left.dec();
                    let answered = answer(request).map(Into::into);
                    if let Err(fault) = &answered {
                        // Nobody listens any more once the server is down for another reason.
                        let _ = faults.send(fault.to_string());
                    }
                    // The connection may have gone while the work was done.
                    let _ = reply.send(answered);
                }
            }
        })?;
        Ok(Self { jobs, waits })
    }

    /// Puts a request into the queue, once there is room, and says where its answer comes out; nothing when the thread
    /// has ended.
    pub(crate) async fn put(&self, request: Q) -> Option<oneshot::Receiver<Answer>> {
        let (reply, answer) = oneshot::channel();
        let place = self.jobs.reserve().await.ok()?;
        self.waits.inc();
        place.send((request, reply));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn what_waits_is_looked_at_together_and_answered_one_after_the_other() {
        let (faults, _failed) = mpsc::unbounded_channel();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let (looks, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (looked, answered) = (Arc::clone(&looks), Arc::clone(&answers));
        let look = move |next: &[Job<u32>]| {
            looked.lock().unwrap().push(next.iter().map(|(n, _)| *n).collect::<Vec<_>>());
        };
        let answer = move |n| {
            // The first is answered when all others wait.
            if n == 0 {
                begun.recv().unwrap();
            }
            answered.lock().unwrap().push(n);
            Ok(Response::Flush)
        };
        let lane = Lane::looking_ahead("test", Gauge::default(), faults, look, answer).unwrap();
        let mut due = Vec::new();
        for n in 0..200 {
            due.push(lane.put(n).await.unwrap());
        }
        begin.send(()).unwrap();
        for answer in due {
            answer.await.unwrap().unwrap();
        }
        assert_eq!(*answers.lock().unwrap(), (0..200).collect::<Vec<_>>());
        let looks = looks.lock().unwrap();
        assert_eq!(looks.concat(), (0..200).collect::<Vec<_>>());
        assert!(looks.iter().all(|look| look.len() <= TOGETHER) && looks.len() < 9, "{looks:?}");
    }
}
