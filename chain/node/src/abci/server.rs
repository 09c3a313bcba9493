//! The switchboards on a socket, for CometBFT 0.38.
//!
//! Each of CometBFT's four connections has a lane: a bounded queue and one thread behind it, so that requests of one
//! connection are executed in the order in which they came (a check must not overtake the check before it) while the
//! connections do not wait for one another. A lane that fails stops the server: CometBFT must not go on without its
//! application.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tower::Service;
use tower_abci::{BoxError, v038::Server};

use super::{consensus::Consensus, info::Info, mempool::Mempool, snapshot};
use crate::application::Fault;

/// Requests that may wait in a lane before its connection is no longer read.
const QUEUE: usize = 128;

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The address is none.
    #[error("--abci {0:?} is not tcp://HOST:PORT or unix://PATH")]
    Address(String),
    /// Nothing can listen there.
    #[error("cannot listen at {address}: {source}; is another node running? choose another --abci")]
    Bind {
        /// Where.
        address: String,
        /// What happened.
        source: BoxError,
    },
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The application cannot go on.
    #[error("the application stopped: {0}")]
    Application(Fault),
}

/// Where CometBFT connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host and port.
    Tcp(String),
    /// A file.
    Unix(PathBuf),
}

impl std::str::FromStr for Address {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        if let Some(path) = text.strip_prefix("unix://").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let host = text.strip_prefix("tcp://").unwrap_or(text);
        match host.rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => Ok(Self::Tcp(host.into())),
            _ => Err(ServerError::Address(text.into())),
        }
    }
}

type Answer<A> = Result<A, Fault>;
type Job<Q, A> = (Q, oneshot::Sender<Answer<A>>);

/// One connection's queue.
pub(crate) struct Lane<Q, A> {
    jobs: PollSender<Job<Q, A>>,
}

impl<Q: Send + 'static, A: Send + 'static> Lane<Q, A> {
    /// Starts the thread. It tells `faults` what stopped it.
    pub(crate) fn start(
        name: &str,
        faults: mpsc::UnboundedSender<String>,
        answer: impl Fn(Q) -> Answer<A> + Send + 'static,
    ) -> Result<Self, ServerError> {
        let (sender, mut receiver) = mpsc::channel::<Job<Q, A>>(QUEUE);
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                while let Some((request, reply)) = receiver.blocking_recv() {
                    let answered = answer(request);
                    if let Err(fault) = &answered {
                        // Nobody listens any more once the server is down for another reason.
                        let _ = faults.send(fault.to_string());
                    }
                    // The connection may have gone while the work was done.
                    let _ = reply.send(answered);
                }
            })
            .map_err(ServerError::Thread)?;
        Ok(Self { jobs: PollSender::new(sender) })
    }
}

