//! Blobs in and out over a real socket, and what surrounds them.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use aceso_app::{WantedBlob, attest::AttestKey};
use aceso_blobs::BlobStore;
use aceso_types::{
    BlobId,
    query::{Asked, BlobRow, ImageRow, QueryBlob, QueryImage},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{QuerySmartContractStateRequest, QuerySmartContractStateResponse};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use prost::Message;
use serde_json::{Value, json};
use tendermint::v0_38::abci::{request, response};
use tokio::sync::watch;

use super::{
    Rest, Room, access,
    ledger::{Ledger, Limits},
    router,
};
use crate::{
    abci::{query::Queries, vote::AttestKeys},
    address::account,
    application::{Application, Fault},
    net::{self, places::Places},
    rpc::Node,
    testing::{Counter, Rig},
    worker::chores::Pins,
};

/// Downloads at the same time.
const DOWNLOADS: usize = 16;

/// An application that knows blobs, images and one guard, which lets one account see.
#[derive(Default)]
struct Registry {
    blobs: Mutex<BTreeMap<String, BlobRow>>,
    images: Mutex<BTreeMap<String, ImageRow>>,
    viewer: Mutex<String>,
    attester: Mutex<Vec<u8>>,
    transcripts: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl Application for Registry {
    fn query(&self, request: request::Query) -> response::Query {
        let row = match request.path.as_str() {
            QueryBlob::PATH => {
                let cid = QueryBlob::decode(request.data).unwrap().cid;
                self.blobs.lock().unwrap().get(&cid).map(Message::encode_to_vec)
            }
            QueryImage::PATH => {
                let cid = QueryImage::decode(request.data).unwrap().cid;
                self.images.lock().unwrap().get(&cid).map(Message::encode_to_vec)
            }
            "/cosmwasm.wasm.v1.Query/SmartContractState" => {
                let asked = QuerySmartContractStateRequest::decode(request.data).unwrap();
                let message: Value = serde_json::from_slice(&asked.query_data).unwrap();
                let may = message["may_view"]["account"] == self.viewer.lock().unwrap().as_str();
                let data = json!({"may_view": may}).to_string().into_bytes();
                Some(QuerySmartContractStateResponse { data }.encode_to_vec())
            }
            _ => None,
        };
        match row {
            Some(value) => response::Query { value: value.into(), ..Default::default() },
            None => response::Query { code: 22.into(), codespace: "sdk".into(), ..Default::default() },
        }
    }

    fn chain_id(&self) -> Option<String> {
        unreachable!("the REST port asks questions only")
    }
    fn info(&self) -> response::Info {
        response::Info::default()
    }
    fn init_chain(&self, _: request::InitChain) -> Result<response::InitChain, Fault> {
        unreachable!()
    }
    fn check_tx(&self, _: request::CheckTx) -> response::CheckTx {
        unreachable!()
    }
    fn prepare_proposal(&self, _: request::PrepareProposal) -> response::PrepareProposal {
        unreachable!()
    }
    fn process_proposal(&self, _: request::ProcessProposal) -> response::ProcessProposal {
        unreachable!()
    }
    fn finalize_block(&self, _: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        unreachable!()
    }
    fn commit(&self) -> Result<response::Commit, Fault> {
        unreachable!()
    }
    fn wanted_blobs(&self) -> Vec<WantedBlob> {
        unreachable!()
    }
    fn live_blobs(&self, _: Option<&BlobId>, _: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        Default::default()
    }

    fn transcript(&self, height: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.transcripts.lock().unwrap().get(&height).cloned())
    }

    fn attests(&self, _: u64) -> Vec<Vec<u8>> {
        vec![self.attester.lock().unwrap().clone()]
    }

    fn expects_blocks(&self) -> bool {
        unreachable!()
    }
}

pub(super) struct Server {
    registry: Arc<Registry>,
    blobs: Arc<BlobStore>,
    ledger: Arc<Ledger>,
    pins: Arc<Pins>,
    queries: Queries,
    rest: Arc<Rest>,
    address: SocketAddr,
    _rig: Rig,
    _home: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
    _stop: watch::Sender<bool>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Server {
    pub(super) fn start(limits: Limits) -> Self {
        let home = tempfile::tempdir().unwrap();
        let rig = Rig::start(home.path(), Counter::default()).unwrap();
        let registry = Arc::new(Registry::default());
        let queries = Queries::new(registry.clone());
        let chain = &rig.node;
        let node = Arc::new(Node {
            origin: chain.origin.clone(),
            genesis: Value::Null,
            store: chain.store.clone(),
            mempool: chain.mempool.clone(),
            hub: chain.hub.clone(),
            info: chain.info.clone(),
            queries: queries.clone(),
            public: chain.public,
            rpc_address: chain.rpc_address.clone(),
            keep_heights: chain.keep_heights,
            limits: chain.limits,
            workers: chain.workers.clone(),
            suspects: chain.suspects.clone(),
            websockets: chain.websockets.clone(),
        });
        let blobs = Arc::new(BlobStore::open(&home.path().join("blobs"), Default::default()).unwrap());
        let ledger = Arc::new(Ledger::new(limits));
        let pins = Arc::new(Pins::default());
        pins.set(Default::default());
        let options = aceso_app::Config::new(home.path(), Arc::clone(&blobs), &crate::worker::Reopening);
        let metrics = crate::metrics::Metrics::new(aceso_app::App::open(options).unwrap(), &Default::default());
        let rest = Arc::new(Rest {
            chain_id: node.origin.chain_id.to_string(),
            app: registry.clone(),
            info: node.info.clone(),
            queries: node.questions(),
            rpc: super::Rpc::Here(node),
            blobs: blobs.clone(),
            blob_readers: vec![reader().public()],
            pins: Arc::clone(&pins),
            metrics: Arc::new(metrics),
            ledger: ledger.clone(),
            downloads: Arc::new(Places::new("downloads", DOWNLOADS)),
            keys: AttestKeys::new(Vec::new),
            tellings: Rest::tellings(),
            room: Room::default(),
            pulse: rig.pulse.clone(),
            prefix: "aceso".into(),
            denom: "uaceso".into(),
            ui: None,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // As many as one client may have downloads.
            .max_blocking_threads(DOWNLOADS / 2)
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = watch::channel(false);
        let (listener, address) = runtime.block_on(net::bind("--rest", "127.0.0.1:0")).unwrap();
        runtime.spawn(net::serve(listener, router(Arc::clone(&rest)), stopped));
        Self {
            registry,
            blobs,
            ledger,
            pins,
            queries,
            rest,
            address,
            _rig: rig,
            _home: home,
            _runtime: runtime,
            _stop: stop,
        }
    }

    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // Whatever it thinks of the body, the server takes it, or the sender would not get to see the answer.
        stream.write_all(body).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.into(), v.into())).collect();
        Answer { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(super) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, b"")
    }

    fn put(&self, body: &[u8]) -> Answer {
        self.ask("POST", "/aceso/blobs/v1", &[("content-length", &body.len().to_string())], body)
    }

    fn register(&self, cid: &str) {
        let row = BlobRow { cid: cid.into(), held: true, ..Default::default() };
        self.registry.blobs.lock().unwrap().insert(cid.into(), row);
    }
}

pub(super) fn limits() -> Limits {
    Limits { blob_bytes: 3 << 20, unregistered_bytes: 5 << 20, uploads: 2, ..Limits::default() }
}

#[test]
fn an_address_whose_transactions_are_refused_is_a_suspect() {
    let server = Server::start(limits());
    let peer = server.address.ip().into();
    let send = |tx: &[u8]| {
        let body = json!({"tx_bytes": STANDARD.encode(tx), "mode": "BROADCAST_MODE_SYNC"}).to_string();
        let length = body.len().to_string();
        let sent = server.ask("POST", "/cosmos/tx/v1beta1/txs", &[("content-length", &length)], body.as_bytes());
        sent.json()["tx_response"]["code"].clone()
    };
    assert_eq!(send(b"a=1"), 0);
    for _ in 0..100 {
        assert_eq!(send(b"a=1"), 19, "the engine has it, which is no refusal");
    }
    assert!(!server.rest.room.suspects.holds(peer));
    for _ in 0..60 {
        assert_eq!(send(b"bad"), 2);
    }
    assert!(server.rest.room.suspects.holds(peer));
    assert_eq!(send(b"b=1"), 0, "what is good is taken from a suspect too");
}

#[test]
fn bytes_go_in_and_come_out() {
    let server = Server::start(Limits { unregistered_bytes: 64 << 20, ..limits() });
    let bytes: Vec<u8> = (0..(2 << 20) + 77u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let put = server.put(&bytes);
    assert_eq!(put.status, 200);
    let cid = put.json()["cid"].as_str().unwrap().to_owned();
    assert_eq!(put.json()["size"], bytes.len().to_string());
    let path = format!("/ipfs/{cid}");
    assert_eq!(server.get(&path, &[]).status, 404, "nobody has registered it");

    server.register(&cid);
    let whole = server.get(&path, &[]);
    assert_eq!((whole.status, whole.body.len()), (200, bytes.len()));
    assert!(whole.body == bytes);
    assert_eq!(whole.headers["content-length"], bytes.len().to_string());
    assert_eq!(whole.headers["x-content-type-options"], "nosniff");
    let tag = whole.headers["etag"].clone();
    assert_eq!(server.get(&path, &[("if-none-match", &tag)]).status, 304);
    let part = server.get(&path, &[("range", "bytes=1048570-1048580")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[1_048_570..=1_048_580]));
    assert_eq!(part.headers["content-range"], format!("bytes 1048570-1048580/{}", bytes.len()));
    assert_eq!(server.get(&path, &[("range", "bytes=99999999-")]).status, 416);
    let chunked = server.ask("POST", "/aceso/blobs/v1", &[("transfer-encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(chunked.json()["cid"], BlobId::of_raw(b"abc").to_string());
}

#[test]
fn too_much_is_refused() {
    let server = Server::start(limits());
    let announced = server.ask("POST", "/aceso/blobs/v1", &[("content-length", "4000000")], b"");
    assert_eq!((announced.status, &announced.json()["code"]), (413, &Value::from(3)));
    // One that does not say how long it is, and is too long.
    let mut body = format!("{:x}\r\n", 4_000_000).into_bytes();
    body.extend(vec![7; 4_000_000]);
    body.extend(b"\r\n0\r\n\r\n");
    let streamed = server.ask("POST", "/aceso/blobs/v1", &[("transfer-encoding", "chunked")], &body);
    assert_eq!(streamed.status, 413);
    // What it has left on the disk counts until it is swept away.
    let full = server.put(&vec![1; 3 << 20]);
    assert_eq!(full.status, 507);
    assert!(server.blobs.usage().unwrap().pack_bytes >= 1 << 20, "equal leaves are kept once");
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 0);
    assert_eq!(server.blobs.usage().unwrap().pack_bytes, 0);
    assert_eq!(server.put(&vec![1; 3 << 20]).status, 200);
    let full = server.put(&vec![2; 3 << 20]);
    assert_eq!(full.status, 507);
    assert!(full.json()["message"].as_str().unwrap().contains("wait to be registered"));
    // A sender that goes away in the middle leaves nothing behind.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"POST /aceso/blobs/v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.blobs.list(None, 9).len(), 1);
}

#[test]
fn who_sends_too_slowly_loses_the_place() {
    let server = Server::start(Limits { grace: Duration::from_millis(300), ..limits() });
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"POST /aceso/blobs/v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").unwrap();
    let mut trickle = slow.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // Until then the place is taken: one of two is all that an address may have.
    while server.ledger.reserve(IpAddr::from(Ipv4Addr::LOCALHOST).into(), Some(1)).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let busy = server.put(b"x");
    assert_eq!((busy.status, &busy.json()["code"]), (503, &Value::from(14)));
    slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    drop(slow);
    assert_eq!(server.put(b"x").status, 200);
    trickling.join().unwrap();
}

#[test]
fn clients_that_do_not_read_hold_nobody_up() {
    const BYTES: usize = 24 << 20;
    let room = Limits { blob_bytes: BYTES as u64, unregistered_bytes: BYTES as u64, ..limits() };
    let server = Server::start(room);
    let cid = server.put(&vec![7; BYTES]).json()["cid"].as_str().unwrap().to_owned();
    server.register(&cid);
    let path = format!("/ipfs/{cid}");
    let readers: Vec<_> = (0..DOWNLOADS / 2)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            stream
        })
        .collect();
    // Time to send all that the sockets take, far less than the blob has.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.get("/rpc/status", &[]).json()["result"]["node_info"]["network"], "test-1");
    let refused = server.get(&path, &[]);
    assert_eq!((refused.status, &refused.json()["code"]), (503, &Value::from(14)));
    assert!(refused.json()["message"].as_str().unwrap().starts_with("8 downloads of this address are running"));
    drop(readers);
    while server.get(&path, &[("range", "bytes=0-0")]).status != 206 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn quotes_may_stand_in_a_request_line() {
    let server = Server::start(limits());
    let block = server.get("/rpc/block?height=\"1\"", &[]);
    assert_eq!((block.status, &block.json()["result"]["block"]["header"]["height"]), (200, &Value::from("1")));
}

#[test]
fn unregistered_bytes_go_after_a_while() {
    let server = Server::start(Limits { keep: Duration::ZERO, ..limits() });
    let kept = server.put(b"kept").json()["cid"].as_str().unwrap().to_owned();
    let gone = server.put(b"gone").json()["cid"].as_str().unwrap().to_owned();
    server.register(&kept);
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 1);
    assert!(server.blobs.has(&kept.parse().unwrap()).unwrap());
    assert!(!server.blobs.has(&gone.parse().unwrap()).unwrap());
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 0);
}

