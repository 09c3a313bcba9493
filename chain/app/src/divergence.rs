//! Whether this node still computes what the others compute, as their votes say.
//!
//! Every vote is extended with the digest of what the latest open reads came to ([`Reads`]). A validator that has
//! committed that block has the digest in its state; so where validators with more than two thirds of the power say
//! another one than this node has, it is this node that differs. The engine would find out too, at the next header, and
//! say nothing but two hashes.
//!
//! What is counted is what the voters of one height say, with the powers that sign that height: a statement about an
//! older block is made by who votes now.

use std::collections::BTreeMap;

use aceso_types::{
    Digest,
    msg::{Extension, Reads},
};
use prost::Message;
use tendermint::v0_38::abci::request::VerifyVoteExtension;

use crate::{
    attest::EXTENSION_BYTES_MAX,
    components::{reads::told, validators},
    error::Outcome,
    store::Read,
};

/// This node has computed other reads than more than two thirds of the power.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the reads of block {height} came to {} here and to {theirs} for validators with power {power} of {total}",
    ours.map_or("none".into(), |ours| ours.to_string())
)]
pub struct Divergence {
    /// The block.
    pub height: u64,
    /// The digest of its transcript here; none where there were no reads.
    pub ours: Option<Digest>,
    /// The digest that the others have.
    pub theirs: Digest,
    /// Their power.
    pub power: u64,
    /// The power of all.
    pub total: u64,
}

/// What the voters of one height have said.
#[derive(Default)]
pub(crate) struct Votes {
    height: u64,
    said: BTreeMap<[u8; 20], (u64, Digest)>,
}

impl Votes {
    /// Takes in what a vote says. `state` is the latest committed one, of `latest`.
    pub(crate) fn hear(
        &mut self,
        state: &mut impl Read,
        latest: u64,
        vote: &VerifyVoteExtension,
    ) -> Outcome<Option<Divergence>> {
        let height = vote.height.value();
        if self.height != height {
            *self = Self { height, ..Self::default() };
        }
        let Some((block, theirs)) = statement(&vote.vote_extension).filter(|(block, _)| *block <= latest) else {
            return Ok(None);
        };
        let table = validators::signing(state, height)?;
        let voter: [u8; 20] = vote.validator_address.as_bytes().try_into().unwrap_or_default();
        if table.slot_of(&voter).is_none() {
            return Ok(None);
        }
        self.said.insert(voter, (block, theirs));
        let ours = told::digest(state, block)?;
        if ours == Some(theirs) {
            return Ok(None);
        }
        let alike = self.said.iter().filter(|(_, said)| **said == (block, theirs));
        let power = alike.filter_map(|(voter, _)| table.members.get(table.slot_of(voter)?)).map(|one| one.power).sum();
        let total = table.total();
        Ok(table.is_enough(power).then_some(Divergence { height: block, ours, theirs, power, total }))
    }
}

/// What an extension says of reads; none if it says nothing that can be understood.
fn statement(extension: &[u8]) -> Option<(u64, Digest)> {
    if extension.len() > EXTENSION_BYTES_MAX {
        return None;
    }
    let Reads { height, digest } = Extension::decode(extension).ok()?.reads?;
    Some((height, Digest::try_from(&digest[..]).ok()?))
}
