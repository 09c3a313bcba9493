//! What this validator adds to its votes: which of the wanted blobs it holds, and what it has to say in its committees.

use std::sync::{Arc, Mutex, PoisonError};

use aceso_app::{
    WantedBlob,
    attest::{self, AttestKey},
};
use aceso_blobs::BlobStore;
use bytes::Bytes;
use prometheus_client::metrics::histogram::Histogram;
use prost::Message;

use crate::worker::Work;

/// Wanted blobs that one vote looks at; more than an extension has room for.
const LOOKED_AT_MAX: usize = 2048;

/// Extends votes.
pub(crate) trait Extend: Send + Sync + 'static {
    /// The extension of a vote, given the blobs that the chain waits for, oldest first, and the attestation keys that
    /// count at the vote's height.
    fn extension(&self, chain_id: &str, wanted: Vec<WantedBlob>, counted: &[Vec<u8>]) -> Bytes;
    /// A block was committed.
    fn committed(&self) {}
    /// Whether it has to say what no transaction will bring about.
    fn has_word(&self) -> bool {
        false
    }
}

/// This validator's attestation keys: the one in use and, while another takes over, that one. They are read again where
/// none of them counts, so that a key that is registered while the node runs is found.
pub(crate) struct AttestKeys {
    keys: Mutex<Vec<AttestKey>>,
    read: Box<dyn Fn() -> Vec<AttestKey> + Send + Sync>,
}

impl AttestKeys {
    /// The keys that `read` finds, now and later.
    pub(crate) fn new(read: impl Fn() -> Vec<AttestKey> + Send + Sync + 'static) -> Self {
        Self { keys: Mutex::new(read()), read: Box::new(read) }
    }

    /// Works with the key that counts; nothing where none does.
    pub(crate) fn with<T>(&self, counted: &[Vec<u8>], work: impl FnOnce(&AttestKey) -> T) -> Option<T> {
        let counts = |key: &&AttestKey| {
            let public = key.public();
            counted.iter().any(|one| one[..] == public)
        };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.iter().any(|key| counts(&key)) {
            *keys = (self.read)();
        }
        keys.iter().find(counts).map(work)
    }
}

/// A validator with its attestation keys and a blob store.
pub(crate) struct Voter {
    keys: AttestKeys,
    blobs: Arc<BlobStore>,
    /// Shares and words for roots, where the validator works in committees.
    work: Option<Arc<Work>>,
    /// Bytes of extensions, where somebody counts.
    sizes: Option<Histogram>,
}

impl Voter {
    /// A voter.
    pub(crate) fn new(keys: AttestKeys, blobs: Arc<BlobStore>) -> Self {
        Self { keys, blobs, work: None, sizes: None }
    }

    /// The voter, with what it has to say in committees.
    pub(crate) fn working(self, work: Arc<Work>) -> Self {
        Self { work: Some(work), ..self }
    }

    /// The voter, telling how long its extensions are.
    pub(crate) fn watched(self, sizes: Histogram) -> Self {
        Self { sizes: Some(sizes), ..self }
    }

    fn holds(&self, wanted: &WantedBlob) -> bool {
        match self.blobs.stat(&wanted.id) {
            Ok(stat) => stat.is_some_and(|stat| stat.size == wanted.size),
            Err(e) => {
                tracing::error!(blob = %wanted.id, "not attested: {e}");
                false
            }
        }
    }
}

impl Extend for Voter {
    fn extension(&self, chain_id: &str, wanted: Vec<WantedBlob>, counted: &[Vec<u8>]) -> Bytes {
        let held = wanted.into_iter().take(LOOKED_AT_MAX).filter(|wanted| self.holds(wanted));
        let (shares, roots) = self.work.as_ref().map(|work| work.word()).unwrap_or_default();
        let extension = self.keys.with(counted, |key| attest::extension(key, chain_id, held, shares, roots));
        let bytes: Bytes = extension.map(|extension| extension.encode_to_vec().into()).unwrap_or_default();
        if let Some(sizes) = &self.sizes {
            // At most 64 KiB: exact.
            sizes.observe(f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
        }
        bytes
    }

    fn committed(&self) {
        if let Some(work) = &self.work {
            work.committed();
        }
    }

    fn has_word(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.has_word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_counts_is_taken_and_a_new_one_found() {
        let key = |seed| AttestKey::generate(&[seed; 32]).unwrap();
        let file = Arc::new(Mutex::new(vec![1]));
        let seeds = Arc::clone(&file);
        let keys = AttestKeys::new(move || seeds.lock().unwrap().iter().map(|seed| key(*seed)).collect());
        let taken = |counted: u8| keys.with(&[vec![7; 48], key(counted).public().to_vec()], |key| key.public());
        assert_eq!(taken(1), Some(key(1).public()));
        assert_eq!(taken(2), None);
        file.lock().unwrap().push(2);
        assert_eq!(taken(2), Some(key(2).public()));
        assert_eq!(taken(1), Some(key(1).public()));
    }
}
