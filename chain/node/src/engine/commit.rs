//! Votes of the one validator that an embedded chain has: what is signed, and the commit that carries it.
//!
//! A precommit signs the canonical vote, its extension the canonical vote extension, both length-delimited protobuf
//! (CometBFT's `types/canonical.go`). The commit that the next block carries is the extended one without extensions.

use bytes::Bytes;
use ed25519_consensus::SigningKey;
use prost::Message;
use tendermint::{
    PublicKey, Signature, Time,
    abci::types::{BlockSignatureInfo, CommitInfo, ExtendedCommitInfo, ExtendedVoteInfo, Validator, VoteInfo},
    account,
    block::{self, BlockIdFlag, Commit, CommitSig, Round},
    chain, validator,
};
use tendermint_proto::v0_38::types as pb;

/// A vote as the engine keeps it: the commit signature and what extends it.
#[derive(Clone, Debug)]
pub(crate) struct ExtendedSig {
    /// The part that goes into the next block.
    pub(crate) sig: CommitSig,
    /// What the application put into the vote.
    pub(crate) extension: Bytes,
    /// The signature over it.
    pub(crate) extension_signature: Option<Signature>,
}

/// A block's commit with the vote extensions, which only the next proposer sees.
#[derive(Clone, Debug)]
pub(crate) struct ExtendedCommit {
    /// The block's height.
    pub(crate) height: block::Height,
    /// The block.
    pub(crate) block_id: block::Id,
    /// One entry per validator of that height, in the set's order.
    pub(crate) signatures: Vec<ExtendedSig>,
}

/// The validator's key.
pub(crate) struct Signer {
    key: SigningKey,
    public: PublicKey,
    address: account::Id,
}

impl Signer {
    /// A signer with this key.
    pub(crate) fn new(key: SigningKey) -> Self {
        let public = PublicKey::from_ed25519_consensus(key.verification_key());
        Self { key, public, address: account::Id::from(public) }
    }

    /// The consensus public key.
    pub(crate) fn public(&self) -> PublicKey {
        self.public
    }

    /// The validator's address.
    pub(crate) fn address(&self) -> account::Id {
        self.address
    }

    /// Commits a block alone: signs for itself, every other validator of the set is absent.
    pub(crate) fn commit(
        &self,
        chain_id: &chain::Id,
        validators: &[validator::Info],
        height: block::Height,
        block_id: block::Id,
        timestamp: Time,
        extension: &Bytes,
    ) -> ExtendedCommit {
        let absent =
            ExtendedSig { sig: CommitSig::BlockIdFlagAbsent, extension: Bytes::new(), extension_signature: None };
        let own = || ExtendedSig {
            sig: CommitSig::BlockIdFlagCommit {
                validator_address: self.address,
                timestamp,
                signature: self.sign(&vote_bytes(chain_id, height, block_id, timestamp)),
            },
            extension: extension.clone(),
            extension_signature: self.sign(&extension_bytes(chain_id, height, extension)),
        };
        let signatures = validators
            .iter()
            .map(|validator| if validator.address == self.address { own() } else { absent.clone() })
            .collect();
        ExtendedCommit { height, block_id, signatures }
    }

    fn sign(&self, message: &[u8]) -> Option<Signature> {
        // Sixty-four bytes are always a signature, never an absent one.
        Signature::new(self.key.sign(message).to_bytes()).ok().flatten()
    }
}

/// What a precommit for a block signs.
fn vote_bytes(chain_id: &chain::Id, height: block::Height, block_id: block::Id, timestamp: Time) -> Vec<u8> {
    pb::CanonicalVote {
        r#type: pb::SignedMsgType::Precommit.into(),
        height: height.into(),
        round: 0,
        block_id: Some(block_id.into()),
        timestamp: Some(timestamp.into()),
        chain_id: chain_id.to_string(),
    }
    .encode_length_delimited_to_vec()
}

