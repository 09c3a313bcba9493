//! Where a chain starts: the `app_state` of CometBFT's genesis file, in JSON.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    access::{Access, Permission},
    exported::State,
    metadata::DenomMetadata,
    sealed::RESULT_BYTES_MAX,
    vesting::VestingAccount,
};

/// Why an `app_state` cannot start a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Not JSON of this shape.
    #[error("app_state does not decode: {0}")]
    Malformed(String),
    /// A field holds what it may not.
    #[error("app_state.{field}: {reason}")]
    Field {
        /// Path of the field.
        field: &'static str,
        /// What is wrong, with the value.
        reason: String,
    },
}

/// The application's part of the genesis file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The human-readable part of addresses: lower-case letters, 1 to 20.
    pub prefix: String,
    /// The coin in which fees, prices and reads are paid: 3 to 128 characters, `[a-zA-Z][a-zA-Z0-9/:._-]*`.
    pub denom: String,
    /// Who owns what from the start.
    pub balances: Vec<Balance>,
    /// What is known of coins. Where it says nothing of the chain's coin, that is what its name tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denom_metadata: Vec<DenomMetadata>,
    /// Which of them cannot spend all of it yet, in the Cosmos SDK's JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vesting: Vec<VestingAccount>,
    /// The validators' attestation keys; consensus keys and powers stand in CometBFT's own part.
    pub attesters: Vec<Attester>,
    /// The account or contract that may change parameters and validators; empty for nobody.
    pub authority: String,
    /// The limits and prices.
    pub params: Params,
    /// Codes that are there from the start, with the ids 1, 2 and so on, stored by the module account `genesis`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<GenesisCode>,
    /// Contracts that are there from the start, made in this order by the module account `genesis`. One of them may be
    /// the authority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<GenesisContract>,
    /// The ICS23 proof specification of the app hash, as JSON of `cosmos.ics23.v1.ProofSpec`. Published here so that
    /// a receipt's verifier finds it beside the validators it trusts; it must be the one that the state is built with.
    pub proof_spec: serde_json::Value,
    /// The state of a chain that ran before, with which this one goes on: accounts, contracts and all else are in it.
    /// There are no `balances`, `denom_metadata`, `vesting`, `codes` and `contracts` then, and `attesters` only if other validators take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// A code that is there from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisCode {
    /// The wasm, plain or packed with gzip, in base64.
    #[serde(with = "crate::base64_bytes")]
    pub code: Vec<u8>,
    /// Who may make contracts of it [default: as the parameters say].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instantiate_permission: Option<Access>,
    /// Whether calls of it cost what calls of pinned codes do.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub pinned: bool,
}

/// A contract that is there from the start, as `MsgInstantiateContract2` would make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisContract {
    /// The wasm, plain or packed with gzip, in base64; empty for one of `codes`.
    #[serde(default, with = "crate::base64_bytes", skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<u8>,
    /// The id of one of `codes`; 0 if the contract comes with a code of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code_id: u64,
    /// A name for people.
    pub label: String,
    /// Who may put it on other code; empty for nobody, `self` for the contract itself.
    #[serde(default)]
    pub admin: String,
    /// What it is made with.
    pub msg: serde_json::Value,
    /// The salt of its address: 1 to 64 bytes of text.
    pub salt: String,
}

/// What an account owns from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// The account.
    pub address: String,
    /// Its coins, sorted by denomination.
    pub coins: Vec<Coin>,
}

/// An amount of one denomination; decimal text in JSON as everywhere in Cosmos.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coin {
    /// The denomination.
    pub denom: String,
    /// How many, as a decimal number up to 2^128 − 1.
    pub amount: String,
}

