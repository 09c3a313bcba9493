//! What peers say of the reads of a block: to execute it when its images are gone, and to find out who errs.
//!
//! Whether it is true is not for this side to say: a testimony goes to whoever executes the block, a transcript is known
//! by its digest. A peer whose testimony was a lie is left alone like one that sends wrong bytes.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use aceso_app::{TESTIMONY_MAX, Testimony, Verdict};
use aceso_types::{Digest, Transcript, msg::Reads, transcript};
use prost::Message;

use super::{Peer, PeerError, Peers, willing};

/// Most bytes of what a peer says of reads.
const READS_MAX: u64 = 1024;
/// How long a peer may take for its answer.
const ANSWER: Duration = Duration::from_secs(60);

impl Peers {
    /// Hands what peers say of a block's reads to `judge`, one after the other, until one is accepted. The error is the
    /// last peer's.
    pub(super) fn testify(&self, height: u64, judge: &mut dyn FnMut(&[u8]) -> Verdict) -> Result<(), PeerError> {
        let mut last = PeerError::Nobody;
        for peer in &self.peers {
            if peer.rests() {
                last = PeerError::Resting(peer.url.clone());
                continue;
            }
            let url = || peer.url.clone();
            let outcome = self.testimony(peer, height, ANSWER).and_then(|bytes| match judge(&bytes) {
                Verdict::Accepted | Verdict::Failed => Ok(()),
                Verdict::Lie(reason) => Err(PeerError::Lied { url: url(), reason }),
                Verdict::Unjudged(reason) => Err(PeerError::Unjudged { url: url(), reason }),
            });
            peer.note(&outcome);
            match outcome {
                Ok(()) => return Ok(()),
                Err(error @ PeerError::Lied { .. }) => {
                    self.meters.banned.inc();
                    tracing::warn!(height, "{error}");
                    last = error;
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The transcript with this digest, if some peer gives it in time.
    pub(crate) fn transcript(&self, height: u64, digest: Digest, patience: Duration) -> Option<Transcript> {
        let end = Instant::now() + patience;
        for peer in &self.peers {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let told = self.testimony(peer, height, left).ok().and_then(|bytes| Testimony::decode(&bytes[..]).ok());
            let Some(told) = told.filter(|told| transcript::digest(&told.transcript) == digest) else { continue };
            if let Ok(transcript) = Transcript::decode(&told.transcript) {
                return Some(transcript);
            }
        }
        None
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.peers.len()
    }

    /// What peers say of a block's reads, each with its address. One that does not have the block, or does not attest,
    /// says nothing.
    pub(crate) fn reads(&self, height: u64, patience: Duration) -> Vec<(String, Reads)> {
        let ask = |peer: &Peer| {
            let asked = self.agent.get(format!("{}/aceso/reads/v1/{height}", peer.url));
            let answer = asked.config().timeout_global(Some(patience)).build().call();
            let mut bytes = Vec::new();
            willing(peer, answer).ok()?.body_mut().as_reader().take(READS_MAX).read_to_end(&mut bytes).ok()?;
            let reads = Reads::decode(&bytes[..]).ok().filter(|reads| reads.height == height)?;
            Some((peer.url.clone(), reads))
        };
        self.peers.iter().filter_map(ask).collect()
    }

    fn testimony(&self, peer: &Peer, height: u64, patience: Duration) -> Result<Vec<u8>, PeerError> {
        let asked = self.agent.get(format!("{}/aceso/transcripts/v1/{height}", peer.url));
        let answer = asked.config().timeout_global(Some(patience)).build().call();
        let mut answer = willing(peer, answer)?;
        let mut bytes = Vec::new();
        // Room is made as bytes come.
        let read = answer.body_mut().as_reader().take(TESTIMONY_MAX + 1).read_to_end(&mut bytes);
        let url = || peer.url.clone();
        match read {
            Err(e) => Err(PeerError::Unreachable { url: url(), reason: e.to_string() }),
            Ok(_) if bytes.len() as u64 > TESTIMONY_MAX => {
                Err(PeerError::Lied { url: url(), reason: format!("more than {TESTIMONY_MAX} bytes") })
            }
            Ok(_) => Ok(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use aceso_app::Fetch;
    use aceso_types::{BlobId, Height};

    use super::*;
    use crate::peers::tests::{peer_with, peers, sends};

    const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhat?";

    /// A peer that has no blob and says this of block 5.
    fn witness(body: &'static [u8]) -> String {
        peer_with(
            move |line| {
                if line.starts_with("GET /aceso/transcripts/v1/5 ") { sends(body) } else { MISSING.to_vec() }
            },
        )
    }

    fn judge(heard: &mut Vec<Vec<u8>>, bytes: &[u8]) -> Verdict {
        heard.push(bytes.to_vec());
        match bytes {
            b"true" => Verdict::Accepted,
            b"early" => Verdict::Unjudged("not signed".into()),
            _ => Verdict::Lie("no".into()),
        }
    }

    #[test]
    fn a_liar_is_left_alone_and_the_next_one_believed() {
        let half = |_: &str| b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntru".to_vec();
        let urls = [witness(b"lie"), peer_with(half), witness(b"early"), witness(b"true")];
        let (_directory, peers) = peers(&urls, 5_000);
        let mut heard = Vec::new();
        let id = BlobId::of_raw(b"x");
        peers.fetch_for(&id, 1, 5, &mut |bytes| judge(&mut heard, bytes)).unwrap();
        assert_eq!(heard, [&b"lie"[..], b"early", b"true"]);
        assert_eq!(peers.peers.iter().map(Peer::rests).collect::<Vec<_>>(), [true, true, false, false]);
        peers.fetch_for(&id, 1, 5, &mut |bytes| judge(&mut heard, bytes)).unwrap();
        assert_eq!(heard[3..], [&b"early"[..], b"true"], "the liar is not asked again");
    }

    #[test]
    fn a_blob_that_comes_after_all_is_enough() {
        let holder = peer_with(|line| if line.starts_with("GET /ipfs/") { sends(b"x") } else { MISSING.to_vec() });
        let (_directory, peers) = peers(&[witness(b"early"), holder], 5_000);
        peers.fetch_for(&BlobId::of_raw(b"x"), 1, 5, &mut |_| panic!("nobody has to be judged")).unwrap();
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let (_directory, peers) = peers(&[witness(b"early"), witness(b"lie")], 300);
        let begun = Instant::now();
        let refused = peers.fetch_for(&BlobId::of_raw(b"x"), 1, 5, &mut |bytes| judge(&mut Vec::new(), bytes));
        let refused = refused.unwrap_err();
        assert!(refused.contains("nor is there word of what the block has read"), "{refused}");
        assert!((300..5_000).contains(&begun.elapsed().as_millis()));
        assert!(peers.fetch_for(&BlobId::of_raw(b"x"), 1, 5, &mut |_| Verdict::Failed).is_ok(), "its own fault");
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let endless = peer_with(|_| {
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", u64::MAX >> 1);
            let mut answer = head.into_bytes();
            answer.resize(usize::try_from(TESTIMONY_MAX).unwrap() + 4096, 7);
            answer
        });
        let (_directory, peers) = peers(&[endless], 0);
        let refused = peers.testimony(&peers.peers[0], 5, ANSWER).unwrap_err();
        assert!(matches!(&refused, PeerError::Lied { reason, .. } if reason.contains("more than")), "{refused}");
    }

    #[test]
    fn a_transcript_is_known_by_its_digest() {
        let transcript = |height| Transcript {
            version: transcript::VERSION,
            chain_id: "chain-1".into(),
            height: Height(height),
            entries: Vec::new(),
        };
        let told = move |height| {
            let bytes = Testimony { transcript: transcript(height).encode(), signed_header: Vec::new() };
            sends(&bytes.encode_to_vec())
        };
        let urls = [peer_with(move |_| told(4)), peer_with(|_| sends(b"\xff")), peer_with(move |_| told(5))];
        let (_directory, peers) = peers(&urls, 0);
        let digest = transcript::digest(&transcript(5).encode());
        assert_eq!(peers.transcript(5, digest, ANSWER), Some(transcript(5)));
        assert_eq!(peers.transcript(5, Digest::default(), ANSWER), None);
        assert_eq!(peers.transcript(5, digest, Duration::ZERO), None);
    }
}
