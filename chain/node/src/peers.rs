//! Blobs from other nodes.
//!
//! Every node that executes blocks needs the bytes of registered blobs before they become available, and a validator
//! says that it holds one only when it does. So a thread looks at what the chain waits for, and at leisure through all
//! blobs whose term is not over (after a state sync this is how they come), and fetches what is not here from the REST
//! ports of the peers in the configuration. A block that needs a blob which is still missing waits for it, bounded, or
//! for what a peer says of the block's reads ([`transcripts`]).
//!
//! Nothing is believed: the stream is cut and hashed on its way into the store, at most as many bytes are taken as the
//! chain registered, and a peer that sends other bytes is left alone for an hour. One that cannot be reached is asked
//! again later and later. Requests are signed with the attestation key, since guarded images are handed to nobody else
//! ([`crate::rest::access`]).

mod transcripts;

use std::{
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aceso_app::{Fetch, Verdict, WantedBlob, attest::AttestKey};
use aceso_blobs::{BlobError, BlobStore};
use aceso_types::BlobId;
use base64::{Engine, engine::general_purpose::STANDARD};
use tendermint::Time;
use ureq::Agent;

use crate::{application::Application, metrics::meters::Fetching, rest::access};

/// How often the thread looks at what the chain waits for.
const PERIOD: Duration = Duration::from_millis(200);
/// Pause between two rounds through all blobs.
const ROUND: Duration = Duration::from_secs(300);
/// Blobs of a round that are looked at in one go.
const PAGE: usize = 64;
/// How long a request is valid, in seconds.
const VALID: u64 = 300;
/// How long a peer is left alone that sent other bytes than were asked for.
const LIE: Duration = Duration::from_secs(3600);
/// The longest time for which a peer is left alone that cannot be reached.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The least speed in bytes per second with which a peer has to send.
const SPEED_MIN: u64 = 64 << 10;
/// Pause before all peers are asked again for a blob that a block waits for.
const AGAIN: Duration = Duration::from_millis(250);
/// Most bytes of a refusal that are read.
const REFUSAL_MAX: u64 = 500;

/// Why a peer did not give a blob.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// It cannot be reached, or broke off.
    #[error("{url}: {reason}")]
    Unreachable {
        /// The peer.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It refuses, or does not have the blob either.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// The peer.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The first words of its answer.
        message: String,
    },
    /// What it has under this name has another size than the chain says.
    #[error("{url} has {got} bytes under this name, and {want} are registered")]
    OtherSize {
        /// The peer.
        url: String,
        /// How many it has.
        got: u64,
        /// How many are registered.
        want: u64,
    },
    /// It sent something else than was asked for.
    #[error("{url} sent something else than was asked for ({reason}), and is left alone for an hour")]
    Lied {
        /// The peer.
        url: String,
        /// What shows it.
        reason: String,
    },
    /// There is nobody to ask.
    #[error("no peer is named in blob_peers")]
    Nobody,
    /// There is no key to sign a request with.
    #[error("this node has no attestation key to sign with")]
    NoKey,
    /// This node's own store fails.
    #[error(transparent)]
    Store(BlobError),
    /// What it says of a block cannot be judged yet.
    #[error("{url}: {reason}")]
    Unjudged {
        /// The peer.
        url: String,
        /// Why.
        reason: String,
    },
    /// It failed a moment ago.
    #[error("{0} is left alone for the moment")]
    Resting(String),
}

struct Peer {
    url: String,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    failures: u32,
    until: Option<Instant>,
}

impl Peer {
    fn rests(&self) -> bool {
        self.standing().until.is_some_and(|until| Instant::now() < until)
    }

