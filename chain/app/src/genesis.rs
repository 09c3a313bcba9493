//! The first rows of the state, from CometBFT's genesis.

use aceso_types::genesis::{Genesis, GenesisError};
use tendermint::{PublicKey, v0_38::abci::request::InitChain};

use crate::{
    address::Address,
    chain::{self, Settings},
    code::Fault,
    components::{bank, validators},
    error::{AppError, Outcome, Stop},
    store::Write,
    tx::decode::TX_BYTES_MAX,
};

/// What a chain starts from, checked.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) height: u64,
    nanos: u64,
    settings: Settings,
    genesis: Genesis,
    powers: Vec<(Vec<u8>, u64)>,
}

impl Start {
    /// Reads and checks an `InitChain`.
    pub(crate) fn new(request: &InitChain) -> Result<Self, AppError> {
        let genesis = Genesis::decode(&request.app_state_bytes)?;
        let ours = aceso_state::proof_spec_json();
        if serde_json::from_str::<serde_json::Value>(&ours).ok().as_ref() != Some(&genesis.proof_spec) {
            let reason = format!("{} is not the specification of this state, {ours}", genesis.proof_spec);
            return Err(GenesisError::Field { field: "proof_spec", reason }.into());
        }
        let powers = request.validators.iter().map(|update| match update.pub_key {
            PublicKey::Ed25519(key) => Ok((key.as_bytes().to_vec(), update.power.value())),
            _ => {
                let reason = "a consensus key is not ed25519".into();
                Err(AppError::from(GenesisError::Field { field: "validators", reason }))
            }
        });
        let block = &request.consensus_params.block;
        let settings = Settings {
            chain_id: request.chain_id.clone(),
            prefix: genesis.prefix.clone(),
            denom: genesis.denom.clone(),
            authority: genesis.authority.clone(),
            block_gas: u64::try_from(block.max_gas).ok().filter(|gas| *gas > 0),
            block_bytes: block.max_bytes.min(TX_BYTES_MAX as u64),
        };
        Ok(Self {
            height: request.initial_height.value().max(1),
            nanos: nanos(request.time),
            settings,
            powers: powers.collect::<Result<_, _>>()?,
            genesis,
        })
    }

    /// Writes the first rows.
    pub(crate) fn write(&self, state: &mut impl Write) -> Result<(), AppError> {
        self.rows(state).map_err(|stop| match stop {
            Stop::Halt(error) => *error,
            Stop::Refused(fault) => field("balances", fault),
        })
    }

    fn rows(&self, state: &mut impl Write) -> Outcome<()> {
        let genesis = &self.genesis;
        if !genesis.authority.is_empty() {
            Address::parse(&genesis.authority, &genesis.prefix).map_err(|fault| field("authority", fault))?;
        }
        chain::put_settings(state, &self.settings, &genesis.params)?;
        chain::put_time(state, self.nanos)?;
        for balance in &genesis.balances {
            let address = Address::parse(&balance.address, &genesis.prefix)?;
            crate::components::accounts::ensure(state, &address)?;
            for coin in &balance.coins {
                // Checked when the genesis was decoded.
                let amount = coin.amount.parse::<u128>().unwrap_or_default();
                bank::mint(state, &address, &coin.denom, amount)?;
            }
        }
        validators::found(state, &self.powers, &genesis.attesters)
    }
}

fn field(field: &'static str, fault: Fault) -> AppError {
    GenesisError::Field { field, reason: fault.text }.into()
}

/// Nanoseconds since the Unix epoch; a time before it is the epoch.
pub(crate) fn nanos(time: tendermint::Time) -> u64 {
    u64::try_from(time.unix_timestamp_nanos()).unwrap_or_default()
}
