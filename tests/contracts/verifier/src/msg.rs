//! The public face.

use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::Binary;

/// Whom to believe.
#[cw_serde]
pub struct InstantiateMsg {
    /// A root that is trusted, in dag-cbor.
    pub root: Binary,
    /// Fewest members of a committee.
    pub members_min: u32,
    /// Smallest share of all validators' power that a committee has, in hundredths of a percent.
    pub power_min_bps: u32,
}

/// What anybody may do.
#[cw_serde]
pub enum ExecuteMsg {
    /// Takes the root that follows the last one.
    Advance {
        /// The root, in dag-cbor.
        root: Binary,
        /// One bit per key of the root before, lowest bit of the first byte first.
        signers: Binary,
        /// Their aggregated signature, 96 bytes.
        signature: Binary,
    },
    /// Records the outcome of a compact receipt. A job is recorded once.
    Record {
        /// The receipt, in dag-cbor.
        compact: Binary,
    },
}

/// What anybody may ask.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// The last root.
    #[returns(RootResponse)]
    Root {},
    /// What came out of a job.
    #[returns(RecordedResponse)]
    Recorded {
        /// The job.
        job: u64,
    },
}

/// Answer to [`QueryMsg::Root`].
#[cw_serde]
pub struct RootResponse {
    /// Its number.
    pub number: u64,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

/// Answer to [`QueryMsg::Recorded`]: a read, as far as its committee disclosed it.
#[cw_serde]
pub struct RecordedResponse {
    /// The sealed file.
    pub image: String,
    /// Whose it is.
    pub owner: String,
    /// Who asked.
    pub requester: String,
    /// The model.
    pub model: String,
    /// The findings that are disclosed, each with whether it is there.
    pub findings: Vec<(String, bool)>,
    /// Why there is no answer, if it could not be read.
    pub failed: Option<String>,
    /// Members of the committee.
    pub members: u32,
    /// The power of those who signed.
    pub signed: u64,
}
