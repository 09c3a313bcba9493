//! The receipt file: a receipt and all that proves it, in dag-cbor.

use alloc::{format, vec::Vec};

use aceso_types::Receipt;
use serde::{Deserialize, Serialize};

use crate::VerifyError;

/// The only version of this format.
pub(crate) const VERSION: u32 = 1;
/// Most bytes a receipt file may have: proofs of depth 256 at two levels and a commit of some thousand validators.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// A receipt file. Fields are byte strings in the encodings of those who define them, each as it would be written again:
/// there is one file for a receipt and a header, and no byte of it can be another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// 1: the only version.
    pub version: u32,
    /// The receipt, dag-cbor.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub receipt: Vec<u8>,
    /// Why the component `reads` holds the receipt: `cosmos.ics23.v1.CommitmentProof`.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub component_proof: Vec<u8>,
    /// Why the application's state holds that component: `cosmos.ics23.v1.CommitmentProof`.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub app_proof: Vec<u8>,
    /// The header whose `app_hash` commits that state, with its commit: `tendermint.types.SignedHeader`.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub signed_header: Vec<u8>,
    /// The validators of that header: `tendermint.types.ValidatorSet`.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub validators: Vec<u8>,
}

impl Evidence {
    /// Reads a receipt file. Says nothing yet about whether it is true.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() > BYTES_MAX {
            return Err(VerifyError::TooLarge { got: bytes.len(), max: BYTES_MAX });
        }
        let evidence: Self =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|e| VerifyError::Malformed(format!("{e}")))?;
        if evidence.version != VERSION {
            return Err(VerifyError::Malformed(format!("version {} is not known here", evidence.version)));
        }
        if evidence.encode() != bytes {
            return Err(VerifyError::Malformed("it is not in canonical dag-cbor".into()));
        }
        Ok(evidence)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which there are none.
        serde_ipld_dagcbor::to_vec(self).unwrap_or_default()
    }

    /// The receipt inside, not yet proven.
    pub fn receipt(&self) -> Result<Receipt, VerifyError> {
        Ok(Receipt::decode(&self.receipt)?)
    }
}
