//! What is believed without proof.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use tendermint::{
    PublicKey,
    validator::{Info, Set},
    vote::Power,
};

use crate::VerifyError;

/// Most bytes a trust file may have.
const BYTES_MAX: usize = 1 << 20;
/// Most total power, as in CometBFT (`types/validator_set.go`): a sum that cannot overflow.
const POWER_MAX: u64 = i64::MAX as u64 / 8;

/// Longest prefix of an inner node that a proof specification may ask for.
const PREFIX_MAX: i32 = 1 << 16;

/// A chain, its validators, and the shape of its state's proofs. In JSON; all of it stands in the genesis file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The chain's id.
    pub chain_id: String,
    /// Who signs its headers.
    pub validators: Vec<TrustedValidator>,
    /// The proof specification of its state at both levels (`cosmos.ics23.v1.ProofSpec`).
    pub proof_spec: ics23::ProofSpec,
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedValidator {
    /// The consensus key: ed25519, 32 bytes in lower-case hexadecimal.
    pub public_key: String,
    /// The voting power.
    pub power: u64,
}

impl Trust {
    /// Reads a trust file.
    pub fn decode(json: &[u8]) -> Result<Self, VerifyError> {
        if json.len() > BYTES_MAX {
            return Err(VerifyError::TooLarge { got: json.len(), max: BYTES_MAX });
        }
        let trust: Self = serde_json::from_slice(json).map_err(|e| VerifyError::Trust(format!("{e}")))?;
        trust.check_spec()?;
        trust.validator_set()?;
        Ok(trust)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for maps with keys that are not text, of which there are none.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Whether the proof specification is one: checking a proof calculates with its numbers.
    pub(crate) fn check_spec(&self) -> Result<(), VerifyError> {
        let refuse = |what: &str| Err(VerifyError::Trust(format!("the proof specification {what}")));
        let spec = &self.proof_spec;
        let (Some(_), Some(inner)) = (&spec.leaf_spec, &spec.inner_spec) else {
            return refuse("describes no leaf or no inner node");
        };
        if !(2..=256).contains(&inner.child_order.len()) || !(1..=256).contains(&inner.child_size) {
            return refuse("has inner nodes of other than 2 to 256 children of 1 to 256 bytes");
        }
        let (shortest, longest) = (inner.min_prefix_length, inner.max_prefix_length);
        if shortest < 0 || longest < shortest || longest > PREFIX_MAX {
            return refuse("has prefixes of no length or too long ones");
        }
        if spec.min_depth < 0 || spec.max_depth < 1 || spec.max_depth < spec.min_depth {
            return refuse("has no depth that a tree can have");
        }
        Ok(())
    }

    /// The validators as CometBFT knows them.
    pub(crate) fn validator_set(&self) -> Result<Set, VerifyError> {
        let mut total: u64 = 0;
        let mut infos = Vec::with_capacity(self.validators.len());
        for validator in &self.validators {
            let refuse = |what: &str| VerifyError::Trust(format!("validator {}: {what}", validator.public_key));
            let key = hex::decode(&validator.public_key).map_err(|_| refuse("the key is not hexadecimal"))?;
            let key = PublicKey::from_raw_ed25519(&key).ok_or_else(|| refuse("the key is not ed25519"))?;
            let power = Power::try_from(validator.power).map_err(|_| refuse("the power is too large"))?;
            total = total.saturating_add(validator.power);
            if validator.power == 0 || total > POWER_MAX {
                return Err(refuse("the power is zero or too large"));
            }
            let info = Info::new(key, power);
            if infos.iter().any(|other: &Info| other.address == info.address) {
                return Err(refuse("it is listed twice"));
            }
            infos.push(info);
        }
        if infos.is_empty() {
            return Err(VerifyError::Trust("there is no validator".into()));
        }
        Ok(Set::without_proposer(infos))
    }
}
