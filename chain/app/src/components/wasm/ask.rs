//! Questions that contracts ask the chain.
//!
//! Kinds that this chain does not know are answered with `SystemError::UnsupportedRequest`; an error behind a known
//! kind is told in the words of the contract that was asked, else by codespace and number, as in wasmd's
//! `query_plugins.go`. What is asked of modules that are not here is answered by [`absent`].

use aceso_state::Order as StateOrder;
use aceso_types::guest::AcesoQuery;
use cosmos_sdk_proto::cosmos::{bank::v1beta1::Metadata, base::query::v1beta1::PageRequest};
use cosmwasm_std::{
    Addr, AllDenomMetadataResponse, BalanceResponse, BankQuery, Binary, Checksum, CodeInfoResponse, Coin,
    ContractInfoResponse, ContractResult, DenomMetadata, DenomMetadataResponse, DenomUnit, GrpcQuery, Order,
    RawRangeResponse, SupplyResponse, SystemError, SystemResult, WasmQuery, coin,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    code::Code,
    components::{
        BANK, WASM, bank, models, reads, sealed,
        wasm::{absent, call::json, code, instance, keys, verbs},
    },
    error::{Outcome, Stop},
    query,
    run::Run,
    store::{Part, Range, Read, prefix_end},
    tx::msg,
};

/// Coins of one account that a contract hears of at most.
const COINS_MAX: usize = 256;

/// A question that `cosmwasm-std` 3 has no more, and that contracts compiled before go on asking.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldBankQuery {
    AllBalances { address: String },
}

/// The answer to [`OldBankQuery::AllBalances`].
#[derive(Serialize)]
struct AllBalancesResponse {
    amount: Vec<Coin>,
}

/// A question by its path that is answered in JSON; `grpc` has taken its place in CosmWasm 2.
#[derive(Deserialize)]
struct StargateQuery {
    path: String,
    data: Binary,
}

/// What a contract hears.
type Heard = SystemResult<ContractResult<Binary>>;

/// Answers the JSON of a `QueryRequest`. Only out of gas and failures of this machine are errors.
pub(super) fn answer(run: &mut Run<'_>, request: &[u8]) -> Outcome<Heard> {
    match read(request).and_then(|(kind, asked)| asks(run, &kind, asked)) {
        Ok(Ok(heard)) => Ok(heard),
        Ok(Err(Stop::Refused(fault))) if fault.code != Code::OutOfGas => {
            Ok(SystemResult::Ok(ContractResult::Err(fault.told())))
        }
        Ok(Err(stop)) => Err(stop),
        Err(error) => {
            let (error, request) = (error.to_string(), Binary::from(request));
            Ok(SystemResult::Err(SystemError::InvalidRequest { error, request }))
        }
    }
}

/// The kind of a question, and the question.
fn read(request: &[u8]) -> serde_json::Result<(String, Value)> {
    let map: serde_json::Map<String, Value> = serde_json::from_slice(request)?;
    let mut entries = map.into_iter();
    match (entries.next(), entries.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(serde::de::Error::custom("a question has one kind")),
    }
}

/// Answers a question of a kind. The error outside is that it is none.
fn asks(run: &mut Run<'_>, kind: &str, asked: Value) -> serde_json::Result<Outcome<Heard>> {
    fn of<T: DeserializeOwned>(asked: Value) -> serde_json::Result<T> {
        serde_json::from_value(asked)
    }
    Ok(match kind {
        "bank" => match OldBankQuery::deserialize(&asked) {
            Ok(OldBankQuery::AllBalances { address }) => all_balances(run, &address),
            Err(_) => bank(run, of(asked)?),
        },
        "wasm" => wasm(run, of(asked)?),
        "grpc" => grpc(run, &of(asked)?),
        "stargate" => stargate(run, &of(asked)?),
        "staking" => absent::staking(&run.chain, of(asked)?).map_err(Stop::from).and_then(|answer| ok(&answer)),
        "distribution" => {
            absent::distribution(&run.chain, of(asked)?).map_err(Stop::from).and_then(|answer| ok(&answer))
        }
        "ibc" => ok(&absent::ibc(&of(asked)?)),
        // Whoever asks what another chain knows beside CosmWasm hears that it is unknown here.
        "custom" => of(asked).map_or_else(|_| Ok(unsupported("custom")), |query| custom(run, query)),
        kind => Ok(unsupported(kind)),
    })
}

