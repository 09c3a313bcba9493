//! What this validator adds to its votes: which of the wanted blobs it holds.

use std::sync::Arc;

use aceso_app::{
    WantedBlob,
    attest::{self, AttestKey},
};
use aceso_blobs::BlobStore;
use bytes::Bytes;
use prost::Message;

/// Wanted blobs that one vote looks at; more than an extension has room for.
const LOOKED_AT_MAX: usize = 2048;

/// Extends votes.
pub(crate) trait Extend: Send + Sync + 'static {
    /// The extension of a vote, given the blobs that the chain waits for, oldest first.
    fn extension(&self, chain_id: &str, wanted: Vec<WantedBlob>) -> Bytes;
}

/// A validator with an attestation key and a blob store.
pub(crate) struct Voter {
    key: Arc<AttestKey>,
    blobs: Arc<BlobStore>,
}

impl Voter {
    /// A voter.
    pub(crate) fn new(key: Arc<AttestKey>, blobs: Arc<BlobStore>) -> Self {
        Self { key, blobs }
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
    fn extension(&self, chain_id: &str, wanted: Vec<WantedBlob>) -> Bytes {
        let held = wanted.into_iter().take(LOOKED_AT_MAX).filter(|wanted| self.holds(wanted));
        attest::extension(&self.key, chain_id, held).encode_to_vec().into()
    }
}
