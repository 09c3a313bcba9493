//! What the chain's authority and the validators' operators say: who validates, with which keys, by which parameters,
//! and when the binary is to be another.

use alloc::{string::String, vec::Vec};

use super::Named;

named! {
    MsgSetValidator => "/aceso.validators.v1.MsgSetValidator",
    MsgSetValidatorResponse => "/aceso.validators.v1.MsgSetValidatorResponse",
    MsgRegisterAttester => "/aceso.validators.v1.MsgRegisterAttester",
    MsgRegisterAttesterResponse => "/aceso.validators.v1.MsgRegisterAttesterResponse",
    MsgUpdateParams => "/aceso.validators.v1.MsgUpdateParams",
    MsgUpdateParamsResponse => "/aceso.validators.v1.MsgUpdateParamsResponse",
    MsgScheduleUpgrade => "/aceso.validators.v1.MsgScheduleUpgrade",
    MsgScheduleUpgradeResponse => "/aceso.validators.v1.MsgScheduleUpgradeResponse",
    MsgCancelUpgrade => "/aceso.validators.v1.MsgCancelUpgrade",
    MsgCancelUpgradeResponse => "/aceso.validators.v1.MsgCancelUpgradeResponse",
}

/// Adds a validator, gives one another power, operator or name, or removes it. For the authority.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgSetValidator {
    /// The chain's authority.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// The consensus key, ed25519, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub consensus_key: Vec<u8>,
    /// The voting power; 0 removes it.
    #[prost(uint64, tag = "3")]
    pub power: u64,
    /// The account that may register its attestation keys; empty to leave it as it is.
    #[prost(string, tag = "4")]
    pub operator: String,
    /// A name for people, at most 64 bytes; empty to leave it as it is.
    #[prost(string, tag = "5")]
    pub name: String,
}

/// Answer to [`MsgSetValidator`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgSetValidatorResponse {
    /// The first height that is signed by the set as it is now.
    #[prost(uint64, tag = "1")]
    pub signs_from: u64,
}

/// Registers the key with which a validator attests, the first one or another. For the validator's operator.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterAttester {
    /// The validator's operator.
    #[prost(string, tag = "1")]
    pub operator: String,
    /// The validator, by its consensus key.
    #[prost(bytes = "vec", tag = "2")]
    pub consensus_key: Vec<u8>,
    /// The BLS12-381 public key (min-pk: 48 bytes, compressed G1).
    #[prost(bytes = "vec", tag = "3")]
    pub bls_key: Vec<u8>,
    /// How many keys the validator has registered before.
    #[prost(uint64, tag = "4")]
    pub epoch: u64,
    /// Proof that the operator holds the key: its signature (96 bytes) under the possession tag over
    /// `bls_key ‖ consensus_key ‖ epoch`.
    #[prost(bytes = "vec", tag = "5")]
    pub possession: Vec<u8>,
}

/// Answer to [`MsgRegisterAttester`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterAttesterResponse {
    /// The first height whose votes attest with this key.
    #[prost(uint64, tag = "1")]
    pub attests_from: u64,
}

/// Changes parameters from the next block on. For the authority. What is not named stays as it is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgUpdateParams {
    /// The chain's authority.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// Fields of [`crate::genesis::Params`] with their new values, as a JSON object; may be left out.
    #[prost(bytes = "vec", tag = "2")]
    pub params: Vec<u8>,
    /// Consensus parameters with their new values, as a JSON object: `block_bytes`, `block_gas` (-1 for no bound),
    /// `evidence_age_blocks`, `evidence_age_seconds`, `evidence_bytes`; may be left out.
    #[prost(bytes = "vec", tag = "3")]
    pub consensus: Vec<u8>,
}

/// Answer to [`MsgUpdateParams`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgUpdateParamsResponse {}

/// Says that at a height the chain goes on by other rules. For the authority. A binary that does not know the upgrade
/// stops before it executes that block.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgScheduleUpgrade {
    /// The chain's authority.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// The upgrade, as the new binary knows it: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The first block by the new rules.
    #[prost(uint64, tag = "3")]
    pub height: u64,
    /// For operators, such as where the binary is; at most 1024 bytes.
    #[prost(string, tag = "4")]
    pub info: String,
}

/// Answer to [`MsgScheduleUpgrade`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgScheduleUpgradeResponse {}

/// Takes the upgrade that is scheduled back. For the authority.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgCancelUpgrade {
    /// The chain's authority.
    #[prost(string, tag = "1")]
    pub authority: String,
}

/// Answer to [`MsgCancelUpgrade`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgCancelUpgradeResponse {}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn field_numbers_do_not_change() {
        let set = MsgSetValidator {
            authority: "a".into(),
            consensus_key: vec![1],
            power: 3,
            operator: "o".into(),
            name: "n".into(),
        };
        let register = MsgRegisterAttester {
            operator: "o".into(),
            consensus_key: vec![1],
            bls_key: vec![2],
            epoch: 4,
            possession: vec![5],
        };
        let params = MsgUpdateParams { authority: "a".into(), params: b"{}".to_vec(), consensus: b"[]".to_vec() };
        let schedule = MsgScheduleUpgrade { authority: "a".into(), name: "n".into(), height: 3, info: "i".into() };
        let cancel = MsgCancelUpgrade { authority: "a".into() };
        let all = [
            set.encode_to_vec(),
            register.encode_to_vec(),
            params.encode_to_vec(),
            schedule.encode_to_vec(),
            cancel.encode_to_vec(),
        ];
        expect_test::expect![[r#"
            0a0161120101180322016f2a016e
            0a016f1201011a010220042a0105
            0a016112027b7d1a025b5d
            0a016112016e1803220169
            0a0161"#]]
        .assert_eq(&all.map(hex::encode).join("\n"));
    }
}
