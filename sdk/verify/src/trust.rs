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
        trust.validator_set()?;
        Ok(trust)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for maps with keys that are not text, of which there are none.
        serde_json::to_vec_pretty(self).unwrap_or_default()
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
            infos.push(Info::new(key, power));
        }
        if infos.is_empty() {
            return Err(VerifyError::Trust("there is no validator".into()));
        }
        Ok(Set::without_proposer(infos))
    }
}
