//! `cosmos.bank.v1beta1.Query`.
//!
//! Asked by clients, and by contracts as far as [`FOR_CONTRACTS`] says, so it reads through [`Read`] alone.

use cosmos_sdk_proto::cosmos::{
    bank::v1beta1::{
        DenomOwner, Metadata, Params, QueryAllBalancesRequest, QueryAllBalancesResponse, QueryBalanceRequest,
        QueryBalanceResponse, QueryDenomMetadataRequest, QueryDenomMetadataResponse, QueryDenomOwnersRequest,
        QueryDenomOwnersResponse, QueryDenomsMetadataRequest, QueryDenomsMetadataResponse, QueryParamsResponse,
        QuerySendEnabledResponse, QuerySpendableBalanceByDenomRequest, QuerySpendableBalanceByDenomResponse,
        QuerySpendableBalancesRequest, QuerySpendableBalancesResponse, QuerySupplyOfRequest, QuerySupplyOfResponse,
        QueryTotalSupplyRequest, QueryTotalSupplyResponse,
    },
    base::{
        query::v1beta1::{PageRequest, PageResponse},
        v1beta1::Coin,
    },
};
use serde_json::{Value, json};

use crate::{
    chain::Chain,
    components::{BANK, bank, vesting},
    query::{
        Answered, address, decode, encode,
        page::{page, select},
        status::Status,
        unknown,
    },
    run::Block,
    store::Read,
};

/// What contracts may ask. Lists are not among them: what they cost would be known only when they are made.
pub(super) const FOR_CONTRACTS: [&str; 5] =
    ["Balance", "SpendableBalanceByDenom", "SupplyOf", "DenomMetadata", "Params"];

pub(super) fn answer(state: &mut impl Read, chain: &Chain, block: Block, method: &str, data: &[u8]) -> Answered {
    match method {
        "Balance" => {
            let QueryBalanceRequest { address: of, denom } = decode(data)?;
            let address = address(chain, "address", &of)?;
            check_denom(&denom)?;
            let amount = bank::balance(state, &address, &denom)?;
            encode(&QueryBalanceResponse { balance: Some(coin(denom, amount)) })
        }
        "AllBalances" => {
            let QueryAllBalancesRequest { address: of, pagination, .. } = decode(data)?;
            let prefix = bank::balances_prefix(&address(chain, "address", &of)?);
            let (balances, pagination) = coins(state, prefix, pagination)?;
            encode(&QueryAllBalancesResponse { balances, pagination: Some(pagination) })
        }
        "SpendableBalances" => {
            let QuerySpendableBalancesRequest { address: of, pagination } = decode(data)?;
            let address = address(chain, "address", &of)?;
            let (balances, pagination) = coins(state, bank::balances_prefix(&address), pagination)?;
            let balances = unlocked(state, block, &address, balances)?;
            encode(&QuerySpendableBalancesResponse { balances, pagination: Some(pagination) })
        }
        "SpendableBalanceByDenom" => {
            let QuerySpendableBalanceByDenomRequest { address: of, denom } = decode(data)?;
            let address = address(chain, "address", &of)?;
            check_denom(&denom)?;
            let amount = bank::balance(state, &address, &denom)?;
            let balance = unlocked(state, block, &address, vec![coin(denom, amount)])?.pop();
            encode(&QuerySpendableBalanceByDenomResponse { balance })
        }
        "TotalSupply" => {
            let QueryTotalSupplyRequest { pagination } = decode(data)?;
            let (supply, pagination) = coins(state, bank::supplies_prefix(), pagination)?;
            encode(&QueryTotalSupplyResponse { supply, pagination: Some(pagination) })
        }
        "SupplyOf" => {
            let QuerySupplyOfRequest { denom } = decode(data)?;
            check_denom(&denom)?;
            let amount = bank::supply(state, &denom)?;
            encode(&QuerySupplyOfResponse { amount: Some(coin(denom, amount)) })
        }
        "DenomMetadata" | "DenomMetadataByQueryString" => {
            let QueryDenomMetadataRequest { denom } = decode(data)?;
            check_denom(&denom)?;
            let metadata = bank::metadata(state, &chain.denom, &denom)?;
            let metadata = metadata.ok_or_else(|| Status::NotFound(format!("client metadata for denom {denom}")))?;
            encode(&QueryDenomMetadataResponse { metadata: Some(metadata) })
        }
        "DenomsMetadata" => {
            let QueryDenomsMetadataRequest { pagination } = decode(data)?;
            let (metadatas, pagination) = metadata_page(state, &chain.denom, pagination)?;
            encode(&QueryDenomsMetadataResponse { metadatas, pagination: Some(pagination) })
        }
        "DenomOwners" | "DenomOwnersByQuery" => {
            let QueryDenomOwnersRequest { denom, pagination } = decode(data)?;
            check_denom(&denom)?;
            let (denom_owners, pagination) = owners(state, &denom, pagination)?;
            encode(&QueryDenomOwnersResponse { denom_owners, pagination: Some(pagination) })
        }
        // Every coin may be sent, so none is named.
        "SendEnabled" => {
            encode(&QuerySendEnabledResponse { send_enabled: Vec::new(), pagination: Some(PageResponse::default()) })
        }
        "Params" => {
            encode(&QueryParamsResponse { params: Some(Params { default_send_enabled: true, ..Params::default() }) })
        }
        other => Err(unknown(&format!("/cosmos.bank.v1beta1.Query/{other}"))),
    }
}

