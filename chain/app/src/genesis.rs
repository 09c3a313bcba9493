//! The first rows of the state, from CometBFT's genesis.
//!
//! Settings, parameters, coins and validators come first, then the contracts that are there from the start. They are
//! stored and made as transactions would, by the module account `genesis`, so that one of them can be the authority.
//! A genesis with a state in it ([`crate::export`]) has all of that in its rows.

use std::sync::Arc;

use aceso_state::Delta;
use aceso_types::{
    Height,
    genesis::{Genesis, GenesisCode, GenesisContract, GenesisError},
    metadata::DenomMetadata,
    vesting::VestingAccount,
};
use cosmos_sdk_proto::{
    cosmos::bank::v1beta1::{DenomUnit, Metadata},
    cosmwasm::wasm::v1::MsgInstantiateContract2,
};
use tendermint::{PublicKey, v0_38::abci::request::InitChain};

use crate::{
    address::{self, Address},
    chain::{self, Chain, Consensus, Settings},
    code::{Code, Fault},
    components::{
        accounts, bank, blobs, sealed, validators,
        vesting::{self, Vesting},
        wasm,
    },
    error::{AppError, Outcome, Stop},
    export,
    gas::Meter,
    host::{Host, on_deep_stack},
    run::{Block, Mode, Run},
    store::{Bare, Write},
    tx::{journal, msg},
    upgrade::{self, Upgrade},
};

/// SDK gas that the contracts of a genesis may use, each.
const GAS_MAX: u64 = 1_000_000_000;
/// A contract that is its own admin says so.
const ITSELF: &str = "self";
/// Bytes of a contract's address; those of accounts have 20.
const CONTRACT_BYTES: usize = 32;

/// What a chain starts from, checked.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) height: u64,
    nanos: u64,
    settings: Settings,
    consensus: Consensus,
    genesis: Genesis,
    powers: Vec<(Vec<u8>, u64)>,
}

impl Start {
    /// Reads and checks an `InitChain`.
    pub(crate) fn new(request: &InitChain) -> Result<Self, AppError> {
        let mut genesis = Genesis::decode(&request.app_state_bytes)?;
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
        if let Some(state) = &genesis.state {
            export::check(state, request)?;
        }
        if !genesis.authority.is_empty() {
            let authority = Address::parse(&genesis.authority, &genesis.prefix);
            genesis.authority = authority.map_err(|fault| field("authority", fault))?.into();
        }
        let settings = Settings {
            chain_id: request.chain_id.clone(),
            prefix: genesis.prefix.clone(),
            denom: genesis.denom.clone(),
            authority: genesis.authority.clone(),
        };
        Ok(Self {
            height: request.initial_height.value().max(1),
            nanos: nanos(request.time),
            settings,
            consensus: Consensus::of(&request.consensus_params),
            powers: powers.collect::<Result<_, _>>()?,
            genesis,
        })
    }

