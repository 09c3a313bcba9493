//! ABCI on a socket, for CometBFT 0.38: where the application listens, and who connects.
//!
//! Each of CometBFT's four connections is a [`connection`](super::connection) over the same four
//! [`lane`](super::lane)s. A lane that fails stops the server: CometBFT must not go on without its application.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aceso_app::AppError;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, mpsc},
};

use super::{
    connection::{self, Lanes},
    consensus::Consensus,
    info::Info,
    lane::Lane,
    mempool::Mempool,
    snapshot::Snapshot,
};
use crate::{application::Fault, metrics::meters::Queues};

/// How long a node that halts before an upgrade lets its engine go on: the block is decided as soon as two thirds of the
/// power have said so, and who halts at that instant still has the votes that the others need to come to the same block.
/// Without them they wait at the block before, in good order, until the others run again.
const FAREWELL: Duration = if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(10) };

/// Connections at the same time. CometBFT holds four, and four more while it is started again.
const CONNECTIONS_MAX: usize = 32;

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
        source: io::Error,
    },
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
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

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
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

/// Fails if somebody listens at the address already: a node says so before it says that it waits there.
pub(crate) fn check_free(address: &Address) -> Result<(), ServerError> {
    let free = match address {
        Address::Tcp(host) => std::net::TcpListener::bind(host).map(drop),
        Address::Unix(path) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => Ok(()),
        },
    };
    free.map_err(|e| ServerError::Bind { address: address.to_string(), source: e })
}

/// Serves until the application fails; the caller drops the future to stop it.
pub(crate) async fn serve(
    address: Address,
    consensus: Consensus,
    mempool: Mempool,
    info: Info,
    snapshot: Snapshot,
    queues: Queues,
) -> Result<(), ServerError> {
    let (faults, mut failed) = mpsc::unbounded_channel();
    let (start, looking) = (|source| ServerError::Thread(source), mempool.clone());
    let lanes = Arc::new(Lanes {
        consensus: Lane::start("abci-consensus", queues.of("consensus"), faults.clone(), move |r| {
            consensus.answer(r).inspect_err(farewell)
        })
        .map_err(start)?,
        mempool: Lane::looking_ahead(
            "abci-mempool",
            queues.of("mempool"),
            faults.clone(),
            move |next| looking.look_ahead(next.iter().map(|(request, _)| request)),
            move |r| mempool.answer(r),
        )
        .map_err(start)?,
        info: Lane::start("abci-info", queues.of("info"), faults.clone(), move |r| info.answer(r)).map_err(start)?,
        snapshot: Lane::start("abci-snapshot", queues.of("snapshot"), faults, move |r| snapshot.answer(r))
            .map_err(start)?,
    });
    let listening = async {
        match &address {
            Address::Tcp(host) => tcp(host, lanes).await,
            Address::Unix(path) => unix(path, lanes).await,
        }
    };
    tokio::select! {
        Some(fault) = failed.recv() => Err(ServerError::Application(fault.into())),
        ended = listening => ended.map_err(|source| ServerError::Bind { address: address.to_string(), source }),
    }
}

/// Holds back the end of a node that halts before an upgrade; it does no harm where nobody needs it.
fn farewell(fault: &Fault) {
    if let Some(due @ AppError::UpgradeDue { .. }) = fault.downcast_ref() {
        tracing::error!("halting in {} s, when the other validators have this one's votes: {due}", FAREWELL.as_secs());
        std::thread::sleep(FAREWELL);
    }
}

