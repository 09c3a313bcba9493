//! Whether this node still computes what the others compute, as they say when they are asked.
//!
//! A block's open reads make a transcript whose digest is in the state ([`Reads`]). Where validators with more than two
//! thirds of the power sign another digest than this node has, it is this node that differs. The engine finds out too, at
//! the next header, and says nothing but two hashes.
//!
//! Vote extensions could not carry this: an engine whose application hash differs stops when it sees the next proposal's
//! prevotes, before a precommit of that height brings an extension; and it asks about an extension before it knows that
//! the address in the vote is the signer's.

use std::collections::BTreeMap;

use aceso_types::{Digest, msg::Reads};

use crate::{
    attest::{AttestError, AttestKey, check_together},
    components::{reads::told, validators},
    error::Outcome,
    store::Read,
};

/// This node has computed other reads than more than two thirds of the power.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the reads of block {height} came to {} here and to {} for validators with power {power} of {total}",
    shown(ours),
    shown(theirs)
)]
pub struct Divergence {
    /// The block.
    pub height: u64,
    /// The digest of its transcript here; none where there were no reads.
    pub ours: Option<Digest>,
    /// The digest that the others have.
    pub theirs: Option<Digest>,
    /// Their power.
    pub power: u64,
    /// The power of all.
    pub total: u64,
}

fn shown(digest: &Option<Digest>) -> String {
    digest.map_or_else(|| "none".into(), |digest| digest.to_string())
}

/// What this node says of its reads of a block, whose digest is `digest`.
pub fn statement(key: &AttestKey, chain_id: &str, height: u64, digest: Option<Digest>) -> Reads {
    let digest = digest.map_or_else(Vec::new, |digest| digest.0.into());
    let signature = key.sign(&Reads::sign_bytes(chain_id, height, &digest)).into();
    Reads { height, digest, key: key.public().into(), signature }
}

/// What others have said of one block, where it is not what this node has.
#[derive(Default)]
pub(crate) struct Witnesses {
    height: u64,
    /// By attestation key.
    said: BTreeMap<Vec<u8>, Option<Digest>>,
}

impl Witnesses {
    /// Takes in what somebody says. `state` is the latest committed one, of `latest`. A signature is checked only where
    /// the statement differs.
    pub(crate) fn hear(
        &mut self,
        state: &mut impl Read,
        chain_id: &str,
        latest: u64,
        reads: &Reads,
    ) -> Outcome<Result<Option<Divergence>, AttestError>> {
        let Reads { height, digest, key, signature } = reads;
        let theirs = match &digest[..] {
            [] => None,
            bytes => match Digest::try_from(bytes) {
                Ok(digest) => Some(digest),
                Err(_) => return Ok(Err(AttestError::Signature)),
            },
        };
        let table = validators::signing(state, latest.saturating_add(1))?;
        let member = table.members.iter().any(|member| !key.is_empty() && member.bls_key == *key);
        let ours = told::digest(state, *height)?;
        if *height > latest || !member || ours == theirs {
            return Ok(Ok(None));
        }
        let message = Reads::sign_bytes(chain_id, *height, digest);
        if let Err(error) = check_together(std::slice::from_ref(key), &message, signature) {
            return Ok(Err(error));
        }
        if self.height != *height {
            *self = Self { height: *height, said: BTreeMap::new() };
        }
        self.said.insert(key.clone(), theirs);
        let alike = |key: &Vec<u8>| self.said.get(key) == Some(&theirs);
        let power = table.members.iter().filter(|one| alike(&one.bls_key)).map(|one| one.power).sum();
        let total = table.total();
        let enough = table.is_enough(power);
        Ok(Ok(enough.then_some(Divergence { height: *height, ours, theirs, power, total })))
    }
}
