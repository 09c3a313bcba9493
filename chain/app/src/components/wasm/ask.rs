//! Questions that contracts ask the chain.
//!
//! Kinds that this chain does not know are answered with `SystemError::UnsupportedRequest`; an error behind a known
//! kind is told in the words of the contract that was asked, else by codespace and number, as in wasmd's
//! `query_plugins.go`.

use aceso_state::Order as StateOrder;
use aceso_types::guest::AcesoQuery;
use cosmwasm_std::{
    Addr, AllDenomMetadataResponse, BalanceResponse, BankQuery, Binary, Checksum, CodeInfoResponse, Coin,
    ContractInfoResponse, ContractResult, DenomMetadata, DenomMetadataResponse, DenomUnit, GrpcQuery, Order,
    QueryRequest, RawRangeResponse, SupplyResponse, SystemError, SystemResult, WasmQuery, coin,
};
use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    components::{
        BANK, WASM, bank, models, reads, sealed,
        wasm::{call::json, code, instance, keys, verbs},
    },
    error::{Outcome, Stop},
    query,
    run::Run,
    store::{Part, Range, Read, prefix_end},
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

/// What a contract hears.
type Heard = SystemResult<ContractResult<Binary>>;

/// Answers the JSON of a `QueryRequest`. Only out of gas and failures of this machine are errors.
pub(super) fn answer(run: &mut Run<'_>, request: &[u8]) -> Outcome<Heard> {
    let invalid =
        |error: String| Ok(SystemResult::Err(SystemError::InvalidRequest { error, request: Binary::from(request) }));
    let value: serde_json::Value = match serde_json::from_slice(request) {
        Ok(value) => value,
        Err(e) => return invalid(e.to_string()),
    };
    let kind = value.as_object().and_then(|map| map.keys().next()).map_or("", String::as_str);
    if !matches!(kind, "bank" | "custom" | "wasm" | "grpc") {
        return Ok(unsupported(kind));
    }
    let answered = match value.get("bank").map(OldBankQuery::deserialize) {
        Some(Ok(OldBankQuery::AllBalances { address })) => all_balances(run, &address),
        _ => match serde_json::from_value::<QueryRequest<AcesoQuery>>(value) {
            Ok(QueryRequest::Bank(query)) => bank(run, query),
            Ok(QueryRequest::Custom(query)) => custom(run, query),
            Ok(QueryRequest::Wasm(query)) => wasm(run, query),
            Ok(QueryRequest::Grpc(query)) => grpc(run, &query),
            Ok(_) => return Ok(unsupported("query")),
            Err(e) => return invalid(e.to_string()),
        },
    };
    match answered {
        Ok(heard) => Ok(heard),
        Err(Stop::Refused(fault)) if fault.code != Code::OutOfGas => {
            Ok(SystemResult::Ok(ContractResult::Err(fault.told())))
        }
        Err(stop) => Err(stop),
    }
}

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
        BankQuery::DenomMetadata { denom } if denom == run.chain.denom => {
            ok(&DenomMetadataResponse::new(metadata(&denom)))
        }
        BankQuery::DenomMetadata { denom } => Err(Code::KeyNotFound
            .because(format_args!("metadata of {}", denom.chars().take(128).collect::<String>()))
            .into()),
        // There is one coin that anything is known of, so pages do not matter.
        BankQuery::AllDenomMetadata { .. } => {
            ok(&AllDenomMetadataResponse::new(vec![metadata(&run.chain.denom)], None))
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

fn metadata(denom: &str) -> DenomMetadata {
    let known = bank::metadata(denom);
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
            match verbs::smart(run, &address, &msg) {
                Ok(data) => Ok(SystemResult::Ok(ContractResult::Ok(data.into()))),
                Err(stop) => no_such(stop, contract_addr, 0),
            }
        }
        WasmQuery::Raw { contract_addr, key } => {
            let address = run.chain.address(&contract_addr)?;
            if let Err(stop) = instance::need(run, &address) {
                return no_such(stop, contract_addr, 0);
            }
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
                    let admin = (!info.admin.is_empty()).then(|| Addr::unchecked(info.admin));
                    let creator = Addr::unchecked(info.creator);
                    ok(&ContractInfoResponse::new(info.code_id, creator, admin, false, None, None))
                }
                Err(stop) => no_such(stop, contract_addr, 0),
            }
        }
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

/// Our own queries, by the path under which clients ask them.
fn grpc(run: &mut Run<'_>, query: &GrpcQuery) -> Outcome<Heard> {
    let (height, path, data) = (run.block.height.0, query.path.as_str(), query.data.as_slice());
    match query::ours::answer(run, height, path, data) {
        Some(answered) => Ok(SystemResult::Ok(ContractResult::Ok(answered.map_err(Stop::from)?.into()))),
        None => Ok(unsupported(path)),
    }
}
