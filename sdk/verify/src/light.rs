//! The light check: receipt → component → app hash → header → commit → trusted validators.

use alloc::{format, string::String};

use aceso_types::{Receipt, receipt};
use prost::Message;
use tendermint::{block::signed_header::SignedHeader, validator::Set};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict,
    operations::{ProdVotingPowerCalculator, VotingPowerCalculator},
    types::{TrustThreshold, UntrustedBlockState},
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
    let evidence = Evidence::decode(file)?;
    let receipt = evidence.receipt()?;
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
    let malformed = |what: &str| VerifyError::Malformed(format!("the {what} does not decode"));
    let header = wire::SignedHeader::decode(&evidence.signed_header[..]).map_err(|_| malformed("header"))?;
    let header = SignedHeader::try_from(header).map_err(|_| malformed("header"))?;
    let validators = wire::ValidatorSet::decode(&evidence.validators[..]).map_err(|_| malformed("validator set"))?;
    let validators = Set::try_from(validators).map_err(|_| malformed("validator set"))?;
    same_chain("header", header.header.chain_id.as_str(), &trust.chain_id)?;

    let verifier = ProdVerifier::default();
    let state = UntrustedBlockState { signed_header: &header, validators: &validators, next_validators: None };
    for verdict in [verifier.verify_validator_sets(&state), verifier.verify_commit(&state)] {
        match verdict {
            Verdict::Success => {}
            Verdict::NotEnoughTrust(tally) => return Err(VerifyError::Power(format!("{tally}"))),
            Verdict::Invalid(detail) => return Err(VerifyError::Header(format!("{detail}"))),
        }
    }
    let trusted = trust.validator_set()?;
    ProdVotingPowerCalculator::default()
        .check_enough_trust_and_signers(&header, &trusted, TrustThreshold::TWO_THIRDS, &validators)
        .map_err(|e| VerifyError::Power(format!("{}", e.detail())))?;
    Ok(header)
}

fn same_chain(what: &'static str, got: &str, want: &str) -> Result<(), VerifyError> {
    if got == want {
        return Ok(());
    }
    Err(VerifyError::Chain { what, got: got.into(), want: want.into() })
}