    fn note(&self, outcome: &Result<(), PeerError>) {
        let mut standing = self.standing();
        let pause = match outcome {
            Ok(()) => {
                *standing = Standing::default();
                return;
            }
            Err(PeerError::Lied { .. }) => LIE,
            Err(PeerError::Unreachable { .. }) => {
                standing.failures = standing.failures.saturating_add(1);
                Duration::from_secs(1 << standing.failures.min(6)).min(AWAY_MAX)
            }
            // It is there and honest.
            Err(_) => return,
        };
        standing.until = Some(Instant::now() + pause);
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The peers of this node.
pub(crate) struct Peers {
    peers: Vec<Peer>,
    chain_id: String,
    /// Reads this node's attestation keys; more than one while another takes over.
    keys: Box<dyn Fn() -> Vec<AttestKey> + Send + Sync>,
    blobs: Arc<BlobStore>,
    /// How long a block waits.
    patience: Duration,
    agent: Agent,
    meters: Fetching,
}

impl Peers {
    /// Peers at these URLs.
    pub(crate) fn new(
        urls: &[String],
        chain_id: &str,
        keys: impl Fn() -> Vec<AttestKey> + Send + Sync + 'static,
        blobs: Arc<BlobStore>,
        patience: Duration,
    ) -> Self {
        let peer = |url: &String| Peer { url: url.trim_end_matches('/').into(), standing: Mutex::default() };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(3)))
            .timeout_recv_response(Some(Duration::from_secs(10)))
            .max_redirects(0)
            .build();
        let peers = urls.iter().map(peer).collect();
        let (chain_id, keys, agent) = (chain_id.into(), Box::new(keys), agent.into());
        Self { peers, chain_id, keys, blobs, patience, agent, meters: Fetching::default() }
    }

    /// The peers, telling what they do.
    pub(crate) fn watched(self, meters: Fetching) -> Self {
        Self { meters, ..self }
    }

    /// Asks the peers one after the other until one sends the blob. The error is the last peer's.
    fn bring(&self, id: &BlobId, size: u64) -> Result<(), PeerError> {
        let mut last = PeerError::Nobody;
        for peer in &self.peers {
            if peer.rests() {
                last = PeerError::Resting(peer.url.clone());
                continue;
            }
            let outcome = self.ask(peer, id, size);
            peer.note(&outcome);
            self.note(&outcome);
            match outcome {
                Ok(()) => {
                    tracing::debug!(blob = %id, peer = peer.url, "fetched");
                    return Ok(());
                }
                Err(error @ PeerError::Store(_)) => return Err(error),
                Err(error) => {
                    match &error {
                        PeerError::Lied { .. } => tracing::warn!(blob = %id, "{error}"),
                        _ => tracing::debug!(blob = %id, "{error}"),
                    }
                    last = error;
                }
            }
        }
        Err(last)
    }

    fn note(&self, outcome: &Result<(), PeerError>) {
        let reason = match outcome {
            Ok(()) => {
                self.meters.fetched.inc();
                return;
            }
            Err(PeerError::Lied { .. }) => {
                self.meters.banned.inc();
                "lied"
            }
            Err(PeerError::Unreachable { .. }) => "unreachable",
            Err(PeerError::Refused { .. } | PeerError::OtherSize { .. }) => "refused",
            // Not the peer's doing, or not about a blob.
            Err(
                PeerError::Nobody
                | PeerError::NoKey
                | PeerError::Store(_)
                | PeerError::Unjudged { .. }
                | PeerError::Resting(_),
            ) => return,
        };
        self.meters.failed.count(reason, 1);
    }

    /// Asks a peer, signing with the next key where one does not count for it.
    fn ask(&self, peer: &Peer, id: &BlobId, size: u64) -> Result<(), PeerError> {
        let mut outcome = Err(PeerError::NoKey);
        for key in (self.keys)() {
            outcome = self.ask_as(&key, peer, id, size);
            if !matches!(outcome, Err(PeerError::Refused { status: 403, .. })) {
                break;
            }
        }
        outcome
    }