/// The answer to one of [`FOR_CONTRACTS`] in the SDK's JSON.
pub(super) fn printed(method: &str, answer: &[u8]) -> Result<Value, Status> {
    let coin = |coin: Option<Coin>| coin.map(|coin| json!({ "denom": coin.denom, "amount": coin.amount }));
    Ok(match method {
        // Both answers have the same shape.
        "Balance" | "SpendableBalanceByDenom" => {
            json!({ "balance": coin(decode::<QueryBalanceResponse>(answer)?.balance) })
        }
        "SupplyOf" => json!({ "amount": coin(decode::<QuerySupplyOfResponse>(answer)?.amount) }),
        "DenomMetadata" => {
            let known = decode::<QueryDenomMetadataResponse>(answer)?.metadata.unwrap_or_default();
            let unit = |unit: &cosmos_sdk_proto::cosmos::bank::v1beta1::DenomUnit| json!({ "denom": unit.denom, "exponent": unit.exponent, "aliases": unit.aliases });
            json!({ "metadata": {
                "description": known.description,
                "denom_units": known.denom_units.iter().map(unit).collect::<Vec<_>>(),
                "base": known.base,
                "display": known.display,
                "name": known.name,
                "symbol": known.symbol,
                "uri": known.uri,
                "uri_hash": known.uri_hash,
            } })
        }
        _ => json!({ "params": { "send_enabled": [], "default_send_enabled": true } }),
    })
}

/// What is known of coins, page by page.
pub(crate) fn metadata_page(
    state: &mut impl Read,
    chain_denom: &str,
    pagination: Option<PageRequest>,
) -> Result<(Vec<Metadata>, PageResponse), Status> {
    let begins = pagination.as_ref().is_none_or(|page| page.key.is_empty() && page.offset == 0);
    let (rows, next) = page(state, BANK, bank::metadata_prefix(), pagination)?;
    if rows.is_empty() && begins {
        return Ok((vec![bank::metadata_of(chain_denom)], PageResponse { next_key: Vec::new(), total: 1 }));
    }
    let read = |(key, row): &(Vec<u8>, Vec<u8>)| crate::store::decode(BANK, key, row);
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, next))
}

/// Who has a coin. Rows lie by account, so those of other coins are passed over.
fn owners(
    state: &mut impl Read,
    denom: &str,
    pagination: Option<PageRequest>,
) -> Result<(Vec<DenomOwner>, PageResponse), Status> {
    select(state, BANK, bank::all_balances_prefix(), pagination, |entry| {
        let (owner, of) = bank::owner_of(&entry.0)?;
        if of != denom {
            return Ok(None);
        }
        let address = owner.to_owned();
        let (denom, amount) = bank::row_of(&bank::balances_prefix(&address), &entry)?;
        Ok(Some(DenomOwner { address, balance: Some(coin(denom, amount)) }))
    })
}

fn coins(
    state: &mut impl Read,
    prefix: Vec<u8>,
    pagination: Option<PageRequest>,
) -> Result<(Vec<Coin>, PageResponse), Status> {
    let (rows, next) = page(state, BANK, prefix.clone(), pagination)?;
    let mut coins = Vec::with_capacity(rows.len());
    for row in &rows {
        let (denom, amount) = bank::row_of(&prefix, row)?;
        coins.push(coin(denom, amount));
    }
    Ok((coins, next))
}

/// What of these coins an account can spend. Where it has less of any coin than is locked, that is nothing at all (SDK
/// `x/bank/keeper`, `spendableCoins`).
fn unlocked(state: &mut impl Read, block: Block, address: &str, mut coins: Vec<Coin>) -> Result<Vec<Coin>, Status> {
    let Some(vesting) = vesting::get(state, address)? else { return Ok(coins) };
    let now = block.seconds();
    let short = vesting.exceeds(now, |denom| bank::stored(state, address, denom))?;
    for coin in &mut coins {
        let held = bank::balance(state, address, &coin.denom)?;
        let spendable = if short { 0 } else { held.saturating_sub(vesting.locked(&coin.denom, now)) };
        coin.amount = spendable.to_string();
    }
    Ok(coins)
}

fn check_denom(denom: &str) -> Result<(), Status> {
    match aceso_types::genesis::is_denom(denom) {
        true => Ok(()),
        false => Err(Status::Invalid(format!("invalid denom: {}", denom.chars().take(128).collect::<String>()))),
    }
}

fn coin(denom: String, amount: u128) -> Coin {
    Coin { denom, amount: amount.to_string() }
}
