//! A state as the genesis of a chain that goes on with it, and back.
//!
//! Every row of every component goes out as it is, and comes in as it is: nothing has to be told apart, so nothing can be
//! forgotten. What the genesis file says beside the rows (name, authority, parameters, validators) is written over them;
//! where it was not changed that changes nothing, and the app hash of the new chain before its first block is that of the
//! old one, but for what [`Export`] says. The chain goes on with the height after the exported one, since rows name
//! heights: terms of blobs, deadlines, receipts.

use std::cell::RefCell;

use aceso_state::{Delta, Order, Snapshot};
use aceso_types::{
    exported::{Key, Row, State},
    genesis::{Genesis, GenesisError},
};
use cosmos_sdk_proto::cosmos::auth::v1beta1::BaseAccount;
use prost::Message as _;
use serde::{Serialize, Serializer, ser::Error as _};
use tendermint::{AppHash, Time, consensus, v0_38::abci::request::InitChain, validator};

use crate::{
    app::{halted, hash_of},
    chain::{self, Chain},
    components::{ACCOUNTS, COMPONENTS, accounts, validators},
    error::{AppError, Outcome},
    store::{Bare, View},
};

/// What of a height goes into a genesis file. Beside the rows as they are it has the table of validators that the
/// authority has decided as the one that signs from the first height on, and vote extensions from that height on.
pub struct Export {
    /// The height, under the rows that do not stay as they are.
    state: Delta,
    /// The chain's name.
    pub chain_id: String,
    /// The first height of the chain that goes on.
    pub initial_height: u64,
    /// The time of the exported height.
    pub time: Time,
    /// The engine's parameters.
    pub consensus: consensus::Params,
    /// The validators with their powers, by consensus key.
    pub validators: Vec<validator::Info>,
    /// The app hash that the new chain begins with.
    pub app_hash: AppHash,
    genesis: Genesis,
}

impl Export {
    /// Reads a height; `chain_id` is the name of the chain that goes on, if it is to have another one.
    pub(crate) fn new(snapshot: Snapshot, chain_id: Option<String>) -> Result<Self, AppError> {
        Self::read(snapshot, chain_id).map_err(halted)
    }

    fn read(snapshot: Snapshot, chain_id: Option<String>) -> Outcome<Self> {
        let nothing = AppError::Order("there is no chain in this state");
        let initial_height = snapshot.version().saturating_add(1);
        let state = &mut View(snapshot.clone());
        let Some(mut chain) = Chain::load(state)?.map(|chain| Chain::clone(&chain)) else { return Err(nothing.into()) };
        chain.id = chain_id.unwrap_or(chain.id);
        chain.consensus.extensions_from = initial_height;
        let table = validators::decided(state)?;
        let mut delta = Delta::new(snapshot.clone());
        write_settings(&mut delta, &chain)?;
        validators::take_over(&mut Bare(&mut delta), initial_height, &table)?;
        let proof_spec = aceso_state::proof_spec_json();
        let proof_spec = serde_json::from_str(&proof_spec).map_err(|e| AppError::Host(e.to_string()))?;
        let genesis = Genesis {
            prefix: chain.prefix,
            denom: chain.denom,
            balances: Vec::new(),
            denom_metadata: vec![],
            vesting: vec![],
            codes: vec![],
            attesters: Vec::new(),
            authority: chain.authority,
            params: chain.params,
            contracts: Vec::new(),
            proof_spec,
            state: None,
        };
        let time = i64::try_from(chain::time(state)?).unwrap_or(i64::MAX);
        let split = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
        let nanos = u32::try_from(split.1).unwrap_or_default();
        let time = Time::from_unix_timestamp(split.0, nanos).map_err(|e| AppError::Host(e.to_string()))?;
        Ok(Self {
            app_hash: hash_of(&snapshot.root_with(&delta.clone().into_changes())?),
            chain_id: chain.id,
            initial_height,
            time,
            consensus: chain.consensus.to_engine(),
            validators: validators::infos(&table)?,
            state: delta,
            genesis,
        })
    }

    /// The `app_state`, to be written while it is read: at no time more than a row of it is in memory.
    pub fn app_state(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct AppState<'a> {
            #[serde(flatten)]
            genesis: &'a Genesis,
            state: Rows<'a>,
        }
        #[derive(Serialize)]
        struct Rows<'a> {
            height: u64,
            app_hash: String,
            components: Vec<Component<'a>>,
        }
        let components = COMPONENTS.iter().map(|name| Component { name, export: self }).collect();
        let app_hash = hex::encode_upper(self.app_hash.as_bytes());
        let state = Rows { height: self.state.base().version(), app_hash, components };
        AppState { genesis: &self.genesis, state }
    }
}

