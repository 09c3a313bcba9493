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
    components::{ACCOUNTS, accounts},
    gas,
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    match method {
        "Account" => {
            let QueryAccountRequest { address } = decode(data)?;
            let account = any(&account(asked, &address)?);
            encode(&QueryAccountResponse { account: Some(account) })
        }
        "AccountInfo" => {
            let QueryAccountInfoRequest { address } = decode(data)?;
            encode(&QueryAccountInfoResponse { info: Some(account(asked, &address)?) })
        }
        "Accounts" => {
            let QueryAccountsRequest { pagination } = decode(data)?;
            let (rows, next) = page(&mut asked.view(), ACCOUNTS, accounts::rows(), pagination)?;
            let rows = rows.into_iter().map(|(_, value)| Any { type_url: BaseAccount::type_url(), value });
            encode(&QueryAccountsResponse { accounts: rows.collect(), pagination: Some(next) })
        }
        "Params" => {
            let params = &asked.chain.params;
            encode(&QueryParamsResponse {
                params: Some(Params {
                    max_memo_characters: params.memo_bytes_max,
                    tx_sig_limit: params.signatures_max,
                    tx_size_cost_per_byte: gas::TX_BYTE,
                    // Keys of this kind sign blocks only.
                    sig_verify_cost_ed25519: 0,
                    sig_verify_cost_secp256k1: gas::SIGNATURE,
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

fn any(account: &BaseAccount) -> Any {
    Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() }
}
