//! A lane: a bounded queue and one thread behind it.
//!
//! Requests of one kind are executed in the order in which they came (a check must not overtake the check before it),
//! and the kinds do not wait for one another.

use std::io;

use tendermint::v0_38::abci::Response;
use tokio::sync::{mpsc, oneshot};

use crate::application::Fault;

/// Requests that may wait before their connection is no longer read.
const QUEUE: usize = 128;

/// What a request comes to. An error stops the server.
pub(crate) type Answer = Result<Response, Fault>;

type Job<Q> = (Q, oneshot::Sender<Answer>);

/// The lane of one kind of request.
pub(crate) struct Lane<Q> {
    jobs: mpsc::Sender<Job<Q>>,
}

impl<Q: Send + 'static> Lane<Q> {
    /// Starts the thread. It tells `faults` what stopped it.
    pub(crate) fn start<A: Into<Response>>(
        name: &str,
        faults: mpsc::UnboundedSender<String>,
        answer: impl Fn(Q) -> Result<A, Fault> + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job<Q>>(QUEUE);
        std::thread::Builder::new().name(name.into()).spawn(move || {
            while let Some((request, reply)) = waiting.blocking_recv() {
                let answered = answer(request).map(Into::into);
                if let Err(fault) = &answered {
                    // Nobody listens any more once the server is down for another reason.
                    let _ = faults.send(fault.to_string());
                }
                // The connection may have gone while the work was done.
                let _ = reply.send(answered);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Puts a request into the queue, once there is room, and says where its answer comes out; nothing when the thread
    /// has ended.
    pub(crate) async fn put(&self, request: Q) -> Option<oneshot::Receiver<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send((request, reply)).await.ok()?;
        Some(answer)
    }
}
