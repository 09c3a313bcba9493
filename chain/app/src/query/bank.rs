//! `cosmos.bank.v1beta1.Query`.

use cosmos_sdk_proto::cosmos::{
    bank::v1beta1::{
        Params, QueryAllBalancesRequest, QueryAllBalancesResponse, QueryBalanceRequest, QueryBalanceResponse,
        QueryDenomMetadataRequest, QueryDenomMetadataResponse, QueryDenomsMetadataResponse, QueryParamsResponse,
        QuerySendEnabledResponse, QuerySpendableBalanceByDenomRequest, QuerySpendableBalanceByDenomResponse,
        QuerySpendableBalancesRequest, QuerySpendableBalancesResponse, QuerySupplyOfRequest, QuerySupplyOfResponse,
        QueryTotalSupplyRequest, QueryTotalSupplyResponse,
    },
    base::{
        query::v1beta1::{PageRequest, PageResponse},
        v1beta1::Coin,
    },
};

use crate::{
    components::{BANK, bank, vesting},
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    let state = &mut asked.view();
    match method {
        "Balance" => {
            let QueryBalanceRequest { address, denom } = decode(data)?;
            let address = asked.address("address", &address)?;
            if !aceso_types::genesis::is_denom(&denom) {
                return Err(Status::Invalid(format!("invalid denom: {denom}")));
            }
            let amount = bank::balance(state, &address, &denom)?;
            encode(&QueryBalanceResponse { balance: Some(coin(denom, amount)) })
        }
        "AllBalances" => {
            let QueryAllBalancesRequest { address, pagination, .. } = decode(data)?;
            let prefix = bank::balances_prefix(&asked.address("address", &address)?);
            let (balances, pagination) = coins(asked, prefix, pagination)?;
            encode(&QueryAllBalancesResponse { balances, pagination: Some(pagination) })
        }
        "SpendableBalances" => {
            let QuerySpendableBalancesRequest { address, pagination } = decode(data)?;
            let address = asked.address("address", &address)?;
            let (balances, pagination) = coins(asked, bank::balances_prefix(&address), pagination)?;
            let balances = unlocked(asked, &address, balances)?;
            encode(&QuerySpendableBalancesResponse { balances, pagination: Some(pagination) })
        }
        "SpendableBalanceByDenom" => {
            let QuerySpendableBalanceByDenomRequest { address, denom } = decode(data)?;
            let address = asked.address("address", &address)?;
            if !aceso_types::genesis::is_denom(&denom) {
                return Err(Status::Invalid(format!("invalid denom: {denom}")));
            }
            let amount = bank::stored(state, &address, &denom)?;
            let balance = unlocked(asked, &address, vec![coin(denom, amount)])?.pop();
            encode(&QuerySpendableBalanceByDenomResponse { balance })
        }
        "TotalSupply" => {
            let QueryTotalSupplyRequest { pagination } = decode(data)?;
            let (supply, pagination) = coins(asked, bank::supplies_prefix(), pagination)?;
            encode(&QueryTotalSupplyResponse { supply, pagination: Some(pagination) })
        }
        "SupplyOf" => {
            let QuerySupplyOfRequest { denom } = decode(data)?;
            let amount = bank::supply(state, &denom)?;
            encode(&QuerySupplyOfResponse { amount: Some(coin(denom, amount)) })
        }
        "DenomMetadata" | "DenomMetadataByQueryString" => {
            let QueryDenomMetadataRequest { denom } = decode(data)?;
            if denom != asked.chain.denom {
                let denom: String = denom.chars().take(128).collect();
                return Err(Status::NotFound(format!("client metadata for denom {denom}")));
            }
            encode(&QueryDenomMetadataResponse { metadata: Some(bank::metadata(&denom)) })
        }
        "DenomsMetadata" => encode(&QueryDenomsMetadataResponse {
            metadatas: vec![bank::metadata(&asked.chain.denom)],
            pagination: Some(PageResponse { next_key: Vec::new(), total: 1 }),
        }),
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

fn coins(
    asked: &Asked<'_>,
    prefix: Vec<u8>,
    pagination: Option<PageRequest>,
) -> Result<(Vec<Coin>, PageResponse), Status> {
    let (rows, next) = page(&mut asked.view(), BANK, prefix.clone(), pagination)?;
    let mut coins = Vec::with_capacity(rows.len());
    for row in &rows {
        let (denom, amount) = bank::row_of(&prefix, row)?;
        coins.push(coin(denom, amount));
    }
    Ok((coins, next))
}

/// What of these coins an account can spend. Where it has less of any coin than is locked, that is nothing at all (SDK
/// `x/bank/keeper`, `spendableCoins`).
fn unlocked(asked: &Asked<'_>, address: &str, mut coins: Vec<Coin>) -> Result<Vec<Coin>, Status> {
    let state = &mut asked.view();
    let Some(vesting) = vesting::get(state, address)? else { return Ok(coins) };
    let now = asked.block.seconds();
    let short = vesting.exceeds(now, |denom| bank::stored(state, address, denom))?;
    for coin in &mut coins {
        let held = bank::stored(state, address, &coin.denom)?;
        let spendable = if short { 0 } else { held.saturating_sub(vesting.locked(&coin.denom, now)) };
        coin.amount = spendable.to_string();
    }
    Ok(coins)
}

fn coin(denom: String, amount: u128) -> Coin {
    Coin { denom, amount: amount.to_string() }
}
