//! A node that is given too much of everything: connections, bad signatures, bytes, brackets, and clients that do not read.
//! It answers others as before, and its memory stays where it was.
//!
//! A flood comes from 127.0.0.2, everybody else from 127.0.0.1: what one address may have is part of what is shown. Each
//! test has the machine to itself, since it measures time or memory.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use aceso_test_support::random::Random;
use axum::http;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use common::{Node, Wallet, alice, run};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::MsgExec,
        bank::v1beta1::MsgSend,
        tx::v1beta1::{TxBody, TxRaw},
    },
    cosmwasm::wasm::v1::MsgStoreCode,
};
use prost::{Message, Name};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tonic::codegen::Service;
use tungstenite::WebSocket;

const MIB: u64 = 1 << 20;
const FLOOD: &str = "127.0.0.2";
const OTHERS: &str = "127.0.0.1";
/// Connections that one address may have to a port: half of all.
const SHARE: usize = 450;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A node with every port, one account with coins, and another in a home of its own.
struct Site {
    node: Node,
    good: Wallet,
    bad: Wallet,
    said: JoinHandle<String>,
    _homes: [tempfile::TempDir; 2],
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    fn start() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let funds = homes.each_ref().map(|home| alice(home.path()));
        let [good, bad] = homes.each_ref().map(|home| Wallet::open(&home.path().join("keys/alice.mnemonic")));
        fs::create_dir_all(homes[0].path().join("config")).unwrap();
        fs::write(homes[0].path().join("config/aceso.toml"), "blob_bytes = 4194304\n").unwrap();
        let more = ["--fund", &funds[0], "--fund", &funds[1], "--grpc", "127.0.0.1:0", "--chain-id", "floods-1"];
        let mut node = Node::start(homes[0].path(), &more);
        // What it says is read, so that the node does not wait for that.
        let mut stderr = node.child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { node, good, bad, said, _homes: homes, _alone: alone }
    }

    /// It ends as it should, and a flood of clients was no flood of lines.
    fn close(self) {
        assert_eq!(self.node.stop(), 0);
        let said = self.said.join().unwrap();
        assert!(said.len() < 16 << 10, "the node says too much:\n{said}");
    }

    fn port(&self, name: &str) -> SocketAddr {
        let url = self.node.told[name].as_str().unwrap();
        url.rsplit('/').find(|part| !part.is_empty()).unwrap().parse().unwrap()
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How much more memory it has had at any moment of this than before, in bytes.
    fn grows_by<T>(&self, act: impl FnOnce() -> T) -> (u64, T) {
        // The high water mark begins anew.
        fs::write(format!("/proc/{}/clear_refs", self.node.child.id()), "5").unwrap();
        let before = self.status("VmRSS:");
        let done = act();
        (self.status("VmHWM:").saturating_sub(before), done)
    }

    /// Every port answers within a second.
    fn answers(&self, from: &str) {
        let begun = Instant::now();
        let status = Client::new(from, self.port("rpc")).call("status", json!({}));
        assert_eq!(status["result"]["node_info"]["network"], "floods-1");
        let health = Client::new(from, self.port("rest")).ask("GET", "/health", &[], b"");
        assert_eq!(health.0, 200);
        let web = [("content-type", "application/grpc-web+proto")];
        let path = "/cosmos.base.tendermint.v1beta1.Service/GetSyncing";
        assert_eq!(Client::new(from, self.port("grpc")).ask("POST", path, &web, &[0; 5]).0, 200);
        assert!(begun.elapsed() < Duration::from_secs(3), "three answers took {:?}", begun.elapsed());
    }
}

/// Connects from an address of this machine.
fn connect(from: &str, to: SocketAddr, receive: Option<u32>) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        receive.into_iter().for_each(|bytes| socket.set_recv_buffer_size(bytes).unwrap());
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A client over one connection.
struct Client(TcpStream);