/// A validator's attestation key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attester {
    /// The consensus public key (ed25519, 32 bytes) it belongs to, in base64.
    #[serde(with = "crate::base64_bytes")]
    pub consensus_key: Vec<u8>,
    /// The BLS12-381 public key (min-pk: 48 bytes, compressed G1), in base64.
    #[serde(with = "crate::base64_bytes")]
    pub bls_key: Vec<u8>,
    /// Proof that the operator holds the key: its signature (96 bytes, in base64) under the possession tag over
    /// `bls_key ‖ consensus_key ‖ epoch 0`.
    #[serde(with = "crate::base64_bytes")]
    pub possession: Vec<u8>,
    /// The account that may register other attestation keys for this validator; empty for nobody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Limits and prices that the authority may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Lowest gas price that CheckTx lets in, in millionths of the smallest coin per gas.
    pub min_gas_price_micro: u64,
    /// Most SDK gas that one query may use.
    pub query_gas_max: u64,
    /// Most SDK gas that one simulation may use.
    pub simulate_gas_max: u64,
    /// Most bytes of unpacked wasm.
    pub wasm_bytes_max: u64,
    /// Most bytes of a registered blob.
    pub blob_bytes_max: u64,
    /// Longest term of a blob, in blocks.
    pub blob_term_max: u64,
    /// What holding a blob costs, in millionths of the smallest coin per KiB and block, rounded up.
    pub blob_price_micro: u64,
    /// Blocks between an availability statement and its effect, so that everyone can prefetch.
    pub available_delay: u64,
    /// Blocks for which nodes hold a blob on when its term is over, so that who lags can still fetch it.
    pub blob_grace: u64,
    /// What each member of a committee earns for an outcome that it signed, in the chain's smallest coin.
    pub sealed_reward: u64,
    /// Most blocks until a job's deadline.
    pub sealed_term_max: u64,
    /// Most jobs that are open at a time.
    pub sealed_jobs_max: u64,
    /// Most SDK gas of a job's callback.
    pub sealed_callback_gas_max: u64,
    /// Most jobs that a block closes, by outcome or by deadline.
    pub sealed_closed_max: u64,
    /// Most bytes of a sealed result; one that does not stand in its outcome is kept by members as a blob.
    pub sealed_result_bytes_max: u64,
    /// Blocks for which members keep it. Each who signed it earns what a blob of its size costs for this term.
    pub sealed_result_blocks: u64,
    /// What a member of a committee loses of its power for a wrong outcome, in hundredths of a percent.
    pub sealed_wrong_power_cut_bps: u64,
    /// Most bytes of a memo.
    pub memo_bytes_max: u64,
    /// Most signatures of one transaction.
    pub signatures_max: u64,
    /// Who may upload contract code beside the authority. Read by its former name `upload_everybody` too.
    #[serde(alias = "upload_everybody")]
    pub code_upload_access: Access,
    /// Who may make contracts of code whose uploader does not say; the widest that uploaders may say.
    pub instantiate_default_permission: Permission,
    /// Fewest validators that the authority may leave.
    pub validators_min: u64,
    /// Most of all power that one validator may have, in hundredths of a percent; 10000 for no bound.
    pub power_share_max_bps: u64,
    /// What evidence of misbehavior takes of a validator's power, in hundredths of a percent.
    pub misbehavior_power_cut_bps: u64,
    /// Latest blocks in which missed votes are counted, at most [`DOWNTIME_WINDOW_MAX`]; 0 to count none.
    pub downtime_window: u64,
    /// Missed votes among them that are no downtime yet.
    pub downtime_missed_max: u64,
    /// What downtime takes of a validator's power, in hundredths of a percent.
    pub downtime_power_cut_bps: u64,
}

/// Most blocks in which missed votes are counted: a bit each, for every validator that missed one.
pub const DOWNTIME_WINDOW_MAX: u64 = 10_000;
/// The whole, in hundredths of a percent.
pub const WHOLE_BPS: u64 = 10_000;

impl Default for Params {
    fn default() -> Self {
        Self {
            min_gas_price_micro: 25_000,
            query_gas_max: 3_000_000,
            simulate_gas_max: 50_000_000,
            wasm_bytes_max: 3 << 20,
            blob_bytes_max: 128 << 20,
            blob_term_max: 10_000_000,
            blob_price_micro: 1,
            available_delay: 1,
            blob_grace: 1_000,
            sealed_reward: 100,
            sealed_term_max: 100_000,
            sealed_jobs_max: 100_000,
            sealed_callback_gas_max: 10_000_000,
            sealed_closed_max: 128,
            sealed_result_bytes_max: 16 << 20,
            sealed_result_blocks: 100_000,
            sealed_wrong_power_cut_bps: 0,
            memo_bytes_max: 256,
            signatures_max: 7,
            code_upload_access: Access::default(),
            instantiate_default_permission: Permission::Everybody,
            validators_min: 1,
            power_share_max_bps: WHOLE_BPS,
            misbehavior_power_cut_bps: 0,
            downtime_window: 1_000,
            downtime_missed_max: 500,
            downtime_power_cut_bps: 0,
        }
    }
}