    fn ask_as(&self, key: &AttestKey, peer: &Peer, id: &BlobId, size: u64) -> Result<(), PeerError> {
        let url = || peer.url.clone();
        let expires = u64::try_from(Time::now().unix_timestamp()).unwrap_or_default().saturating_add(VALID);
        let signature = key.sign_request(&id.fetch_bytes(&self.chain_id, expires));
        let answer = self
            .agent
            .get(format!("{}/ipfs/{id}", peer.url))
            .header(access::ATTESTER, STANDARD.encode(key.public()))
            .header(access::EXPIRES, expires.to_string())
            .header(access::SIGNATURE, STANDARD.encode(signature))
            .config()
            .timeout_recv_body(Some(Duration::from_secs(30 + size / SPEED_MIN)))
            .build()
            .call();
        let unreachable = |reason: String| PeerError::Unreachable { url: url(), reason };
        let mut answer = willing(peer, answer)?;
        // Who registered the blob may have named a wrong size. That is not the peer's lie, and costs no more than a header.
        if let Some(got) = answer.body().content_length().filter(|got| *got != size) {
            return Err(PeerError::OtherSize { url: url(), got, want: size });
        }
        match self.blobs.put_as(id, size, answer.body_mut().as_reader()) {
            Ok(_) => Ok(()),
            Err(BlobError::Input(e)) => Err(unreachable(e.to_string())),
            Err(reason @ (BlobError::Other(_) | BlobError::TooLarge { .. })) => {
                Err(PeerError::Lied { url: url(), reason: reason.to_string() })
            }
            Err(error) => Err(PeerError::Store(error)),
        }
    }

    /// Fetches those of these blobs that are not here, and answers how many could not be had; nothing once the store takes
    /// no more.
    fn bring_missing(&self, wanted: &[WantedBlob]) -> Option<i64> {
        let mut missing = 0;
        for blob in wanted {
            match self.blobs.has(&blob.id) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(e) => tracing::warn!(blob = %blob.id, "fetched again: {e}"),
            }
            match self.bring(&blob.id, blob.size) {
                Ok(()) => {}
                Err(PeerError::Store(e)) => {
                    tracing::error!(blob = %blob.id, "cannot keep what peers send: {e}");
                    return None;
                }
                Err(_) => missing += 1,
            }
        }
        Some(missing)
    }

    /// Looks for what is missing until `stopped`; a blob that has come is told to `arrived`.
    pub(crate) fn run(&self, app: &dyn Application, stopped: impl Fn() -> bool) {
        if self.peers.is_empty() {
            return;
        }
        let (mut after, mut next_round) = (None, Instant::now());
        while !stopped() {
            let missing = self.bring_missing(&app.wanted_blobs());
            if let Some(missing) = missing {
                self.meters.missing.set(missing);
            }
            let mut well = missing.is_some();
            if well && Instant::now() >= next_round {
                let (page, next) = app.live_blobs(after.as_ref(), PAGE);
                well = self.bring_missing(&page).is_some();
                // A state that is yet to be restored has nothing to ask for.
                if next.is_none() && app.chain_id().is_some() {
                    next_round = Instant::now() + ROUND;
                }
                after = next;
            }
            // A full disk is looked at again when somebody may have made room.
            std::thread::sleep(if well { PERIOD } else { AWAY_MAX.min(PERIOD * 50) });
        }
    }
}