/// A component's rows, read while they are written.
struct Component<'a> {
    name: &'static str,
    export: &'a Export,
}

impl Serialize for Component<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            name: &'a str,
            rows: Listed<'a>,
        }
        struct Listed<'a>(&'a Component<'a>);
        impl Serialize for Listed<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let failed = RefCell::new(None);
                let entries = self.0.export.state.range(self.0.name, None, None, Order::Ascending);
                let rows = entries.map_while(|entry| match entry {
                    Ok((key, value)) => Some(Row(Key(key), value)),
                    Err(error) => {
                        failed.replace(Some(error));
                        None
                    }
                });
                let done = serializer.collect_seq(rows)?;
                match failed.into_inner() {
                    Some(error) => Err(S::Error::custom(error)),
                    None => Ok(done),
                }
            }
        }
        Named { name: self.name, rows: Listed(self) }.serialize(serializer)
    }
}

/// Settings, parameters and the engine's parameters.
fn write_settings(delta: &mut Delta, chain: &Chain) -> Outcome<()> {
    let state = &mut Bare(delta);
    chain::put_settings(state, &chain.settings())?;
    chain::put_params(state, &chain.params)?;
    chain::put_consensus(state, &chain.consensus)
}

/// Checks what a genesis file says beside the state in it.
pub(crate) fn check(state: &State, request: &InitChain) -> Result<(), GenesisError> {
    let refuse = |field, reason| Err(GenesisError::Field { field, reason });
    let (want, got) = (state.height.saturating_add(1), request.initial_height.value());
    if got != want {
        let reason = format!("the state is that of height {}, so initial_height is {want}, not {got}", state.height);
        return refuse("state.height", reason);
    }
    let hash = hex::decode(&state.app_hash).ok().filter(|hash| [0, 32].contains(&hash.len()));
    if hash.is_none() {
        return refuse("state.app_hash", format!("{:?} is not 64 hexadecimal digits, nor empty", state.app_hash));
    }
    match state.components.iter().find(|component| !COMPONENTS.contains(&component.name.as_str())) {
        Some(other) => {
            let reason = format!("there is no {:?}; those of this binary are {}", other.name, COMPONENTS.join(", "));
            refuse("state.components", reason)
        }
        None => Ok(()),
    }
}

/// Writes the rows of a state, as they are.
pub(crate) fn write_rows(state: &State, delta: &mut Delta) -> Result<(), AppError> {
    for component in &state.components {
        let Some(name) = COMPONENTS.iter().find(|name| **name == component.name) else { continue };
        for Row(Key(key), value) in &component.rows {
            delta
                .set(name, key.clone(), value.clone())
                .map_err(|error| GenesisError::Field { field: "state.components", reason: error.to_string() })?;
        }
    }
    Ok(())
}

/// Makes the rows by which accounts are found by their numbers, where a state has none: releases before those rows have
/// exported none. They change the app hash, so that has to be left open.
pub(crate) fn number_accounts(state: &State, delta: &mut Delta) -> Outcome<()> {
    let first = accounts::rows();
    let rows = state.components.iter().filter(|one| one.name == ACCOUNTS).flat_map(|one| &one.rows);
    // A row that does not decode is found by the app hash.
    let all = rows.filter(|Row(Key(key), _)| key.starts_with(&first));
    let all = all.filter_map(|Row(_, value)| BaseAccount::decode(value.as_slice()).ok());
    let mut missing = Vec::new();
    for account in all {
        if accounts::address_of(&mut Bare(delta), account.account_number)?.is_none() {
            missing.push(account);
        }
    }
    if !missing.is_empty() && !state.app_hash.is_empty() {
        let reason = format!(
            "{} accounts have no row of their number, so the file is of a release that had none; make state.app_hash \
             empty, and the rows are made",
            missing.len()
        );
        return Err(AppError::from(GenesisError::Field { field: "state.components", reason }).into());
    }
    missing.iter().try_for_each(|one| accounts::number(&mut Bare(delta), one.account_number, &one.address))
}

/// Whether the state is the one that was exported.
pub(crate) fn check_root(state: &State, root: &[u8; 32]) -> Result<(), GenesisError> {
    let got = hex::encode_upper(root);
    if state.app_hash.is_empty() || state.app_hash.eq_ignore_ascii_case(&got) {
        return Ok(());
    }
    let reason = format!(
        "the file says {} and makes {got}: it was cut or changed; make it empty if that was meant",
        state.app_hash
    );
    Err(GenesisError::Field { field: "state.app_hash", reason })
}
