//! What every part of the application has to know about the chain it runs: its name, its coin, its limits.

use std::sync::Arc;

use aceso_types::genesis::Params;
use serde::{Deserialize, Serialize};
use tendermint::consensus;

use crate::{
    address::{self, Address},
    app::APP_VERSION,
    code::{Code, Fault},
    components::{CHAIN, vesting},
    error::{AppError, Outcome},
    store::{Part, Read, Write, damaged},
    tx::decode::TX_BYTES_MAX,
};

/// `settings`
const SETTINGS: &[u8] = b"settings";
/// `params`
const PARAMS: &[u8] = b"params";
/// `consensus`: the parameters of the engine, as the authority may change them.
const CONSENSUS: &[u8] = b"consensus";
/// `upgrade`: the one that is scheduled.
const UPGRADE: &[u8] = b"upgrade";
/// `upgraded/` and, of each upgrade that is done, its name; the height as a big-endian number.
const UPGRADED: &[u8] = b"upgraded/";
/// `time`: the latest block's time in nanoseconds since the Unix epoch, as a big-endian number.
const TIME: &[u8] = b"time";

/// The names of the chain's own accounts, in order.
pub(crate) const MODULES: [&str; 3] = [FEE_COLLECTOR, address::GENESIS, ESCROW];
const FEE_COLLECTOR: &str = "fee_collector";
const ESCROW: &str = "sealed";

/// What is settled in genesis, and the parameters as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) id: String,
    pub(crate) prefix: String,
    pub(crate) denom: String,
    /// Who may change parameters and validators; empty for nobody.
    pub(crate) authority: String,
    /// Most gas of a block; none for no bound.
    pub(crate) block_gas: Option<u64>,
    /// Most bytes of a block.
    pub(crate) block_bytes: u64,
    pub(crate) params: Params,
    pub(crate) consensus: Consensus,
    /// Whether some accounts cannot spend all that they have yet.
    pub(crate) vests: bool,
    /// Where fees go.
    pub(crate) fee_collector: Address,
    /// What holds the price of jobs until they close.
    pub(crate) escrow: Address,
}

/// What of it is settled in genesis. Stored in JSON, as the genesis is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) chain_id: String,
    pub(crate) prefix: String,
    pub(crate) denom: String,
    pub(crate) authority: String,
}

/// The engine's parameters that the authority may change, and the one that it needs to hear again with them. Stored in
/// JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consensus {
    /// Most bytes of a block.
    pub(crate) block_bytes: u64,
    /// Most gas of a block; -1 for no bound.
    pub(crate) block_gas: i64,
    pub(crate) evidence_age_blocks: u64,
    pub(crate) evidence_age_seconds: u64,
    pub(crate) evidence_bytes: i64,
    /// The first height whose votes have extensions.
    pub(crate) extensions_from: u64,
}

#[cfg(test)]
impl Chain {
    /// A chain of this name, for tests: parameters as they are by default, and nobody decides.
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub(crate) fn named(id: &str) -> Self {
        let settings =
            Settings { chain_id: id.into(), prefix: "aceso".into(), denom: "uaceso".into(), authority: String::new() };
        let consensus = Consensus {
            block_bytes: 1,
            block_gas: -1,
            evidence_age_blocks: 1,
            evidence_age_seconds: 1,
            evidence_bytes: 0,
            extensions_from: 1,
        };
        Self::new(settings, Params::default(), consensus).unwrap()
    }
}

impl Chain {
    pub(crate) fn new(settings: Settings, params: Params, consensus: Consensus) -> Result<Self, Fault> {
        let Settings { chain_id, prefix, denom, authority } = settings;
        let fee_collector = Address::of_module(FEE_COLLECTOR, &prefix)?;
        let escrow = Address::of_module(ESCROW, &prefix)?;
        Ok(Self {
            id: chain_id,
            prefix,
            denom,
            authority,
            block_gas: u64::try_from(consensus.block_gas).ok().filter(|gas| *gas > 0),
            block_bytes: consensus.block_bytes.min(TX_BYTES_MAX as u64),
            params,
            consensus,
            vests: false,
            fee_collector,
            escrow,
        })
    }

    /// Reads it from the state; none before the genesis.
    pub(crate) fn load(state: &mut impl Read) -> Outcome<Option<Arc<Self>>> {
        let Some(settings) = state.get(CHAIN, SETTINGS)? else { return Ok(None) };
        let settings = serde_json::from_slice(&settings).map_err(|_| damaged(CHAIN, SETTINGS))?;
        let (params, consensus) = (params(state)?, consensus(state)?);
        let vests = vesting::is_used(state)?;
        Ok(Some(Arc::new(Self { vests, ..Self::new(settings, params, consensus)? })))
    }

    /// What of it is settled in genesis.
    pub(crate) fn settings(&self) -> Settings {
        let (chain_id, prefix, denom) = (self.id.clone(), self.prefix.clone(), self.denom.clone());
        Settings { chain_id, prefix, denom, authority: self.authority.clone() }
    }

    /// Whether a message's authority is the chain's. That it has signed is checked elsewhere.
    pub(crate) fn need_authority(&self, authority: &str) -> Result<(), Fault> {
        let sender = self.address(authority)?;
        if sender.as_str() == self.authority {
            return Ok(());
        }
        let holder = if self.authority.is_empty() { "nobody" } else { &self.authority };
        Err(Code::NotAuthority.because(format_args!("{sender} asks, and the authority is {holder}")))
    }

    /// An account of this chain.
    pub(crate) fn address(&self, text: &str) -> Result<Address, Fault> {
        Address::parse(text, &self.prefix)
    }
}