async fn tcp(host: &str, lanes: Arc<Lanes>) -> io::Result<()> {
    let (listener, room) = (TcpListener::bind(host).await?, Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    loop {
        let accepted = listener.accept().await.and_then(|(stream, _)| {
            // An answer is often two small writes, and CometBFT waits for the second: held back until the first is
            // acknowledged, it would come 40 ms late, at every one of the six calls that a block takes.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        connected(accepted, &lanes, &room).await;
    }
}

async fn unix(path: &Path, lanes: Arc<Lanes>) -> io::Result<()> {
    remove_stale(path);
    let (listener, room) = (UnixListener::bind(path)?, Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        connected(accepted, &lanes, &room).await;
    }
}

/// Serves a connection in a task of its own.
async fn connected<S>(accepted: io::Result<S>, lanes: &Arc<Lanes>, room: &Arc<Semaphore>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let stream = match accepted {
        Ok(stream) => stream,
        Err(e) => {
            // Out of file descriptors, most likely: let some connections end.
            tracing::warn!("cannot accept an ABCI connection: {e}");
            return tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let Ok(place) = Arc::clone(room).try_acquire_owned() else {
        return tracing::warn!("an ABCI connection was turned away: {CONNECTIONS_MAX} are open");
    };
    let lanes = Arc::clone(lanes);
    tokio::spawn(async move {
        if let Err(e) = connection::serve(stream, &lanes).await {
            tracing::warn!("an ABCI connection ended: {e}");
        }
        drop(place);
    });
}

/// Removes a socket file that nobody listens on any more, as a killed node leaves it.
fn remove_stale(path: &Path) {
    if std::os::unix::net::UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        // If it cannot be removed, binding fails next and says why.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use prost::Message;
    use tendermint::v0_38::abci::{ConsensusRequest, Response, request};
    use tendermint_proto::v0_38::abci as pb;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
        let lane = Lane::start("test", Default::default(), faults, move |r| consensus.answer(r)).unwrap();
        let put = async |request| lane.put(request).await.unwrap().await.unwrap();
        let started = put(ConsensusRequest::InitChain(init_chain())).await.unwrap();
        assert!(matches!(started, Response::InitChain(_)));
        for height in 1..=rig.node.store.height() {
            let request = finalize_request(&rig.node.store, height).unwrap();
            let done = put(ConsensusRequest::FinalizeBlock(request)).await.unwrap();
            let Response::FinalizeBlock(done) = done else { panic!("{done:?}") };
            check(&rig.node.store, height, &done);
            put(ConsensusRequest::Commit).await.unwrap();
        }
        assert!(failed.try_recv().is_err());
        // A block out of turn stops the node: it is told to the server, and CometBFT hears nothing any more.
        let wrong = finalize_request(&rig.node.store, 1).unwrap();
        assert!(put(ConsensusRequest::FinalizeBlock(wrong)).await.is_err());
        assert!(failed.recv().await.unwrap().starts_with("block 1 after"));
    }

    /// CometBFT's framing: a length as varint, then the message.
    pub(crate) async fn ask(
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        request: pb::request::Value,
    ) -> pb::response::Value {
        let flush = pb::request::Value::Flush(pb::RequestFlush {});
        for value in [request, flush] {
            let bytes = pb::Request { value: Some(value) }.encode_length_delimited_to_vec();
            stream.write_all(&bytes).await.unwrap();
        }
        let answer = receive(stream).await;
        assert!(matches!(receive(stream).await, pb::response::Value::Flush(_)));
        answer
    }

    /// Serves an application at an address.
    fn started(address: Address, app: &Arc<Counter>) -> tokio::task::JoinHandle<Result<(), ServerError>> {
        let (consensus, snapshot) = (Consensus::new(app.clone(), Arc::new(Here)), Snapshot::new(app.clone()));
        let (mempool, info) = (Mempool::new(app.clone()), Info::new(app.clone()));
        tokio::spawn(serve(address, consensus, mempool, info, snapshot, Default::default()))
    }

    pub(crate) async fn connect(path: &Path) -> tokio::net::UnixStream {
        loop {
            match tokio::net::UnixStream::connect(path).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> pb::response::Value {
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
        let server = started(Address::Unix(path.clone()), &app);
        let mut stream = connect(&path).await;
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
    async fn the_engine_goes_on_for_a_while_before_an_upgrade() {
        let home = tempfile::tempdir().unwrap();
        let rig = chain(home.path());
        let path = home.path().join("abci.sock");
        let app = Arc::new(Counter::halting(1));
        let server = started(Address::Unix(path.clone()), &app);
        let (mut decides, mut asks) = (connect(&path).await, connect(&path).await);
        ask(&mut decides, pb::request::Value::InitChain(init_chain().into())).await;
        let begun = std::time::Instant::now();
        let request = finalize_request(&rig.node.store, 1).unwrap();
        let block = pb::Request { value: Some(pb::request::Value::FinalizeBlock(request.into())) };
        decides.write_all(&block.encode_length_delimited_to_vec()).await.unwrap();
        while begun.elapsed() < FAREWELL / 2 {
            let info = ask(&mut asks, pb::request::Value::Info(Default::default())).await;
            assert!(matches!(info, pb::response::Value::Info(_)));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ended = server.await.unwrap().unwrap_err().to_string();
        assert!(begun.elapsed() >= FAREWELL && ended.contains("this binary does not know it"), "{ended}");
        assert_eq!(app.height(), 0);
    }

    #[tokio::test]
    async fn no_answer_is_held_back_on_tcp() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = Arc::new(Counter::default());
        let server = started(Address::Tcp(port.to_string()), &app);
        let mut stream = loop {
            match tokio::net::TcpStream::connect(port).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        stream.set_nodelay(true).unwrap();
        let begun = std::time::Instant::now();
        for _ in 0..100 {
            ask(&mut stream, pb::request::Value::Info(Default::default())).await;
        }
        // Each would take 40 ms if the flush's answer waited for an acknowledgement of the one before it.
        assert!(begun.elapsed() < Duration::from_secs(2), "100 answers took {:?}", begun.elapsed());
        server.abort();
    }

    #[tokio::test]
    async fn an_occupied_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(taken.local_addr().unwrap().to_string());
        let app = Arc::new(Counter::default());
        let ended = started(address, &app).await.unwrap();
        assert!(ended.unwrap_err().to_string().contains("is another node running?"));
    }
}
