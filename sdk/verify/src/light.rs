//! The light check: receipt → component → app hash → header → commit → trusted validators.

use alloc::{format, string::String, vec::Vec};

use aceso_types::{Receipt, receipt};
use prost::Message;
use tendermint::{
    block::{CommitSig, signed_header::SignedHeader},
    crypto::default::signature::Verifier,
    validator::Set,
    vote::{self, SignedVote, ValidatorIndex, Vote},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict,
    operations::{ProdVotingPowerCalculator, VotingPowerCalculator},
    types::UntrustedBlockState,
};
use tendermint_proto::v0_38::types as wire;

use crate::{Evidence, Trust, VerifyError, proof};

/// A receipt that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The receipt.
    pub receipt: Receipt,
    /// The height of the header that commits it.
    pub height: u64,
    /// That header's time, RFC 3339 in UTC.
    pub time: String,
    /// Power that the trusted validators have in all.
    pub power: u64,
}

/// Verifies a receipt file against a trust, both as read from disk.
pub fn verify(file: &[u8], trust: &Trust) -> Result<Verified, VerifyError> {
    trust.check_spec()?;
    let evidence = Evidence::decode(file)?;
    let receipt = evidence.receipt()?;
    receipt.check_sealed()?;
    same_chain("receipt", &receipt.chain_id, &trust.chain_id)?;

    let header = signed_header(&evidence, trust)?;
    let (height, app_hash) = (header.header.height.value(), header.header.app_hash.as_bytes());
    if height <= receipt.height.0 {
        return Err(VerifyError::Height { header: height, read: receipt.height });
    }

    let refused = |level| VerifyError::Proof { level, read: receipt.read };
    let key = receipt::state_key(receipt.read);
    let (in_component, component_root) = proof::root_of(&evidence.component_proof).ok_or(refused("component"))?;
    if !proof::holds(&trust.proof_spec, &in_component, &component_root, key.as_bytes(), &evidence.receipt) {
        return Err(refused("component"));
    }
    let (in_app, _) = proof::root_of(&evidence.app_proof).ok_or(refused("state"))?;
    let component = receipt::COMPONENT.as_bytes();
    if !proof::holds(&trust.proof_spec, &in_app, app_hash, component, &component_root) {
        return Err(refused("state"));
    }

    let power = trust.validators.iter().map(|validator| validator.power).sum();
    Ok(Verified { receipt, height, time: header.header.time.to_rfc3339(), power })
}

/// The header, if it is signed by more than two thirds of its own validators and of the trusted ones.
///
/// Both are asked for: with no clock there is no trusting period, so the smaller overlap that CometBFT's light client
/// accepts between two sets (one third, `light/verifier.go`) would let a minority of long ago forge a header.
fn signed_header(evidence: &Evidence, trust: &Trust) -> Result<SignedHeader, VerifyError> {
    let header = decode::<wire::SignedHeader, SignedHeader>(&evidence.signed_header)
        .ok_or(VerifyError::Malformed("the header does not decode".into()))?;
    let validators = decode::<wire::ValidatorSet, Set>(&evidence.validators)
        .ok_or(VerifyError::Malformed("the validator set does not decode".into()))?;
    same_chain("header", header.header.chain_id.as_str(), &trust.chain_id)?;

    // The trusted first: whoever cannot show their signatures gets no more work out of a verifier.
    let trusted = trust.validator_set()?;
    ProdVotingPowerCalculator::default()
        .check_signers_overlap(&header, &trusted)
        .map_err(|e| VerifyError::Power(format!("{}", e.detail())))?;
    let verifier = ProdVerifier::default();
    let state = UntrustedBlockState { signed_header: &header, validators: &validators, next_validators: None };
    for verdict in [verifier.verify_validator_sets(&state), verifier.verify_commit(&state)] {
        match verdict {
            Verdict::Success => {}
            Verdict::NotEnoughTrust(tally) => return Err(VerifyError::Power(format!("{tally}"))),
            Verdict::Invalid(detail) => return Err(VerifyError::Header(format!("{detail}"))),
        }
    }
    every_vote_holds(&header, &validators)?;
    Ok(header)
}

/// Votes are counted until there is power enough. Here each of them is looked at, as in CometBFT's `VerifyCommit`: it
/// stands in its validator's place and its signature holds, so that a file has no byte that says nothing.
fn every_vote_holds(signed: &SignedHeader, validators: &Set) -> Result<(), VerifyError> {
    let (commit, validators) = (&signed.commit, validators.validators());
    if commit.signatures.len() != validators.len() {
        let (got, want) = (commit.signatures.len(), validators.len());
        return Err(VerifyError::Header(format!("the commit has {got} votes for {want} validators")));
    }
    for (index, (sig, validator)) in commit.signatures.iter().zip(validators).enumerate() {
        let (validator_address, timestamp, signature, block_id) = match sig {
            CommitSig::BlockIdFlagAbsent => continue,
            CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature } => {
                (*validator_address, *timestamp, signature, Some(commit.block_id))
            }
            CommitSig::BlockIdFlagNil { validator_address, timestamp, signature } => {
                (*validator_address, *timestamp, signature, None)
            }
        };
        let vote = Vote {
            vote_type: vote::Type::Precommit,
            height: commit.height,
            round: commit.round,
            block_id,
            timestamp: Some(timestamp),
            validator_address,
            validator_index: ValidatorIndex::try_from(index).map_err(|e| VerifyError::Header(format!("{e}")))?,
            signature: signature.clone(),
            extension: Vec::new(),
            extension_signature: None,
        };
        let holds = validator_address == validator.address
            && SignedVote::from_vote(vote, signed.header.chain_id.clone()).is_some_and(|vote| {
                validator.verify_signature::<Verifier>(&vote.sign_bytes(), vote.signature()).is_ok()
            });
        if !holds {
            return Err(VerifyError::Header(format!("the vote of validator {} does not hold", validator.address)));
        }
    }
    Ok(())
}

/// What the bytes stand for, if they are spelled as it would be written: the same content has no second spelling.
fn decode<W, T>(bytes: &[u8]) -> Option<T>
where
    W: Message + Default + From<T>,
    T: TryFrom<W> + Clone,
{
    let value = T::try_from(W::decode(bytes).ok()?).ok()?;
    (W::from(value.clone()).encode_to_vec() == bytes).then_some(value)
}

fn same_chain(what: &'static str, got: &str, want: &str) -> Result<(), VerifyError> {
    if got == want {
        return Ok(());
    }
    Err(VerifyError::Chain { what, got: got.into(), want: want.into() })
}