impl<Q: Send + 'static, A> Clone for Lane<Q, A>
where
    A: Send + 'static,
{
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Service<Q> for Lane<Q, A> {
    type Response = A;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<A, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.jobs.poll_reserve(context).map_err(|_| BoxError::from("the application has stopped"))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        let (reply, answered) = oneshot::channel();
        let sent = self.jobs.send_item((request, reply));
        Box::pin(async move {
            sent.map_err(|_| BoxError::from("the application has stopped"))?;
            match answered.await {
                Ok(Ok(answer)) => Ok(answer),
                // The server is about to end and to say why; the connection's task would only panic at an error.
                Ok(Err(_)) | Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Serves until the application fails; the caller drops the future to stop it.
pub(crate) async fn serve(
    address: Address,
    consensus: Consensus,
    mempool: Mempool,
    info: Info,
) -> Result<(), ServerError> {
    let (faults, mut failed) = mpsc::unbounded_channel();
    let lanes = Server::builder()
        .consensus(Lane::start("abci-consensus", faults.clone(), move |r| consensus.answer(r))?)
        .mempool(Lane::start("abci-mempool", faults.clone(), move |r| mempool.answer(r))?)
        .info(Lane::start("abci-info", faults.clone(), move |r| info.answer(r))?)
        .snapshot(Lane::start("abci-snapshot", faults, move |r| snapshot::answer(&r))?);
    let shown = match &address {
        Address::Tcp(host) => format!("tcp://{host}"),
        Address::Unix(path) => format!("unix://{}", path.display()),
    };
    let Some(server) = lanes.finish() else {
        return Err(ServerError::Bind { address: shown, source: "a lane is missing".into() });
    };
    let listening = async {
        match &address {
            Address::Tcp(host) => server.listen_tcp(host.as_str()).await,
            Address::Unix(path) => {
                remove_stale(path);
                server.listen_unix(path).await
            }
        }
    };
    tokio::select! {
        Some(fault) = failed.recv() => Err(ServerError::Application(fault.into())),
        ended = listening => ended.map_err(|source| ServerError::Bind { address: shown, source }),
    }
}

/// Removes a socket file that nobody listens on any more, as a killed node leaves it.
fn remove_stale(path: &Path) {
    if std::os::unix::net::UnixStream::connect(path).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
        // If it cannot be removed, binding fails next and says why.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prost::Message;
    use tendermint::v0_38::abci::{ConsensusRequest, ConsensusResponse, request};
    use tendermint_proto::v0_38::abci as pb;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    use super::*;
    use crate::{
        engine::{header::results_hash, replay::finalize_request, store::Store},
        testing::{Counter, Here, Rig, origin},
    };

    #[test]
    fn addresses() {
        assert_eq!("tcp://127.0.0.1:26658".parse::<Address>().unwrap(), Address::Tcp("127.0.0.1:26658".into()));
        assert_eq!("localhost:1".parse::<Address>().unwrap(), Address::Tcp("localhost:1".into()));
        assert_eq!("unix:///run/a.sock".parse::<Address>().unwrap(), Address::Unix("/run/a.sock".into()));
        for text in ["", "tcp://", "localhost", ":5", "a:70000", "unix://"] {
            assert!(matches!(text.parse::<Address>(), Err(ServerError::Address(_))), "{text}");
        }
    }

    fn chain(home: &Path) -> Rig {
        let mut rig = Rig::start(home, Counter::default()).unwrap();
        for n in 0..5 {
            rig.block(&[&format!("k{n}={n}"), &format!("j={n}")]).unwrap();
        }
        rig.block(&[]).unwrap();
        rig
    }

    fn init_chain() -> request::InitChain {
        let origin = origin();
        request::InitChain {
            time: origin.time,
            chain_id: origin.chain_id.to_string(),
            consensus_params: origin.params,
            validators: Vec::new(),
            app_state_bytes: origin.app_state,
            initial_height: 1u32.into(),
        }
    }

    /// The hashes that header H + 1 has for H, of a block executed elsewhere.
    fn check(store: &Store, height: u64, done: &tendermint::v0_38::abci::response::FinalizeBlock) {
        assert_eq!(done.app_hash, store.results(height).unwrap().unwrap().app_hash, "height {height}");
        if let Some(next) = store.block(height + 1).unwrap() {
            assert_eq!(next.block.header.app_hash, done.app_hash, "height {height}");
            assert_eq!(next.block.header.last_results_hash, Some(results_hash(&done.tx_results)), "height {height}");
        }
    }

    #[tokio::test]
    async fn the_services_give_the_same_hashes_as_the_engine() {
        let home = tempfile::tempdir().unwrap();
        let rig = chain(home.path());
        let consensus = Consensus::new(Arc::new(Counter::default()), Arc::new(Here));
        let (faults, mut failed) = mpsc::unbounded_channel();
        let mut lane = Lane::start("test", faults, move |r| consensus.answer(r)).unwrap();
        let started = lane.ready().await.unwrap().call(ConsensusRequest::InitChain(init_chain())).await.unwrap();
        assert!(matches!(started, ConsensusResponse::InitChain(_)));
        for height in 1..=rig.node.store.height() {
            let request = finalize_request(&rig.node.store, height).unwrap();
            let done = lane.ready().await.unwrap().call(ConsensusRequest::FinalizeBlock(request)).await.unwrap();
            let ConsensusResponse::FinalizeBlock(done) = done else { panic!("{done:?}") };
            check(&rig.node.store, height, &done);
            lane.ready().await.unwrap().call(ConsensusRequest::Commit).await.unwrap();
        }
        assert!(failed.try_recv().is_err());
        // A block out of turn stops the node: it is told to the server, and CometBFT hears nothing any more.
        let wrong = finalize_request(&rig.node.store, 1).unwrap();
        let unanswered = lane.ready().await.unwrap().call(ConsensusRequest::FinalizeBlock(wrong));
        assert!(failed.recv().await.unwrap().starts_with("block 1 after"));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), unanswered).await.is_err());
    }

    /// CometBFT's framing: a length as varint, then the message.
    async fn ask(stream: &mut tokio::net::UnixStream, request: pb::request::Value) -> pb::response::Value {
        let flush = pb::request::Value::Flush(pb::RequestFlush {});
        for value in [request, flush] {
            let bytes = pb::Request { value: Some(value) }.encode_length_delimited_to_vec();
            stream.write_all(&bytes).await.unwrap();
        }
        let answer = receive(stream).await;
        assert!(matches!(receive(stream).await, pb::response::Value::Flush(_)));
        answer
    }

    async fn receive(stream: &mut tokio::net::UnixStream) -> pb::response::Value {
        let mut length = 0usize;
        for shift in (0..).step_by(7) {
            let byte = stream.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.unwrap();
        pb::Response::decode(bytes.as_slice()).unwrap().value.unwrap()
    }

    #[tokio::test]
    async fn the_socket_gives_the_same_hashes_as_the_engine() {
        let home = tempfile::tempdir().unwrap();
        let rig = chain(home.path());
        let path = home.path().join("abci.sock");
        // What a killed node leaves behind does not keep the next one from listening.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let app = Arc::new(Counter::default());
        let consensus = Consensus::new(app.clone(), Arc::new(Here));
        let serving = serve(Address::Unix(path.clone()), consensus, Mempool::new(app.clone()), Info::new(app.clone()));
        let server = tokio::spawn(serving);
        let mut stream = loop {
            match tokio::net::UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        let info = ask(&mut stream, pb::request::Value::Info(Default::default())).await;
        assert!(matches!(info, pb::response::Value::Info(info) if info.last_block_height == 0));
        ask(&mut stream, pb::request::Value::InitChain(init_chain().into())).await;
        for height in 1..=rig.node.store.height() {
            let request = finalize_request(&rig.node.store, height).unwrap();
            let done = ask(&mut stream, pb::request::Value::FinalizeBlock(request.into())).await;
            let pb::response::Value::FinalizeBlock(done) = done else { panic!("{done:?}") };
            check(&rig.node.store, height, &done.try_into().unwrap());
            ask(&mut stream, pb::request::Value::Commit(pb::RequestCommit {})).await;
        }
        assert_eq!(app.height(), rig.node.store.height());
        let tx = pb::RequestCheckTx { tx: "bad".into(), r#type: 0 };
        let checked = ask(&mut stream, pb::request::Value::CheckTx(tx)).await;
        assert!(matches!(checked, pb::response::Value::CheckTx(checked) if checked.code == 2));
        let extended = ask(
            &mut stream,
            pb::request::Value::ExtendVote(pb::RequestExtendVote {
                hash: vec![0; 32].into(),
                height: 8,
                time: Some(tendermint::Time::unix_epoch().into()),
                txs: Vec::new(),
                proposed_last_commit: Some(Default::default()),
                misbehavior: Vec::new(),
                next_validators_hash: vec![0; 32].into(),
                proposer_address: vec![0; 20].into(),
            }),
        )
        .await;
        assert!(matches!(extended, pb::response::Value::ExtendVote(vote) if vote.vote_extension == "here on test-1"),);
        let offered = ask(&mut stream, pb::request::Value::ListSnapshots(Default::default())).await;
        assert!(matches!(offered, pb::response::Value::ListSnapshots(list) if list.snapshots.is_empty()));
        server.abort();
    }

    #[tokio::test]
    async fn an_occupied_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(taken.local_addr().unwrap().to_string());
        let app = Arc::new(Counter::default());
        let consensus = Consensus::new(app.clone(), Arc::new(Here));
        let ended = serve(address, consensus, Mempool::new(app.clone()), Info::new(app)).await;
        assert!(ended.unwrap_err().to_string().contains("is another node running?"));
    }
}