#[test]
fn a_guarded_image_is_for_its_owner_and_whom_the_guard_lets_see() {
    let server = Server::start(limits());
    let cid = server.put(b"image").json()["cid"].as_str().unwrap().to_owned();
    let keys = [7, 8, 9].map(|seed| SigningKey::from_slice(&[seed; 32]).unwrap());
    let public = |key: &SigningKey| key.verifying_key().to_encoded_point(true).as_bytes().to_vec();
    let address = |key: &SigningKey| account(&public(key), "aceso").unwrap();
    let [owner, viewer, stranger] = &keys;
    server.register(&cid);
    let row = ImageRow { cid: cid.clone(), owner: address(owner), guard: "aceso1guard".into(), ..Default::default() };
    server.registry.images.lock().unwrap().insert(cid.clone(), row);
    *server.registry.viewer.lock().unwrap() = address(viewer);

    let fetch = |key: &SigningKey, chain: &str| {
        let expires = u64::try_from(tendermint::Time::now().unix_timestamp()).unwrap() + 60;
        let signature: Signature = key.sign(&cid.parse::<BlobId>().unwrap().fetch_bytes(chain, expires).0);
        server.get(
            &format!("/ipfs/{cid}"),
            &[
                ("x-aceso-public-key", &STANDARD.encode(public(key))),
                ("x-aceso-expires", &expires.to_string()),
                ("x-aceso-signature", &STANDARD.encode(signature.to_bytes())),
            ],
        )
    };
    let refused = server.get(&format!("/ipfs/{cid}"), &[]);
    assert_eq!(refused.status, 403);
    assert!(refused.json()["message"].as_str().unwrap().contains("is guarded by aceso1guard; sign the request"));
    assert_eq!(fetch(owner, "test-1").body, b"image");
    assert_eq!(fetch(viewer, "test-1").body, b"image");
    assert_eq!(fetch(stranger, "test-1").status, 403);
    assert_eq!(fetch(owner, "other").status, 401);

    let node = |key: &AttestKey| get_as(&server, key, &cid);
    let validator = AttestKey::generate(&[2; 32]).unwrap();
    assert_eq!(node(&reader()).body, b"image");
    assert_eq!(node(&validator).status, 403);
    *server.registry.attester.lock().unwrap() = validator.public().into();
    assert_eq!(node(&validator).body, b"image");
}