impl Params {
    /// Checks what a chain could not go on with. The text names the parameter, its value and the bounds.
    pub fn check(&self) -> Result<(), String> {
        let bounded = |name: &str, value: u64, min: u64, max: u64| match value {
            value if (min..=max).contains(&value) => Ok(()),
            value => Err(alloc::format!("{name} is {value}, not {min} to {max}")),
        };
        bounded("min_gas_price_micro", self.min_gas_price_micro, 0, 1_000_000_000_000)?;
        bounded("query_gas_max", self.query_gas_max, 100_000, u64::MAX)?;
        bounded("simulate_gas_max", self.simulate_gas_max, 1_000_000, u64::MAX)?;
        bounded("wasm_bytes_max", self.wasm_bytes_max, 64 << 10, 64 << 20)?;
        bounded("available_delay", self.available_delay, 0, 1_000)?;
        bounded("blob_grace", self.blob_grace, 0, 10_000_000)?;
        bounded("sealed_reward", self.sealed_reward, 0, 1_000_000_000_000)?;
        bounded("sealed_term_max", self.sealed_term_max, 1, 100_000_000)?;
        bounded("sealed_jobs_max", self.sealed_jobs_max, 1, 10_000_000)?;
        bounded("sealed_callback_gas_max", self.sealed_callback_gas_max, 0, 1_000_000_000)?;
        bounded("sealed_closed_max", self.sealed_closed_max, 1, 1_000)?;
        bounded("sealed_result_bytes_max", self.sealed_result_bytes_max, 0, RESULT_BYTES_MAX as u64)?;
        bounded("sealed_result_blocks", self.sealed_result_blocks, 1, 10_000_000)?;
        bounded("sealed_wrong_power_cut_bps", self.sealed_wrong_power_cut_bps, 0, WHOLE_BPS)?;
        bounded("signatures_max", self.signatures_max, 1, 100)?;
        bounded("validators_min", self.validators_min, 1, 1_000)?;
        bounded("power_share_max_bps", self.power_share_max_bps, 1, WHOLE_BPS)?;
        bounded("misbehavior_power_cut_bps", self.misbehavior_power_cut_bps, 0, WHOLE_BPS)?;
        bounded("downtime_window", self.downtime_window, 0, DOWNTIME_WINDOW_MAX)?;
        bounded("downtime_missed_max", self.downtime_missed_max, 0, DOWNTIME_WINDOW_MAX)?;
        bounded("downtime_power_cut_bps", self.downtime_power_cut_bps, 0, WHOLE_BPS)
    }
}