impl Client {
    fn new(from: &str, to: SocketAddr) -> Self {
        Self(connect(from, to, None))
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let (_, body) = self.ask("POST", "/", &[], request.as_bytes());
        serde_json::from_slice(&body).unwrap()
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        self.0.write_all(&request(method, path, headers, body)).unwrap();
        self.answer().unwrap()
    }

    /// Status and body of an answer that says how long it is; of one in chunks only its head is read.
    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let (mut got, mut piece) = (Vec::new(), [0; 16 << 10]);
        loop {
            let end = got.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let length = head.split("content-length: ").nth(1);
                let length = length.map_or(0, |rest| rest.split_whitespace().next().unwrap().parse().unwrap());
                if got.len() >= end + 4 + length {
                    return Ok((status, got.split_off(end + 4)));
                }
            }
            match self.0.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => got.extend(&piece[..count]),
            }
        }
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if headers.contains("-length") || headers.contains("-encoding") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    [format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}{length}\r\n").as_bytes(), body].concat()
}

/// Lets this process, and the nodes that it starts, have as many sockets as the system allows.
fn raise_limits() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, most).unwrap();
    usize::try_from(limit.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

#[test]
fn ten_thousand_connections_leave_room_for_others_and_end() {
    let allowed = raise_limits();
    assert!(allowed > 2_300, "{allowed} files are too few for this test: see `ulimit -Hn`");
    let each = 10_200.min(allowed - 700) / 3;
    let site = Site::start();
    site.answers(OTHERS);
    let ports = ["rpc", "rest", "grpc"].map(|name| site.port(name));
    let (grown, held) = site.grows_by(|| {
        let held = ports.map(|port| (0..each).map(|_| connect(FLOOD, port, None)).collect::<Vec<_>>());
        let open = held.each_ref().map(|streams| open(streams, SHARE));
        assert_eq!(open, [SHARE; 3], "of {each} to a port");
        site.answers(OTHERS);
        held
    });
    eprintln!("{} connections: the node grows by {grown} bytes", 3 * each);
    assert!(grown < 24 * MIB, "grew by {grown} bytes");
    // Who says nothing is let go, and whoever that was may come again.
    for streams in &held {
        assert_eq!(open(streams, 0), 0);
    }
    site.answers(FLOOD);
    site.close();
}

/// How many connections the node has not ended, once there are no more than `most`.
fn open(streams: &[TcpStream], most: usize) -> usize {
    let begun = Instant::now();
    streams.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    loop {
        let waits = |stream: &&TcpStream| {
            let mut stream: &TcpStream = stream;
            matches!(stream.read(&mut [0; 256]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
        };
        let open = streams.iter().filter(waits).count();
        if open <= most || begun.elapsed() > Duration::from_secs(15) {
            return open;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Connections of the flood, the threads that serve them, and how many transactions each request has.
const CONNECTIONS: usize = 32;
const SENDERS: usize = 2;
const BATCH: usize = 10;
/// Transactions a second that are sent, and that have to be answered where the machine does nothing else.
const RATE: usize = 12_000;
const ANSWERED: f64 = 10_000.0;
/// How often it is measured without the flood and with it, in turns, and good transactions of each time.
const ROUNDS: usize = 12;
const SAMPLES: usize = 10;
/// What a good one may take longer by, beside twice its time: a slice of the scheduler, which whoever is there before it on
/// its processor has to itself.
const SLICE: Duration = Duration::from_millis(3);
/// How long a good one may take that comes from the flood's own address.
const SHARED: Duration = Duration::from_secs(1);
/// What others do on the machine falls on one of the two now and then, so a miss is measured again. A node that holds good
/// ones up does so each time.
const ATTEMPTS: usize = 3;

#[test]
fn ten_thousand_bad_signatures_a_second_hold_no_good_one_up() {
    let site = Site::start();
    let (flood, mut good) = (Flood::new(&site), Good::new(&site));
    std::thread::scope(|scope| {
        let _over = Over(&flood);
        for sender in 0..SENDERS {
            let flood = &flood;
            scope.spawn(move || flood.send(sender));
        }
        let held = (1..=ATTEMPTS).any(|_| measure(&site, &flood, &mut good));
        assert!(held, "the flood holds good ones up, or is none: see the numbers above");
    });
    site.close();
}

/// Measures good ones in turns with the flood and without, says what they came to, and whether that is as it should be.
fn measure(site: &Site, flood: &Flood, good: &mut Good) -> bool {
    let mut others = Client::new(OTHERS, site.port("rpc"));
    let mut shared = Client::new(FLOOD, site.port("rpc"));
    // Answers and blocks, without the flood, with it, and with it from its own address.
    let mut times = [const { [const { Vec::new() }; 2] }; 3];
    let (mut flooded, mut busy_elsewhere, before) = (Duration::ZERO, Vec::new(), flood.counts());
    for _ in 0..ROUNDS {
        for _ in 0..SAMPLES {
            good.send(&mut others, &mut times[0]);
        }
        let (begun, ticks) = (Instant::now(), Ticks::now(site));
        flood.running.store(true, Ordering::Relaxed);
        for _ in 0..SAMPLES {
            good.send(&mut others, &mut times[1]);
        }
        good.send(&mut shared, &mut times[2]);
        flood.running.store(false, Ordering::Relaxed);
        flooded += begun.elapsed();
        busy_elsewhere.push(ticks.elsewhere(&Ticks::now(site)));
        // What was sent is answered before it is quiet.
        std::thread::sleep(Duration::from_millis(50));
    }
    let counts = flood.counts().map(|count| count as f64);
    let [verified, unseen] = [0, 1].map(|of| (counts[of] - before[of] as f64) / flooded.as_secs_f64());
    let elsewhere = busy_elsewhere.iter().sum::<f64>() / ROUNDS as f64;
    let [quiet, with, shared] = times.map(|of| of.map(|times| [50, 95].map(|percent| at(&times, percent))));
    eprintln!(
        "{verified:.0} bad signatures a second refused and {unseen:.0} more unseen, {:.0} % of the machine busy elsewhere; \
         answers and blocks [median, 95 of 100] quiet {quiet:?}, flooded {with:?}, from the flood's address {shared:?}",
        elsewhere * 100.0
    );
    // The flood gets what others leave; the least is enough to see that there is one.
    let is_flood = verified + unseen >= (ANSWERED * (1.0 - elsewhere)).max(500.0);
    let pairs = quiet.as_flattened().iter().zip(with.as_flattened());
    is_flood
        && pairs.into_iter().all(|(quiet, with)| *with <= *quiet * 2 + SLICE)
        && shared.as_flattened().iter().all(|time| *time < SHARED)
}

fn at(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() * percent / 100]
}

/// Bad signatures without end from one address. It has the lowest priority: a flood comes from elsewhere, so making it must
/// not be what good ones wait for.
struct Flood {
    port: SocketAddr,
    /// A request, and where the end of each signature is in it.
    request: Vec<u8>,
    ends: Vec<usize>,
    running: AtomicBool,
    over: AtomicBool,
    /// Refused as bad, and refused without a look.
    refused: AtomicU64,
    unseen: AtomicU64,
}

impl Flood {
    fn new(site: &Site) -> Self {
        let account = site.bad.account(&site.node).unwrap();
        let mut raw = TxRaw::decode(&site.bad.send("floods-1", account.account_number, account.sequence)[..]).unwrap();
        // The sequence is the next one and the signature has the form of one, so each would have to be verified.
        raw.signatures[0][40] ^= 1;
        let tx = STANDARD.encode(raw.encode_to_vec());
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_sync", "params": {"tx": tx}});
        let request = request("POST", "/", &[], Value::from(vec![call; BATCH]).to_string().as_bytes());
        let found = request.windows(tx.len()).enumerate().filter(|(_, part)| *part == tx.as_bytes());
        let ends: Vec<_> = found.map(|(start, _)| start + tx.len()).collect();
        assert_eq!(ends.len(), BATCH);
        let (running, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let (refused, unseen) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { port: site.port("rpc"), request, ends, running, over, refused, unseen }
    }

    fn counts(&self) -> [u64; 2] {
        [&self.refused, &self.unseen].map(|count| count.load(Ordering::Relaxed))
    }

    /// One sender: all its connections ask, then all are heard.
    fn send(&self, sender: usize) {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        rustix::process::setpriority_process(None, 19).unwrap();
        let mut clients: Vec<_> = (0..CONNECTIONS / SENDERS).map(|_| Client::new(FLOOD, self.port)).collect();
        let pause = Duration::from_secs(1) * u32::try_from(CONNECTIONS * BATCH).unwrap() / u32::try_from(RATE).unwrap();
        let (mut request, mut next, mut made) = (self.request.clone(), Instant::now(), sender << 32);
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
            if !self.running.load(Ordering::Relaxed) {
                continue;
            }
            next = (next + pause).max(Instant::now() - pause);
            for client in &mut clients {
                // No two are the same: letters in the middle of a signature count.
                for end in &self.ends {
                    made += 1;
                    for (place, letter) in request[end - 20..end - 12].iter_mut().enumerate() {
                        *letter = LETTERS[made >> (6 * place) & 63];
                    }
                }
                client.0.write_all(&request).unwrap();
            }
            for client in &mut clients {
                let (_, body) = client.answer().unwrap();
                let count = |part: &[u8]| body.windows(part.len()).filter(|found| *found == part).count();
                let (refused, unseen) = (count(br#""code":4,"#), count(br#""code":-32000,"#));
                assert_eq!(refused + unseen, BATCH, "{}", String::from_utf8_lossy(&body));
                self.refused.fetch_add(refused as u64, Ordering::Relaxed);
                self.unseen.fetch_add(unseen as u64, Ordering::Relaxed);
            }
        }
    }
}

/// Ends the flood when it is dropped, whatever for.
struct Over<'a>(&'a Flood);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Good transactions, one after the other.
struct Good<'a> {
    wallet: &'a Wallet,
    number: u64,
    sequence: u64,
}

impl<'a> Good<'a> {
    fn new(site: &'a Site) -> Self {
        let account = site.good.account(&site.node).unwrap();
        Self { wallet: &site.good, number: account.account_number, sequence: account.sequence }
    }

    /// Sends one and notes how long the answer takes, and how long the block.
    fn send(&mut self, client: &mut Client, times: &mut [Vec<Duration>; 2]) {
        let tx = json!({"tx": STANDARD.encode(self.wallet.send("floods-1", self.number, self.sequence))});
        self.sequence += 1;
        std::thread::sleep(Duration::from_millis(20));
        let begun = Instant::now();
        let answer = client.call("broadcast_tx_sync", tx);
        times[0].push(begun.elapsed());
        assert_eq!(answer["result"]["code"], 0, "{answer}");
        let hash = STANDARD.encode(hex::decode(answer["result"]["hash"].as_str().unwrap()).unwrap());
        while client.call("tx", json!({"hash": hash}))["result"].is_null() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it is in no block");
            std::thread::sleep(Duration::from_millis(1));
        }
        times[1].push(begun.elapsed());
    }
}

/// Time of the processors: all that has passed, what was worked, and what of it the node and this test have worked.
struct Ticks([f64; 3]);

impl Ticks {
    fn now(site: &Site) -> Self {
        let numbers = |file: &str| -> Vec<f64> {
            let text = fs::read_to_string(file).unwrap();
            let line = text.lines().next().unwrap();
            // A process's name may have blanks in it.
            let line = line.rsplit_once(')').map_or(line, |(_, rest)| rest);
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
        };
        let all = numbers("/proc/stat");
        let idle = all[3] + all[4];
        let of = |process: String| numbers(&format!("/proc/{process}/stat"))[10..12].iter().sum::<f64>();
        let total: f64 = all[..8].iter().sum();
        Self([total, total - idle, of(site.node.child.id().to_string()) + of("self".into())])
    }

    /// Which part of the machine others had until then.
    fn elsewhere(&self, later: &Self) -> f64 {
        let [total, worked, own] = [0, 1, 2].map(|of| later.0[of] - self.0[of]);
        ((worked - own) / total.max(1.0)).clamp(0.0, 1.0)
    }
}

/// What is a gigabyte.
const HUGE: u64 = 1 << 30;

#[test]
fn a_gigabyte_is_refused_before_it_is_there() {
    let site = Site::start();
    let (rpc, rest) = (site.port("rpc"), site.port("rest"));
    let targets = [
        (rpc, "/"),
        (rest, "/rpc"),
        (rest, "/cosmos/tx/v1beta1/txs"),
        (rest, "/cosmos/tx/v1beta1/simulate"),
        (rest, "/aceso/blobs/v1"),
    ];
    let (grown, ()) = site.grows_by(|| {
        for (port, path) in targets {
            // One that says so is answered at once, though nothing has come.
            let mut client = Client::new(FLOOD, port);
            let begun = Instant::now();
            let (status, _) = client.ask("POST", path, &[("content-length", &HUGE.to_string())], b"");
            assert!(matches!(status, 400 | 413), "{path}: {status}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{path}: {:?}", begun.elapsed());
            // One that does not is answered when it is too long, and then it is listened to for 64 MiB at most.
            let head = request("POST", path, &[("transfer-encoding", "chunked")], b"");
            let chunk = [b"100000\r\n", &vec![b' '; 1 << 20][..], b"\r\n"].concat();
            let (status, sent) = pour(connect(FLOOD, port, None), &head, &chunk);
            assert!(matches!(status, Some(400 | 413)), "{path}: {status:?} after {sent} bytes");
            assert!(sent < 160 * MIB, "{path}: {sent} bytes were taken");
        }
        let (status, sent) = grpc(&site);
        assert!(status == "8" || status == "11", "gRPC: {status} after {sent} pieces");
        assert!(sent < 64, "gRPC: {sent} pieces were taken");
        // A frame that is to have a gigabyte; a message whose frames never end.
        let long = [&[0x82, 0xff][..], &HUGE.to_be_bytes(), &[0; 4]].concat();
        let first = [&[0x01, 0xff][..], &MIB.to_be_bytes(), &[0; 4], &vec![b' '; 1 << 20]].concat();
        let next = [&[0x00][..], &first[1..]].concat();
        for (head, then) in [(long, vec![b' '; 1 << 20]), (first, next)] {
            let (_, sent) = pour(websocket(FLOOD, rpc, None).get_ref().try_clone().unwrap(), &head, &then);
            assert!(sent < 64 * MIB, "{sent} bytes of a message were taken");
        }
    });
    eprintln!("gigabytes: the node grows by {grown} bytes");
    assert!(grown < 24 * MIB, "grew by {grown} bytes");
    site.answers(FLOOD);
    site.close();
}

/// Sends a head, and pieces until there is a gigabyte or nobody takes them: the status of the answer, and the bytes sent.
fn pour(mut stream: TcpStream, head: &[u8], piece: &[u8]) -> (Option<u16>, u64) {
    let mut answer = Client(stream.try_clone().unwrap());
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    let reading = std::thread::spawn(move || answer.answer().ok().map(|(status, _)| status));
    let mut sent = 0;
    if stream.write_all(head).is_ok() {
        while sent < HUGE && stream.write_all(piece).is_ok() {
            sent += piece.len() as u64;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    (reading.join().unwrap_or_default(), sent)
}

/// The same over HTTP/2 for one message of gRPC: its status, and the pieces of 1 MiB that were taken.
fn grpc(site: &Site) -> (String, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let at = format!("http://{}", site.port("grpc"));
    runtime.block_on(async {
        let mut channel = tonic::transport::Channel::from_shared(at.clone()).unwrap().connect().await.unwrap();
        static SENT: AtomicUsize = AtomicUsize::new(0);
        let pieces = futures::stream::unfold(0, |count| async move {
            SENT.store(count, Ordering::Relaxed);
            let piece = if count == 0 { vec![0, 0x40, 0, 0, 0] } else { vec![0; 1 << 20] };
            (count < 1_024).then(|| (Ok::<_, io::Error>(Bytes::from(piece)), count + 1))
        });
        let body = tonic::body::Body::new(axum::body::Body::from_stream(pieces));
        let request = http::Request::post(format!("{at}/cosmos.tx.v1beta1.Service/BroadcastTx"));
        let request = request.header("content-type", "application/grpc").header("te", "trailers").body(body).unwrap();
        std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
        let response = channel.call(request).await.unwrap();
        let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
        (status.unwrap_or_default(), SENT.load(Ordering::Relaxed))
    })
}

fn websocket(from: &str, port: SocketAddr, receive: Option<u32>) -> WebSocket<TcpStream> {
    tungstenite::client(format!("ws://{port}/websocket"), connect(from, port, receive)).unwrap().0
}

/// The next such message; pings and others are passed over.
fn hear(socket: &mut WebSocket<TcpStream>, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = socket.read().unwrap();
        let told = message.is_text().then(|| serde_json::from_str(message.to_text().unwrap()).unwrap());
        if let Some(told) = told.filter(&wanted) {
            return told;
        }
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let site = Site::start();
    let (rpc, rest) = (site.port("rpc"), site.port("rest"));
    const DEEP: usize = 100_000;
    let (open, named) = ("[".repeat(DEEP), r#"{"a":"#.repeat(DEEP));
    let shut = format!("{open}{}", "]".repeat(DEEP));
    let (grown, ()) = site.grows_by(|| {
        for deep in [&open, &named, &shut] {
            let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"status","params":{deep}}}"#);
            for body in [deep.clone(), call.clone(), format!("[{call}]")] {
                let (status, told) = Client::new(FLOOD, rpc).ask("POST", "/", &[], body.as_bytes());
                let told: Value = serde_json::from_slice(&told).unwrap();
                assert_eq!((status, &told["error"]["code"]), (500, &json!(-32700)));
                let mut socket = websocket(FLOOD, rpc, None);
                socket.send(tungstenite::Message::text(body)).unwrap();
                assert_eq!(hear(&mut socket, |_| true)["error"]["code"], -32700);
            }
            for path in ["/cosmos/tx/v1beta1/txs", "/cosmos/tx/v1beta1/encode"] {
                for body in [deep.clone(), format!(r#"{{"tx":{deep}}}"#), format!(r#"{{"x":{deep}}}"#)] {
                    let (status, told) = Client::new(FLOOD, rest).ask("POST", path, &[], body.as_bytes());
                    assert_eq!(status, 400, "{path}: {}", String::from_utf8_lossy(&told));
                }
            }
        }
        // Messages inside each other: they are shown as far as anybody looks, and sent nowhere.
        let mut any = Any { type_url: MsgSend::type_url(), value: MsgSend::default().encode_to_vec() };
        for _ in 0..1_000 {
            let exec = MsgExec { grantee: site.bad.address.clone(), msgs: vec![any] };
            any = Any { type_url: MsgExec::type_url(), value: exec.encode_to_vec() };
        }
        let body_bytes = TxBody { messages: vec![any], ..TxBody::default() }.encode_to_vec();
        let tx = STANDARD.encode(TxRaw { body_bytes, ..TxRaw::default() }.encode_to_vec());
        let body = json!({"tx_bytes": tx}).to_string();
        let shown = Client::new(FLOOD, rest).ask("POST", "/cosmos/tx/v1beta1/decode", &[], body.as_bytes());
        assert_eq!(shown.0, 200, "{}", String::from_utf8_lossy(&shown.1));
        let body = json!({"tx_bytes": tx, "mode": "BROADCAST_MODE_SYNC"}).to_string();
        let (status, told) = Client::new(FLOOD, rest).ask("POST", "/cosmos/tx/v1beta1/txs", &[], body.as_bytes());
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!((status, &told["tx_response"]["code"]), (200, &json!(2)), "{told}");
    });
    eprintln!("brackets: the node grows by {grown} bytes");
    assert!(grown < 16 * MIB, "grew by {grown} bytes");
    site.answers(FLOOD);
    site.close();
    // A genesis file is refused in words as well.
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("config")).unwrap();
    for deep in [open, named, shut] {
        let genesis = format!(r#"{{"genesis_time":"2026-01-01T00:00:00Z","chain_id":"x","app_state":{deep}}}"#);
        fs::write(home.path().join("config/genesis.json"), genesis).unwrap();
        let (code, _, error) = run(&["genesis", "validate", "--home", home.path().to_str().unwrap()]);
        assert!(code == 1 && error.contains("genesis.json"), "{code}: {error}");
    }
}

/// Transactions of the blocks that the slow client does not read, and the bytes of code in each.
const LOUD: u64 = 60;
const LOUD_BYTES: usize = 400_000;

#[test]
fn who_does_not_read_is_dropped_and_others_hear_everything() {
    let site = Site::start();
    let port = site.port("rpc");
    let account = site.good.account(&site.node).unwrap();
    let mut code = vec![0; LOUD_BYTES];
    Random::new(1).fill(&mut code);
    // It is no code, but it is in a block, and everybody hears of it.
    let sender = site.good.address.clone();
    let msg = MsgStoreCode { sender, wasm_byte_code: code, instantiate_permission: None };
    let loud = |n: u64| {
        let (number, sequence) = (account.account_number, account.sequence + n);
        let tx = site.good.sign_for(6_000_000, "floods-1", number, sequence, &MsgStoreCode::type_url(), &msg);
        let answer = Client::new(OTHERS, port).call("broadcast_tx_sync", json!({"tx": STANDARD.encode(tx)}));
        assert_eq!(answer["result"]["code"], 0, "{answer}");
    };
    let subscribe = |socket: &mut WebSocket<TcpStream>, query: &str| {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"query": query}});
        socket.send(tungstenite::Message::text(request.to_string())).unwrap();
        hear(socket, |told| told["result"] == json!({}));
    };
    // What blocks of that size take is taken before anything is measured.
    (0..10).for_each(loud);
    while site.good.account(&site.node).unwrap().sequence < account.sequence + 10 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let heard = AtomicU64::new(0);
    let (grown, slow) = site.grows_by(|| {
        let mut attentive = websocket(OTHERS, port, None);
        subscribe(&mut attentive, "tm.event='Tx'");
        let mut slow = websocket(FLOOD, port, Some(4096));
        (0..16).for_each(|n| subscribe(&mut slow, &format!("tm.event='Tx' AND tx.height>{n}")));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while heard.load(Ordering::Relaxed) < LOUD {
                    let told = attentive.read().unwrap();
                    let told = if told.is_text() { told.to_text().unwrap().len() } else { 0 };
                    heard.fetch_add(u64::from(told > LOUD_BYTES), Ordering::Relaxed);
                }
            });
            (10..10 + LOUD).for_each(loud);
        });
        slow
    });
    assert_eq!(heard.load(Ordering::Relaxed), LOUD);
    eprintln!("a client that does not read: the node grows by {grown} bytes");
    assert!(grown < 96 * MIB, "grew by {grown} bytes");
    // Ten seconds are its patience. What comes then has been on its way before, and is the end.
    std::thread::sleep(Duration::from_secs(11));
    let mut stream = slow.get_ref().try_clone().unwrap();
    let (mut got, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => got += count as u64,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("it was not dropped: {e} after {got} bytes"),
        }
    }
    assert!(got < 24 * MIB, "{got} bytes were kept for it");
    site.answers(FLOOD);
    site.close();
}