impl Consensus {
    /// What of a chain's first parameters the authority may change later.
    pub(crate) fn of(params: &consensus::Params) -> Self {
        Self {
            block_bytes: params.block.max_bytes,
            block_gas: params.block.max_gas,
            evidence_age_blocks: params.evidence.max_age_num_blocks,
            evidence_age_seconds: params.evidence.max_age_duration.0.as_secs(),
            evidence_bytes: params.evidence.max_bytes,
            extensions_from: params.abci.vote_extensions_enable_height.map_or(0, |height| height.value()),
        }
    }

    /// As the engine hears them.
    pub(crate) fn to_engine(&self) -> consensus::Params {
        let extensions = tendermint::block::Height::try_from(self.extensions_from).ok();
        consensus::Params {
            block: tendermint::block::Size {
                max_bytes: self.block_bytes,
                max_gas: self.block_gas,
                time_iota_ms: tendermint::block::Size::default_time_iota_ms(),
            },
            evidence: tendermint::evidence::Params {
                max_age_num_blocks: self.evidence_age_blocks,
                max_age_duration: tendermint::evidence::Duration(std::time::Duration::from_secs(
                    self.evidence_age_seconds,
                )),
                max_bytes: self.evidence_bytes,
            },
            validator: consensus::params::ValidatorParams {
                pub_key_types: vec![tendermint::public_key::Algorithm::Ed25519],
            },
            // With any change the engine takes its version over from here.
            version: Some(consensus::params::VersionParams { app: APP_VERSION }),
            abci: consensus::params::AbciParams {
                vote_extensions_enable_height: extensions.filter(|height| height.value() > 0),
            },
        }
    }
}

/// Writes the settings; once, in genesis.
pub(crate) fn put_settings(state: &mut impl Write, settings: &Settings) -> Outcome<()> {
    put_json(state, SETTINGS, settings)
}

/// The parameters as they stand, also those that hold from the next block on.
pub(crate) fn params(state: &mut impl Read) -> Outcome<Params> {
    json(state, PARAMS)
}

/// Writes the parameters.
pub(crate) fn put_params(state: &mut impl Write, params: &Params) -> Outcome<()> {
    put_json(state, PARAMS, params)
}

/// The engine's parameters as they stand, also those that hold from the next block on.
pub(crate) fn consensus(state: &mut impl Read) -> Outcome<Consensus> {
    json(state, CONSENSUS)
}

/// Writes the engine's parameters.
pub(crate) fn put_consensus(state: &mut impl Write, consensus: &Consensus) -> Outcome<()> {
    put_json(state, CONSENSUS, consensus)
}

fn json<T: serde::de::DeserializeOwned>(state: &mut impl Read, key: &[u8]) -> Outcome<T> {
    let row = state.get(CHAIN, key)?.unwrap_or_default();
    Ok(serde_json::from_slice(&row).map_err(|_| damaged(CHAIN, key))?)
}

fn put_json(state: &mut impl Write, key: &[u8], value: &impl Serialize) -> Outcome<()> {
    let row = serde_json::to_vec(value).map_err(|e| AppError::Host(e.to_string()))?;
    state.set(CHAIN, key.into(), row)
}

/// An upgrade that is scheduled.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Plan {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// The first block by its rules.
    #[prost(uint64, tag = "2")]
    pub(crate) height: u64,
    #[prost(string, tag = "3")]
    pub(crate) info: String,
}

/// The upgrade that is scheduled, if there is one.
pub(crate) fn plan(state: &mut impl Read) -> Outcome<Option<Plan>> {
    state.row(CHAIN, UPGRADE)
}

/// Schedules an upgrade, or none.
pub(crate) fn put_plan(state: &mut impl Write, plan: Option<&Plan>) -> Outcome<()> {
    match plan {
        Some(plan) => state.put(CHAIN, UPGRADE.into(), plan),
        None => state.remove(CHAIN, UPGRADE),
    }
}

/// The first block by the rules of an upgrade; none if it is not done.
pub(crate) fn upgraded(state: &mut impl Read, name: &str) -> Outcome<Option<u64>> {
    let key = [UPGRADED, name.as_bytes()].concat();
    Ok(Some(state.counter(CHAIN, &key)?).filter(|height| *height > 0))
}

/// Notes that an upgrade is done.
pub(crate) fn put_upgraded(state: &mut impl Write, name: &str, height: u64) -> Outcome<()> {
    state.set(CHAIN, [UPGRADED, name.as_bytes()].concat(), height.to_be_bytes().into())
}

/// Upgrades that are done with their heights, by name.
pub(crate) fn all_upgraded(state: &mut impl Read, limit: usize) -> Outcome<Vec<(String, u64)>> {
    let rows = state.page(CHAIN, &Part::first(UPGRADED.into(), limit))?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let name = key.get(UPGRADED.len()..).map(|name| String::from_utf8_lossy(name).into_owned());
        let height = <[u8; 8]>::try_from(value.as_slice()).map(u64::from_be_bytes).ok();
        name.zip(height).ok_or_else(|| damaged(CHAIN, &key).into())
    };
    rows.into_iter().map(read).collect()
}

/// The time of the latest block, in nanoseconds since the Unix epoch.
pub(crate) fn time(state: &mut impl Read) -> Outcome<u64> {
    state.counter(CHAIN, TIME)
}

/// Notes the time of a block.
pub(crate) fn put_time(state: &mut impl Write, nanos: u64) -> Outcome<()> {
    state.set(CHAIN, TIME.into(), nanos.to_be_bytes().into())
}