    /// Writes the first rows.
    pub(crate) fn write(&self, host: &Host, known: &[Upgrade], delta: &mut Delta) -> Result<(), AppError> {
        let said = |field_name: &'static str| {
            move |stop| match stop {
                Stop::Halt(error) => *error,
                Stop::Refused(fault) => field(field_name, fault),
            }
        };
        if let Some(state) = &self.genesis.state {
            export::write_rows(state, delta)?;
            export::number_accounts(state, delta).map_err(said("state"))?;
            upgrade::check_start(&mut Bare(delta), state.height, known)?;
            return self.take_over(&mut Bare(delta)).map_err(said("validators"));
        }
        self.rows(&mut Bare(delta), known).map_err(said("balances"))?;
        if self.genesis.codes.is_empty() && self.genesis.contracts.is_empty() && !self.is_for_a_contract() {
            return Ok(());
        }
        on_deep_stack(|| self.contracts(host, delta))?.map_err(said("contracts"))
    }

    fn rows(&self, state: &mut impl Write, known: &[Upgrade]) -> Outcome<()> {
        let genesis = &self.genesis;
        chain::put_settings(state, &self.settings)?;
        chain::put_params(state, &genesis.params)?;
        chain::put_consensus(state, &self.consensus)?;
        chain::put_time(state, self.nanos)?;
        upgrade::found(state, self.height, known)?;
        for balance in &genesis.balances {
            let address = Address::parse(&balance.address, &genesis.prefix)?;
            accounts::ensure(state, &address)?;
            for coin in &balance.coins {
                // Checked when the genesis was decoded.
                let amount = coin.amount.parse::<u128>().unwrap_or_default();
                bank::mint(state, &address, &coin.denom, amount)?;
            }
        }
        if !genesis.denom_metadata.is_empty() {
            // Whoever lists them finds the chain's coin among them.
            bank::put_metadata(state, &bank::metadata_of(&genesis.denom))?;
        }
        for known in &genesis.denom_metadata {
            bank::put_metadata(state, &named(known))?;
        }
        for account in &genesis.vesting {
            let address = Address::parse(&account.base().base_account.address, &genesis.prefix)?;
            vest(state, &address, account).map_err(|stop| stop.within(&address))?;
        }
        validators::found(state, self.height, &self.powers, &genesis.attesters, &genesis.params, &genesis.prefix)
    }

    /// Writes what the genesis file says beside a state over its rows.
    fn take_over(&self, state: &mut impl Write) -> Outcome<()> {
        let genesis = &self.genesis;
        chain::put_settings(state, &self.settings)?;
        chain::put_params(state, &genesis.params)?;
        chain::put_consensus(state, &self.consensus)?;
        let table = validators::decided(state)?;
        let same = |(key, power): &(Vec<u8>, u64)| table.find(key).is_some_and(|member| member.power == *power);
        if genesis.attesters.is_empty() && self.powers.len() == table.members.len() && self.powers.iter().all(same) {
            return validators::take_over(state, self.height, &table);
        }
        validators::forget_signing(state)?;
        validators::found(state, self.height, &self.powers, &genesis.attesters, &genesis.params, &genesis.prefix)?;
        sealed::roots::look_again(state)?;
        // Those who said that they hold blobs may have no say any more.
        blobs::begin_sweep(state)
    }

    /// Checks the first root of a chain that goes on with another one's state.
    pub(crate) fn check_root(&self, root: &[u8; 32]) -> Result<(), AppError> {
        match &self.genesis.state {
            Some(state) => Ok(export::check_root(state, root)?),
            None => Ok(()),
        }
    }

    /// Whether the authority is a contract, which then must be one of those that are made here.
    fn is_for_a_contract(&self) -> bool {
        let authority = Address::parse(&self.genesis.authority, &self.genesis.prefix);
        authority.is_ok_and(|address| address.bytes().len() == CONTRACT_BYTES)
    }

    fn contracts(&self, host: &Host, delta: &mut Delta) -> Outcome<()> {
        // Written just before.
        let Some(chain) = Chain::load(&mut Bare(delta))? else { return Ok(()) };
        let block = Block { height: Height(self.height), nanos: self.nanos };
        for (place, code) in self.genesis.codes.iter().enumerate() {
            let mut run = Run::new(host, chain.clone(), block, Mode::Deliver, delta, Meter::new(GAS_MAX));
            let stored = run.frame(|run| store(run, &chain, code));
            stored.map_err(|stop| stop.within(format_args!("code {}", place + 1)))?;
        }
        for contract in &self.genesis.contracts {
            let mut run = Run::new(host, chain.clone(), block, Mode::Deliver, delta, Meter::new(GAS_MAX));
            run.frame(|run| make(run, &chain, contract)).map_err(|stop| stop.within(&contract.label))?;
            journal::write(&mut run)?;
        }
        if self.is_for_a_contract() {
            let authority = chain.address(&chain.authority)?;
            if wasm::contract(&mut Bare(delta), &authority)?.is_none() {
                let reason = format!("{authority} is none of the contracts that are there from the start");
                return Err(AppError::from(GenesisError::Field { field: "authority", reason }).into());
            }
        }
        Ok(())
    }
}