impl Genesis {
    /// Reads an `app_state`.
    pub fn decode(json: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = serde_json::from_slice(json).map_err(|e| GenesisError::Malformed(alloc::format!("{e}")))?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Checks every field that has a rule of its own.
    pub fn check(&self) -> Result<(), GenesisError> {
        let refuse = |field, reason: String| Err(GenesisError::Field { field, reason });
        if !(1..=20).contains(&self.prefix.len()) || !self.prefix.bytes().all(|b| b.is_ascii_lowercase()) {
            return refuse("prefix", alloc::format!("{:?} is not 1 to 20 lower-case letters", self.prefix));
        }
        if !is_denom(&self.denom) {
            return refuse("denom", alloc::format!("{:?} is not a denomination", self.denom));
        }
        for balance in &self.balances {
            for coin in &balance.coins {
                if !is_denom(&coin.denom) {
                    return refuse("balances.coins.denom", alloc::format!("{:?} is not a denomination", coin.denom));
                }
                if coin.amount.parse::<u128>().is_err() {
                    return refuse("balances.coins.amount", alloc::format!("{:?} is not an amount", coin.amount));
                }
            }
            if !balance.coins.windows(2).all(|pair| pair[0].denom < pair[1].denom) {
                return refuse("balances.coins", alloc::format!("those of {} are not sorted", balance.address));
            }
        }
        for attester in &self.attesters {
            let lengths = [attester.consensus_key.len(), attester.bls_key.len(), attester.possession.len()];
            if lengths != [32, 48, 96] {
                return refuse("attesters", alloc::format!("keys and proof have {lengths:?} bytes, not [32, 48, 96]"));
            }
        }
        for (place, known) in self.denom_metadata.iter().enumerate() {
            known
                .check()
                .or_else(|reason| refuse("denom_metadata", alloc::format!("of {:?}: {reason}", known.base)))?;
            if self.denom_metadata.iter().skip(place + 1).any(|other| other.base == known.base) {
                return refuse("denom_metadata", alloc::format!("{:?} is there twice", known.base));
            }
        }
        for contract in &self.contracts {
            let own = !contract.code.is_empty();
            let listed = usize::try_from(contract.code_id).is_ok_and(|id| (1..=self.codes.len()).contains(&id));
            if own == (contract.code_id > 0) || !(own || listed) {
                let reason =
                    alloc::format!("that of {:?} is neither a code of its own nor one of `codes`", contract.label);
                return refuse("contracts.code", reason);
            }
            let (label, length) = (&contract.label, contract.salt.len());
            if !(1..=64).contains(&length) {
                return refuse("contracts.salt", alloc::format!("that of {label:?} has {length} bytes, not 1 to 64"));
            }
        }
        if let Some(state) = &self.state {
            state.check().or_else(|reason| refuse("state.components", reason))?;
            let beside = [
                self.balances.is_empty(),
                self.denom_metadata.is_empty(),
                self.vesting.is_empty(),
                self.codes.is_empty(),
                self.contracts.is_empty(),
            ];
            if beside.contains(&false) {
                let reason = "beside a state there can be no balances, denom_metadata, vesting, codes or contracts";
                return refuse("state", reason.into());
            }
        }
        self.params.check().or_else(|reason| refuse("params", reason))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whether a text is a denomination as the Cosmos SDK has them: `[a-zA-Z][a-zA-Z0-9/:._-]{2,127}`.
pub fn is_denom(text: &str) -> bool {
    let mut bytes = text.bytes();
    (3..=128).contains(&text.len())
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"/:._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::DenomUnit;

    fn specimen() -> Genesis {
        Genesis {
            prefix: "aceso".into(),
            denom: "uaceso".into(),
            balances: vec![Balance {
                address: "aceso1x".into(),
                coins: vec![Coin { denom: "uaceso".into(), amount: "5".into() }],
            }],
            denom_metadata: vec![DenomMetadata {
                denom_units: vec![DenomUnit { denom: "uaceso".into(), exponent: 0, aliases: vec![] }],
                base: "uaceso".into(),
                display: "uaceso".into(),
                name: "Aceso".into(),
                symbol: "ACESO".into(),
                ..DenomMetadata::default()
            }],
            vesting: vec![],
            attesters: vec![Attester {
                consensus_key: vec![1; 32],
                bls_key: vec![2; 48],
                possession: vec![3; 96],
                operator: "aceso1o".into(),
                name: "clinic".into(),
            }],
            authority: String::new(),
            params: Params::default(),
            codes: vec![GenesisCode {
                code: vec![5],
                instantiate_permission: Some(Access::plain(Permission::Nobody)),
                pinned: true,
            }],
            contracts: vec![GenesisContract {
                code: vec![4],
                code_id: 0,
                label: "governance".into(),
                admin: "self".into(),
                msg: serde_json::json!({"a": 1}),
                salt: "s".into(),
            }],
            proof_spec: serde_json::Value::Null,
            state: None,
        }
    }

    #[test]
    fn comes_back() {
        let json = serde_json::to_vec(&specimen()).unwrap();
        assert_eq!(Genesis::decode(&json), Ok(specimen()));
    }

    #[test]
    fn each_rule_names_its_field() {
        let refused = |change: fn(&mut Genesis)| {
            let mut genesis = specimen();
            change(&mut genesis);
            match genesis.check() {
                Err(GenesisError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|g| g.prefix = "Aceso".into()), "prefix");
        assert_eq!(refused(|g| g.denom = "1x".into()), "denom");
        assert_eq!(refused(|g| g.balances[0].coins[0].denom.clear()), "balances.coins.denom");
        assert_eq!(refused(|g| g.balances[0].coins[0].amount = "-1".into()), "balances.coins.amount");
        assert_eq!(
            refused(|g| g.balances[0].coins.push(Coin { denom: "aaa".into(), amount: "1".into() })),
            "balances.coins"
        );
        assert_eq!(refused(|g| g.attesters[0].bls_key.clear()), "attesters");
        assert_eq!(refused(|g| g.contracts[0].salt.clear()), "contracts.salt");
        assert_eq!(refused(|g| g.contracts[0].code.clear()), "contracts.code");
        assert_eq!(refused(|g| g.contracts[0].code_id = 1), "contracts.code");
        assert_eq!(refused(|g| (g.contracts[0].code.clear(), g.contracts[0].code_id = 2).1), "contracts.code");
        assert_eq!(refused(|g| g.denom_metadata[0].name.clear()), "denom_metadata");
        assert_eq!(refused(|g| g.denom_metadata.push(g.denom_metadata[0].clone())), "denom_metadata");
        let state = State { height: 1, app_hash: String::new(), components: Vec::new() };
        let mut beside = specimen();
        beside.state = Some(state.clone());
        assert!(matches!(beside.check(), Err(GenesisError::Field { field: "state", .. })));
        (beside.balances, beside.contracts) = (Vec::new(), Vec::new());
        (beside.codes, beside.denom_metadata) = (Vec::new(), Vec::new());
        assert_eq!(beside.check(), Ok(()));
        assert_eq!(refused(|g| g.params.downtime_window = DOWNTIME_WINDOW_MAX + 1), "params");
        assert_eq!(refused(|g| g.params.power_share_max_bps = 0), "params");
        assert!(matches!(Genesis::decode(b"{}"), Err(GenesisError::Malformed(_))));
    }
}