/// A node that the operator lets fetch guarded blobs.
fn reader() -> AttestKey {
    AttestKey::generate(&[1; 32]).unwrap()
}

/// `GET` of a blob by a node that signs with its attestation key.
fn get_as(server: &Server, key: &AttestKey, cid: &str) -> Answer {
    let expires = u64::try_from(tendermint::Time::now().unix_timestamp()).unwrap() + 60;
    let signature = key.sign_request(&cid.parse::<BlobId>().unwrap().fetch_bytes("test-1", expires));
    let headers = [
        (access::ATTESTER, &STANDARD.encode(key.public())[..]),
        (access::EXPIRES, &expires.to_string()),
        (access::SIGNATURE, &STANDARD.encode(signature)),
    ];
    server.get(&format!("/ipfs/{cid}"), &headers)
}

#[test]
fn sealed_files_of_committees_stay_and_are_handed_out() {
    let server = Server::start(Limits { keep: Duration::ZERO, ..limits() });
    let cid = server.put(b"sealed").json()["cid"].as_str().unwrap().to_owned();
    let path = format!("/ipfs/{cid}");
    // Before it is known whose it is, other nodes may have it, and nobody else.
    assert_eq!(server.get(&path, &[]).status, 404);
    assert_eq!(get_as(&server, &reader(), &cid).body, b"sealed");
    let stranger = AttestKey::generate(&[2; 32]).unwrap();
    assert_eq!(get_as(&server, &stranger, &cid).status, 403);
    *server.registry.attester.lock().unwrap() = stranger.public().into();
    assert_eq!(get_as(&server, &stranger, &cid).body, b"sealed");

    server.pins.set([cid.parse().unwrap()].into());
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 0);
    assert_eq!(server.get(&path, &[]).body, b"sealed");
    server.pins.set(Default::default());
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 1);

    // Before the first look at the grants nobody knows what is to be kept.
    let cid = server.put(b"other").json()["cid"].as_str().unwrap().to_owned();
    let unknown = Pins::default();
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &unknown).unwrap(), 0);
    assert_eq!(server.get(&format!("/ipfs/{cid}"), &[]).status, 404);
}