/// What the extension of a precommit signs.
fn extension_bytes(chain_id: &chain::Id, height: block::Height, extension: &Bytes) -> Vec<u8> {
    pb::CanonicalVoteExtension {
        extension: extension.to_vec(),
        height: height.into(),
        round: 0,
        chain_id: chain_id.to_string(),
    }
    .encode_length_delimited_to_vec()
}

impl ExtendedCommit {
    /// The commit that goes into the next block.
    pub(crate) fn plain(&self) -> Commit {
        Commit {
            height: self.height,
            round: Round::default(),
            block_id: self.block_id,
            signatures: self.signatures.iter().map(|vote| vote.sig.clone()).collect(),
        }
    }

    /// What FinalizeBlock and ProcessProposal see of it.
    pub(crate) fn info(&self, validators: &[validator::Info]) -> CommitInfo {
        let votes = validators
            .iter()
            .zip(&self.signatures)
            .map(|(validator, vote)| VoteInfo { validator: voter(validator), sig_info: flag(&vote.sig) })
            .collect();
        CommitInfo { round: Round::default(), votes }
    }

    /// What PrepareProposal sees of it.
    pub(crate) fn extended_info(&self, validators: &[validator::Info]) -> ExtendedCommitInfo {
        let votes = validators
            .iter()
            .zip(&self.signatures)
            .map(|(validator, vote)| ExtendedVoteInfo {
                validator: voter(validator),
                sig_info: flag(&vote.sig),
                vote_extension: vote.extension.clone(),
                extension_signature: vote.extension_signature.clone(),
            })
            .collect();
        ExtendedCommitInfo { round: Round::default(), votes }
    }

    /// The stored form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let extended_signatures = self
            .signatures
            .iter()
            .map(|vote| {
                let sig = pb::CommitSig::from(vote.sig.clone());
                pb::ExtendedCommitSig {
                    block_id_flag: sig.block_id_flag,
                    validator_address: sig.validator_address,
                    timestamp: sig.timestamp,
                    signature: sig.signature,
                    extension: vote.extension.to_vec(),
                    extension_signature: vote
                        .extension_signature
                        .clone()
                        .map(Signature::into_bytes)
                        .unwrap_or_default(),
                }
            })
            .collect();
        pb::ExtendedCommit {
            height: self.height.into(),
            round: 0,
            block_id: Some(self.block_id.into()),
            extended_signatures,
        }
        .encode_to_vec()
    }

    /// Reads the stored form; the error says what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let raw = pb::ExtendedCommit::decode(bytes).map_err(|e| e.to_string())?;
        let text = |e: tendermint::Error| e.to_string();
        let signatures = raw
            .extended_signatures
            .into_iter()
            .map(|vote| {
                let sig = pb::CommitSig {
                    block_id_flag: vote.block_id_flag,
                    validator_address: vote.validator_address,
                    timestamp: vote.timestamp,
                    signature: vote.signature,
                };
                Ok(ExtendedSig {
                    sig: sig.try_into().map_err(text)?,
                    extension: vote.extension.into(),
                    extension_signature: Signature::new(vote.extension_signature).map_err(text)?,
                })
            })
            .collect::<Result<_, String>>()?;
        let block_id = raw.block_id.ok_or("the block id is missing")?.try_into().map_err(text)?;
        Ok(Self { height: raw.height.try_into().map_err(text)?, block_id, signatures })
    }
}

fn voter(validator: &validator::Info) -> Validator {
    let mut address = [0; 20];
    address.copy_from_slice(validator.address.as_bytes());
    Validator { address, power: validator.power }
}

fn flag(sig: &CommitSig) -> BlockSignatureInfo {
    BlockSignatureInfo::Flag(match sig {
        CommitSig::BlockIdFlagAbsent => BlockIdFlag::Absent,
        CommitSig::BlockIdFlagCommit { .. } => BlockIdFlag::Commit,
        CommitSig::BlockIdFlagNil { .. } => BlockIdFlag::Nil,
    })
}