/// Notes that an account vests. It has what vests already.
fn vest(state: &mut impl Write, address: &Address, account: &VestingAccount) -> Outcome<()> {
    let vesting = Vesting::of_genesis(account)?;
    if vesting::get(state, address.as_str())?.is_some() {
        return Err(Code::InvalidRequest.because("an account vests twice").into());
    }
    for coin in &account.base().original_vesting {
        let (held, denom) = (bank::stored(state, address.as_str(), &coin.denom)?, &coin.denom);
        // Checked just before.
        if coin.amount.parse::<u128>().is_ok_and(|amount| amount > held) {
            let words = format_args!("vesting amount {}{denom} cannot be greater than {held}{denom}", coin.amount);
            return Err(Code::InvalidRequest.because(words).into());
        }
    }
    vesting::put(state, address.as_str(), &vesting)
}

/// What a genesis says of a coin, as it is stored and shown.
fn named(known: &DenomMetadata) -> Metadata {
    let unit = |unit: &aceso_types::metadata::DenomUnit| DenomUnit {
        denom: unit.denom.clone(),
        exponent: unit.exponent,
        aliases: unit.aliases.clone(),
    };
    let DenomMetadata { description, denom_units, base, display, name, symbol, uri, uri_hash } = known.clone();
    let denom_units = denom_units.iter().map(unit).collect();
    Metadata { description, denom_units, base, display, name, symbol, uri, uri_hash }
}

/// Stores a code.
fn store(run: &mut Run<'_>, chain: &Arc<Chain>, code: &GenesisCode) -> Outcome<()> {
    let creator = Address::of_module(address::GENESIS, &chain.prefix)?;
    accounts::ensure(run, &creator)?;
    let permission = code.instantiate_permission.as_ref().map(wasm::access::wire);
    if let Some(permission) = &permission {
        msg::access(permission, &chain.prefix)?;
    }
    let stored = wasm::store_as(run, &creator, &code.code, permission)?;
    if code.pinned { wasm::set_pinned(run, stored.code_id, true) } else { Ok(()) }
}

/// Makes a contract, of a code of its own or of one that was stored.
fn make(run: &mut Run<'_>, chain: &Arc<Chain>, contract: &GenesisContract) -> Outcome<()> {
    let creator = Address::of_module(address::GENESIS, &chain.prefix)?;
    accounts::ensure(run, &creator)?;
    let (code_id, checksum) = match contract.code_id {
        0 => {
            let stored = wasm::store_as(run, &creator, &contract.code, None)?;
            (stored.code_id, stored.checksum)
        }
        id => {
            let row = wasm::code_row(run, id)?;
            (id, row.ok_or_else(|| Code::NoSuchCode.because(format_args!("code id {id}")))?.checksum)
        }
    };
    let salt = contract.salt.as_bytes();
    let admin = match contract.admin.as_str() {
        ITSELF => Address::of_salt(&checksum, &creator.bytes(), salt, &[], &chain.prefix)?.into(),
        admin => admin.to_owned(),
    };
    let making = MsgInstantiateContract2 {
        sender: creator.into(),
        admin,
        code_id,
        label: contract.label.clone(),
        msg: contract.msg.to_string().into_bytes(),
        funds: Vec::new(),
        salt: salt.to_vec(),
        fix_msg: false,
    };
    msg::Msg::Instantiate2(making.clone()).check(&chain.prefix)?;
    wasm::instantiate2_msg(run, &making).map(drop)
}

fn field(field: &'static str, fault: Fault) -> AppError {
    GenesisError::Field { field, reason: fault.text }.into()
}

/// Nanoseconds since the Unix epoch; a time before it is the epoch.
pub(crate) fn nanos(time: tendermint::Time) -> u64 {
    u64::try_from(time.unix_timestamp_nanos()).unwrap_or_default()
}