#[test]
fn what_wallets_and_pages_ask() {
    let server = Server::start(limits());
    let info = server.get("/cosmos/base/tendermint/v1beta1/node_info", &[]).json();
    assert_eq!(info["default_node_info"]["network"], "test-1");
    assert_eq!(server.get("/health", &[]).json()["height"], "1");
    assert_eq!(server.get("/ready", &[]).json()["ready"], true);
    let metrics = server.get("/metrics", &[]);
    assert!(String::from_utf8(metrics.body).unwrap().contains("aceso_height 0\n"));
    assert_eq!(server.get("/aceso/node/v1", &[]).json()["prefix"], "aceso");
    assert_eq!(server.get("/rpc/health", &[]).json()["result"], json!({}));
    let page = server.get("/", &[]);
    assert!(String::from_utf8(page.body).unwrap().contains("Node.js 20"));
    for (method, path) in [("GET", "/cosmos/gov/v1/proposals"), ("POST", "/anything"), ("GET", "/../etc/passwd")] {
        let answer = server.ask(method, path, &[], b"");
        assert_eq!((answer.status, &answer.json()["code"]), (501, &Value::from(12)), "{path}");
    }
    for cid in ["x", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"] {
        assert_eq!(server.get(&format!("/ipfs/{cid}"), &[]).status, 400);
    }
    assert_eq!(server.get("/rpc/status", &[]).headers["access-control-allow-origin"], "*");
}