/// A kind of question that nobody answers.
fn unsupported(kind: &str) -> Heard {
    SystemResult::Err(SystemError::UnsupportedRequest { kind: kind.chars().take(64).collect() })
}

fn ok<T: Serialize>(value: &T) -> Outcome<Heard> {
    Ok(SystemResult::Ok(ContractResult::Ok(json(value)?.into())))
}

fn bank(run: &mut Run<'_>, query: BankQuery) -> Outcome<Heard> {
    match query {
        BankQuery::Balance { address, denom } => {
            let address = run.chain.address(&address)?;
            let amount = bank::balance(run, address.as_str(), &denom)?;
            ok(&BalanceResponse::new(coin(amount, denom)))
        }
        BankQuery::Supply { denom } => {
            let amount = bank::supply(run, &denom)?;
            ok(&SupplyResponse::new(coin(amount, denom)))
        }
        BankQuery::DenomMetadata { denom } => {
            let chain = run.chain.clone();
            let known = bank::metadata(run, &chain.denom, &denom)?;
            // Only what is known is repeated, and then it is a denomination.
            let known = known.ok_or_else(|| Code::NotFound.because("metadata of this denomination"))?;
            ok(&DenomMetadataResponse::new(named(known)))
        }
        BankQuery::AllDenomMetadata { pagination } => {
            let chain = run.chain.clone();
            let pagination = pagination.map(|page| PageRequest {
                key: page.key.map(Into::into).unwrap_or_default(),
                limit: page.limit.into(),
                reverse: page.reverse,
                ..PageRequest::default()
            });
            let (all, next) = query::metadata_page(run, &chain.denom, pagination).map_err(Stop::from)?;
            let next = (!next.next_key.is_empty()).then(|| next.next_key.into());
            ok(&AllDenomMetadataResponse::new(all.into_iter().map(named).collect(), next))
        }
        _ => Ok(unsupported("bank")),
    }
}

fn all_balances(run: &mut Run<'_>, address: &str) -> Outcome<Heard> {
    let address = run.chain.address(address)?;
    let prefix = bank::balances_prefix(address.as_str());
    let rows = run.page(BANK, &Part::first(prefix.clone(), COINS_MAX + 1))?;
    if rows.len() > COINS_MAX {
        return Err(Code::Limit.because(format_args!("{address} has more than {COINS_MAX} coins")).into());
    }
    let mut amount = Vec::with_capacity(rows.len());
    for row in &rows {
        let (denom, stored) = bank::row_of(&prefix, row)?;
        match stored.saturating_sub(run.reserved(address.as_str(), &denom)) {
            0 => {}
            spendable => amount.push(coin(spendable, denom)),
        }
    }
    ok(&AllBalancesResponse { amount })
}

fn named(known: Metadata) -> DenomMetadata {
    let units = known.denom_units.into_iter().map(|unit| DenomUnit {
        denom: unit.denom,
        exponent: unit.exponent,
        aliases: unit.aliases,
    });
    DenomMetadata {
        description: known.description,
        denom_units: units.collect(),
        base: known.base,
        display: known.display,
        name: known.name,
        symbol: known.symbol,
        uri: known.uri,
        uri_hash: known.uri_hash,
    }
}

