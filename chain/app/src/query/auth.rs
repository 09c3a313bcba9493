//! `cosmos.auth.v1beta1.Query`.

use cosmos_sdk_proto::{
    Any,
    cosmos::auth::v1beta1::{
        BaseAccount, Bech32PrefixResponse, Params, QueryAccountInfoRequest, QueryAccountInfoResponse,
        QueryAccountRequest, QueryAccountResponse, QueryAccountsRequest, QueryAccountsResponse, QueryParamsResponse,
    },
};
use prost::{Message, Name};

use crate::{
    components::{ACCOUNTS, accounts, vesting},
    gas,
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
    store,
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    match method {
        "Account" => {
            let QueryAccountRequest { address } = decode(data)?;
            let account = shown(asked, account(asked, &address)?)?;
            encode(&QueryAccountResponse { account: Some(account) })
        }
        "AccountInfo" => {
            let QueryAccountInfoRequest { address } = decode(data)?;
            encode(&QueryAccountInfoResponse { info: Some(account(asked, &address)?) })
        }
        "Accounts" => {
            let QueryAccountsRequest { pagination } = decode(data)?;
            let (rows, next) = page(&mut asked.view(), ACCOUNTS, accounts::rows(), pagination)?;
            let mut accounts = Vec::with_capacity(rows.len());
            for (key, row) in rows {
                accounts.push(shown(asked, store::decode(ACCOUNTS, &key, &row)?)?);
            }
            encode(&QueryAccountsResponse { accounts, pagination: Some(next) })
        }
        "Params" => {
            let params = &asked.chain.params;
            encode(&QueryParamsResponse {
                params: Some(Params {
                    max_memo_characters: params.memo_bytes_max,
                    tx_sig_limit: params.signatures_max,
                    tx_size_cost_per_byte: gas::TX_BYTE,
                    sig_verify_cost_ed25519: gas::ED25519,
                    sig_verify_cost_secp256k1: gas::SECP256K1,
                }),
            })
        }
        "Bech32Prefix" => encode(&Bech32PrefixResponse { bech32_prefix: asked.chain.prefix.clone() }),
        other => Err(unknown(&format!("/cosmos.auth.v1beta1.Query/{other}"))),
    }
}

fn account(asked: &Asked<'_>, address: &str) -> Result<BaseAccount, Status> {
    if address.is_empty() {
        return Err(Status::Invalid("Address cannot be empty".into()));
    }
    let address = asked.chain.address(address).map_err(|fault| Status::Invalid(fault.text))?;
    let account = accounts::get(&mut asked.view(), &address)?;
    account.ok_or_else(|| Status::NotFound(format!("account {address} not found")))
}

/// An account as what it is: one that vests, or a plain one.
fn shown(asked: &Asked<'_>, account: BaseAccount) -> Result<Any, Status> {
    Ok(match vesting::get(&mut asked.view(), &account.address)? {
        Some(vesting) => vesting.shown(account),
        None => Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() },
    })
}