#[test]
fn what_a_block_has_read_is_told_with_the_next_header() {
    let server = Server::start(limits());
    let long = vec![7; 300 << 10];
    server.registry.transcripts.lock().unwrap().extend([(0, long.clone()), (1, b"short".to_vec())]);
    let path = |height: &str| format!("/aceso/transcripts/v1/{height}");
    let whole = server.get(&path("0"), &[]);
    let told = aceso_app::Testimony::decode(&whole.body[..]).unwrap();
    assert_eq!((whole.status, told.transcript == long), (200, true));
    assert_eq!(whole.headers["content-length"], whole.body.len().to_string());
    let header = tendermint_proto::v0_38::types::SignedHeader::decode(&told.signed_header[..]).unwrap();
    let header = tendermint::block::signed_header::SignedHeader::try_from(header).unwrap();
    assert_eq!((header.header.height.value(), header.commit.height.value()), (1, 1));
    // Nobody has signed block 2 yet.
    let early = aceso_app::Testimony::decode(&server.get(&path("1"), &[]).body[..]).unwrap();
    assert_eq!((&early.transcript[..], early.signed_header.len()), (&b"short"[..], 0));
    for (height, status) in [("2", 404), ("x", 400), ("-1", 400), ("99999999999999999999999", 400)] {
        assert_eq!(server.get(&path(height), &[]).status, status, "{height}");
    }
}

#[test]
fn a_blob_whose_term_and_grace_are_over_goes() {
    let server = Server::start(limits());
    let (kept, gone) = (server.put(b"in its term").json(), server.put(b"over").json());
    let [kept, gone] = [kept, gone].map(|told| told["cid"].as_str().unwrap().to_owned());
    server.register(&kept);
    server.register(&gone);
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 0);
    server.registry.blobs.lock().unwrap().get_mut(&gone).unwrap().held = false;
    let refused = server.get(&format!("/ipfs/{gone}"), &[]);
    assert!(refused.status == 404 && refused.json()["message"].as_str().unwrap().contains("is over"));
    assert_eq!(server.ledger.sweep(&server.blobs, &server.queries, &server.pins).unwrap(), 1);
    assert_eq!(server.blobs.list(None, 9).len(), 1);
    assert_eq!(server.get(&format!("/ipfs/{kept}"), &[]).status, 200);
}