/// The answer of a peer that gives what it was asked for.
fn willing(
    peer: &Peer,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<ureq::http::Response<ureq::Body>, PeerError> {
    let url = || peer.url.clone();
    let mut answer = answer.map_err(|e| PeerError::Unreachable { url: url(), reason: e.to_string() })?;
    let status = answer.status().as_u16();
    if status == 200 {
        return Ok(answer);
    }
    let mut text = Vec::new();
    let read = answer.body_mut().as_reader().take(REFUSAL_MAX).read_to_end(&mut text);
    let message = read.map_or_else(|e| e.to_string(), |_| String::from_utf8_lossy(&text).trim().to_owned());
    Err(PeerError::Refused { url: url(), status, message })
}

impl Fetch for Peers {
    fn fetch(&self, id: &BlobId, size: u64) -> Result<(), String> {
        self.bring(id, size).map_err(|e| e.to_string())
    }

    fn fetch_for(
        &self,
        id: &BlobId,
        size: u64,
        height: u64,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> Result<(), String> {
        let end = Instant::now() + self.patience;
        loop {
            let blob = match self.bring(id, size) {
                Ok(()) => return Ok(()),
                Err(e @ PeerError::Store(_)) => return Err(e.to_string()),
                Err(e) => e,
            };
            let reason = match self.testify(height, judge) {
                Ok(()) => return Ok(()),
                Err(e) => format!("{blob}; nor is there word of what the block has read: {e}"),
            };
            if Instant::now() >= end {
                return Err(reason);
            }
            tracing::warn!(height, blob = %id, "a block waits for a blob: {reason}");
            std::thread::sleep(AGAIN);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A peer that answers every request with these bytes.
    fn peer(answer: Vec<u8>) -> String {
        peer_with(move |_| answer.clone())
    }

    /// A peer that answers a request by its first line.
    pub(crate) fn peer_with(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream: TcpStream = stream.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap() == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head);
                // The other side may have had enough of it.
                let _ = stream.write_all(&answer(head.lines().next().unwrap_or_default()));
            }
        });
        url
    }

    pub(crate) fn sends(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    pub(crate) fn peers(urls: &[String], patience: u64) -> (tempfile::TempDir, Peers) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(directory.path(), Default::default()).unwrap());
        let keys = || vec![AttestKey::generate(&[1; 32]).unwrap()];
        (directory, Peers::new(urls, "chain-1", keys, blobs, Duration::from_millis(patience)))
    }

    #[test]
    fn the_first_honest_peer_is_enough() {
        let (good, id) = (b"a picture".to_vec(), BlobId::of_raw(b"a picture"));
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        let urls = [
            nobody,
            peer(sends(b"another p")),
            peer(sends(&[0; 5000])),
            peer([&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &[0; 5000]].concat()),
            peer(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhat?".to_vec()),
            peer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\na pic".to_vec()),
            peer(sends(&good)),
        ];
        let (_directory, peers) = peers(&urls, 0);
        let asked = peers.peers.iter().map(|one| {
            let outcome = peers.ask(one, &id, 9);
            one.note(&outcome);
            let kind = match &outcome {
                Ok(()) => "sent",
                Err(PeerError::Unreachable { .. }) => "away",
                Err(PeerError::Refused { status: 404, .. }) => "has it not",
                Err(PeerError::OtherSize { got: 5000, want: 9, .. }) => "of another size",
                Err(PeerError::Lied { .. }) => "lied",
                Err(_) => "other",
            };
            (kind, one.rests())
        });
        let want = [
            ("away", true),
            ("lied", true),
            ("of another size", false),
            ("lied", true),
            ("has it not", false),
            ("away", true),
            ("sent", false),
        ];
        assert_eq!(asked.collect::<Vec<_>>(), want);
        assert_eq!(peers.blobs.read(&id, 9).unwrap(), good);
        assert_eq!(peers.blobs.list(None, 9).len(), 1);
        peers.blobs.remove(&id).unwrap();
        peers.bring(&id, 9).unwrap();
    }

    #[test]
    fn a_block_waits_no_longer_than_it_was_told() {
        let (_directory, peers) = peers(&[], 300);
        let begun = Instant::now();
        let id = BlobId::of_raw(b"x");
        assert!(peers.fetch(&id, 1).unwrap_err().contains("no peer is named"));
        assert!(begun.elapsed().as_millis() < 300, "it asks once");
        let begun = Instant::now();
        let refused = peers.fetch_for(&id, 1, 5, &mut |_| Verdict::Accepted).unwrap_err();
        assert!(refused.contains("no peer is named"), "{refused}");
        assert!((300..5000).contains(&begun.elapsed().as_millis()));
    }
}
