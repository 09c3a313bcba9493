//! What every part of the application has to know about the chain it runs: its name, its coin, its limits.

use std::sync::Arc;

use aceso_types::genesis::Params;
use serde::{Deserialize, Serialize};

use crate::{
    address::Address,
    code::Fault,
    components::CHAIN,
    error::{AppError, Outcome},
    store::{Read, Write, damaged},
};

/// `settings`
const SETTINGS: &[u8] = b"settings";
/// `params`
const PARAMS: &[u8] = b"params";
/// `time`: the latest block's time in nanoseconds since the Unix epoch, as a big-endian number.
const TIME: &[u8] = b"time";

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
    /// Where fees go.
    pub(crate) fee_collector: Address,
}

/// What of it is settled in genesis. Stored in JSON, as the genesis is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) chain_id: String,
    pub(crate) prefix: String,
    pub(crate) denom: String,
    pub(crate) authority: String,
    pub(crate) block_gas: Option<u64>,
    pub(crate) block_bytes: u64,
}

impl Chain {
    pub(crate) fn new(settings: Settings, params: Params) -> Result<Self, Fault> {
        let Settings { chain_id, prefix, denom, authority, block_gas, block_bytes } = settings;
        let fee_collector = Address::of_module("fee_collector", &prefix)?;
        Ok(Self { id: chain_id, prefix, denom, authority, block_gas, block_bytes, params, fee_collector })
    }

    /// Reads it from the state; none before the genesis.
    pub(crate) fn load(state: &mut impl Read) -> Outcome<Option<Arc<Self>>> {
        let Some(settings) = state.get(CHAIN, SETTINGS)? else { return Ok(None) };
        let settings = serde_json::from_slice(&settings).map_err(|_| damaged(CHAIN, SETTINGS))?;
        let params = state.get(CHAIN, PARAMS)?.unwrap_or_default();
        let params = serde_json::from_slice(&params).map_err(|_| damaged(CHAIN, PARAMS))?;
        Ok(Some(Arc::new(Self::new(settings, params)?)))
    }

    /// An account of this chain.
    pub(crate) fn address(&self, text: &str) -> Result<Address, Fault> {
        Address::parse(text, &self.prefix)
    }
}

/// Writes the settings; once, in genesis.
pub(crate) fn put_settings(state: &mut impl Write, settings: &Settings, params: &Params) -> Outcome<()> {
    let json = |value: serde_json::Result<Vec<u8>>| value.map_err(|e| AppError::Host(e.to_string()));
    state.set(CHAIN, SETTINGS.into(), json(serde_json::to_vec(settings))?)?;
    state.set(CHAIN, PARAMS.into(), json(serde_json::to_vec(params))?)
}

/// The time of the latest block, in nanoseconds since the Unix epoch.
pub(crate) fn time(state: &mut impl Read) -> Outcome<u64> {
    state.counter(CHAIN, TIME)
}

/// Notes the time of a block.
pub(crate) fn put_time(state: &mut impl Write, nanos: u64) -> Outcome<()> {
    state.set(CHAIN, TIME.into(), nanos.to_be_bytes().into())
}
