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

/// What a request comes to. An error stops the server.
pub(crate) type Answer = Result<Response, Fault>;

type Job<Q> = (Q, oneshot::Sender<Answer>);

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
        let (jobs, mut waiting) = mpsc::channel::<Job<Q>>(QUEUE);
        let left = waits.clone();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            while let Some((request, reply)) = waiting.blocking_recv() {
                left.dec();
                let answered = answer(request).map(Into::into);
                if let Err(fault) = &answered {
                    // Nobody listens any more once the server is down for another reason.
                    let _ = faults.send(fault.to_string());
                }
                // The connection may have gone while the work was done.
                let _ = reply.send(answered);
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
