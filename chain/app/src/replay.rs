//! A block that is executed when bytes are gone that it reads: what others say of its reads, and when it is believed.
//!
//! A [`Testimony`] is a block's transcript together with the next header, whose app hash commits what the block made of
//! the state, and that header's commit. The commit is checked against the validators that this node's own state says
//! sign that height; then the block is executed with the transcript in place of the bytes, and what comes out counts
//! only if it makes the header's app hash. So nothing of a transcript has to be believed for itself, and one that is a
//! lie leaves nothing behind.

use aceso_types::transcript::BYTES_MAX;
use prost::Message;
use tendermint::{
    PublicKey,
    block::signed_header::SignedHeader,
    crypto::default::Sha256,
    v0_38::abci::request::FinalizeBlock,
    validator::{Info, Set},
    vote,
};
use tendermint_light_client_verifier::operations::{ProdVotingPowerCalculator, VotingPowerCalculator};
use tendermint_proto::v0_38::types as wire;

use crate::components::validators::Table;

/// Most bytes of an encoded testimony: a transcript, and a commit of some thousand validators.
pub const TESTIMONY_MAX: u64 = BYTES_MAX + (1 << 20);

/// What somebody who has executed a block says of its reads.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Testimony {
    /// The block's [`Transcript`](aceso_types::Transcript), encoded.
    #[prost(bytes = "vec", tag = "1")]
    pub transcript: Vec<u8>,
    /// The next header with its commit, `tendermint.types.SignedHeader`; empty while nobody has signed it.
    #[prost(bytes = "vec", tag = "2")]
    pub signed_header: Vec<u8>,
}

/// The header after a block, if it is signed by more than two thirds of `table`, the validators of its height. Else a
/// sentence.
pub(crate) fn next_header(
    bytes: &[u8],
    chain_id: &str,
    table: &Table,
    block: &FinalizeBlock,
) -> Result<SignedHeader, String> {
    let decoded = wire::SignedHeader::decode(bytes).map_err(|e| format!("its header does not decode: {e}"))?;
    let signed = SignedHeader::try_from(decoded).map_err(|e| format!("its header does not decode: {e}"))?;
    let (header, commit) = (&signed.header, &signed.commit);
    if header.chain_id.as_str() != chain_id {
        return Err(format!("its header is of chain {}", header.chain_id));
    }
    let next = block.height.increment();
    if header.height != next || commit.height != next {
        return Err(format!("its header is of block {}, not {next}", header.height));
    }
    if header.hash_with::<Sha256>() != commit.block_id.hash {
        return Err("its commit is for another header".into());
    }
    let before = header.last_block_id.map(|id| id.hash);
    if !block.hash.is_empty() && before != Some(block.hash) {
        return Err(format!("its header follows another block than {}", block.hash));
    }
    let validators = Set::without_proposer(table.members.iter().filter_map(info).collect());
    ProdVotingPowerCalculator::default()
        .check_signers_overlap(&signed, &validators)
        .map_err(|e| format!("its commit is not that of the validators of block {next}: {}", e.detail()))?;
    Ok(signed)
}

fn info(member: &crate::components::validators::Validator) -> Option<Info> {
    Some(Info::new(PublicKey::from_raw_ed25519(&member.key)?, vote::Power::try_from(member.power).ok()?))
}