fn wasm(run: &mut Run<'_>, query: WasmQuery) -> Outcome<Heard> {
    match query {
        WasmQuery::Smart { contract_addr, msg } => {
            let address = run.chain.address(&contract_addr)?;
            msg::json(&msg)?;
            match verbs::smart(run, &address, &msg) {
                Ok(data) => Ok(SystemResult::Ok(ContractResult::Ok(data.into()))),
                Err(stop) => no_such(stop, contract_addr, 0),
            }
        }
        WasmQuery::Raw { contract_addr, key } => {
            // What is no contract has no rows, as in wasmd's `QueryRaw`.
            let address = run.chain.address(&contract_addr)?;
            let value = run.get(WASM, &[keys::state(address.as_str()), key.into()].concat())?;
            Ok(SystemResult::Ok(ContractResult::Ok(value.unwrap_or_default().into())))
        }
        WasmQuery::RawRange { contract_addr, start, end, limit, order } => {
            let prefix = keys::state(run.chain.address(&contract_addr)?.as_str());
            let bound = |key: Binary| [prefix.as_slice(), key.as_slice()].concat();
            let range = Range {
                start: start.map_or_else(|| prefix.clone(), bound),
                end: end.map(bound).or_else(|| prefix_end(&prefix)),
                order: match order {
                    Order::Ascending => StateOrder::Ascending,
                    Order::Descending => StateOrder::Descending,
                },
            };
            // One more says where the next page begins.
            let mut rows = run.range(WASM, range, usize::from(limit) + 1)?;
            let own = |key: Vec<u8>| Binary::from(key.get(prefix.len()..).unwrap_or_default());
            let next = if rows.len() > usize::from(limit) { rows.pop().map(|(key, _)| own(key)) } else { None };
            let data = rows.into_iter().map(|(key, value)| (own(key), value.into()));
            ok(&RawRangeResponse::new(data.collect(), next))
        }
        WasmQuery::ContractInfo { contract_addr } => {
            let address = run.chain.address(&contract_addr)?;
            match instance::need(run, &address) {
                Ok(info) => {
                    let pinned = code::need(run, info.code_id)?.pinned;
                    let admin = (!info.admin.is_empty()).then(|| Addr::unchecked(info.admin));
                    let creator = Addr::unchecked(info.creator);
                    ok(&ContractInfoResponse::new(info.code_id, creator, admin, pinned, None, None))
                }
                Err(stop) => no_such(stop, contract_addr, 0),
            }
        }
        WasmQuery::CodeInfo { code_id: 0 } => Err(Code::Empty.because("code id").into()),
        WasmQuery::CodeInfo { code_id } => match code::need(run, code_id) {
            Ok(row) => {
                let checksum = Checksum::from(row.checksum()?.0);
                ok(&CodeInfoResponse::new(code_id, Addr::unchecked(row.creator), checksum))
            }
            Err(stop) => no_such(stop, String::new(), code_id),
        },
        _ => Ok(unsupported("wasm")),
    }
}

/// What is missing is told in full.
fn no_such(stop: Stop, addr: String, code_id: u64) -> Outcome<Heard> {
    match stop {
        Stop::Refused(fault) if fault.code == Code::NoSuchContract => {
            Ok(SystemResult::Err(SystemError::NoSuchContract { addr }))
        }
        Stop::Refused(fault) if fault.code == Code::NoSuchCode => {
            Ok(SystemResult::Err(SystemError::NoSuchCode { code_id }))
        }
        other => Err(other),
    }
}

fn custom(run: &mut Run<'_>, query: AcesoQuery) -> Outcome<Heard> {
    match query {
        AcesoQuery::Image { image } => ok(&reads::image_info(run, &image)?),
        AcesoQuery::Sealed { owner, image } => ok(&sealed::info(run, &owner, &image)?),
        AcesoQuery::Model { model } => ok(&models::info(run, &model)?),
        AcesoQuery::Uses { guard, grant } => {
            let journal = std::mem::take(&mut run.tx.journal);
            let uses = reads::uses(run, &journal, &guard, &grant);
            run.tx.journal = journal;
            ok(&uses?)
        }
        AcesoQuery::Spent { payer, owner } => {
            let journal = std::mem::take(&mut run.tx.journal);
            let spent = reads::spent(run, &journal, &payer, &owner);
            run.tx.journal = journal;
            ok(&spent?.to_string())
        }
    }
}

/// Questions by the path under which clients ask them, of those that contracts may ask.
fn grpc(run: &mut Run<'_>, query: &GrpcQuery) -> Outcome<Heard> {
    match query::of_contract(run, &query.path, &query.data) {
        Some(answered) => Ok(SystemResult::Ok(ContractResult::Ok(answered.map_err(Stop::from)?.into()))),
        None => Ok(not_allowed(&query.path)),
    }
}

/// The same in JSON, for the SDK's own questions alone: contracts that ask so were compiled before ours were there.
fn stargate(run: &mut Run<'_>, query: &StargateQuery) -> Outcome<Heard> {
    match query::printed(run, &query.path, &query.data) {
        Some(answered) => ok(&answered.map_err(Stop::from)?),
        None => Ok(not_allowed(&query.path)),
    }
}

/// In wasmd's words.
fn not_allowed(path: &str) -> Heard {
    let path: String = path.chars().take(128).collect();
    SystemResult::Err(SystemError::UnsupportedRequest {
        kind: format!("'{path}' path is not allowed from the contract"),
    })
}
