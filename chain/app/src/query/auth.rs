//! `cosmos.auth.v1beta1.Query`.

use cosmos_sdk_proto::{
    Any,
    cosmos::auth::v1beta1::{
        AddressBytesToStringRequest, AddressBytesToStringResponse, AddressStringToBytesRequest,
        AddressStringToBytesResponse, BaseAccount, Bech32PrefixResponse, ModuleAccount, Params,
        QueryAccountAddressByIdRequest, QueryAccountAddressByIdResponse, QueryAccountInfoRequest,
        QueryAccountInfoResponse, QueryAccountRequest, QueryAccountResponse, QueryAccountsRequest,
        QueryAccountsResponse, QueryModuleAccountByNameRequest, QueryModuleAccountByNameResponse,
        QueryModuleAccountsResponse, QueryParamsResponse,
    },
};
use prost::{Message, Name};

use crate::{
    address::Address,
    chain::MODULES,
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
        "AccountAddressByID" => {
            #[allow(deprecated, reason = "the SDK refuses the number of before")]
            let QueryAccountAddressByIdRequest { id, account_id } = decode(data)?;
            if id != 0 {
                let words = "requesting with id isn't supported, try to request using account-id";
                return Err(Status::Invalid(words.into()));
            }
            let account_address = accounts::address_of(&mut asked.view(), account_id)?.ok_or_else(|| {
                Status::NotFound(format!("account address not found with account number {account_id}"))
            })?;
            encode(&QueryAccountAddressByIdResponse { account_address })
        }
        "ModuleAccounts" => {
            let mut accounts = Vec::with_capacity(MODULES.len());
            for name in MODULES {
                accounts.extend(module(asked, name)?);
            }
            encode(&QueryModuleAccountsResponse { accounts })
        }
        "ModuleAccountByName" => {
            let QueryModuleAccountByNameRequest { name } = decode(data)?;
            if name.is_empty() {
                return Err(Status::Invalid("module name is empty".into()));
            }
            let known = MODULES.into_iter().find(|known| *known == name);
            let account = known.map(|name| module(asked, name)).transpose()?.flatten();
            let name: String = name.chars().take(128).collect();
            let account = account.ok_or_else(|| Status::NotFound(format!("account {name} not found")))?;
            encode(&QueryModuleAccountByNameResponse { account: Some(account) })
        }
        "AddressBytesToString" => {
            let AddressBytesToStringRequest { address_bytes } = decode(data)?;
            if address_bytes.is_empty() {
                return Err(Status::Invalid("empty address bytes is not allowed".into()));
            }
            let address = Address::of_bytes(&address_bytes, &asked.chain.prefix);
            let address = address.map_err(|fault| Status::Invalid(fault.text))?;
            encode(&AddressBytesToStringResponse { address_string: address.into() })
        }
        "AddressStringToBytes" => {
            let AddressStringToBytesRequest { address_string } = decode(data)?;
            let address = asked.chain.address(&address_string).map_err(|fault| Status::Invalid(fault.text))?;
            encode(&AddressStringToBytesResponse { address_bytes: address.bytes() })
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

/// One of the chain's own accounts, if it has been used.
fn module(asked: &Asked<'_>, name: &str) -> Result<Option<Any>, Status> {
    let address = Address::of_module(name, &asked.chain.prefix)?;
    let account = accounts::get(&mut asked.view(), &address)?;
    account.map(|account| shown(asked, account)).transpose()
}

/// An account as what it is: the chain's own, one that vests, or a plain one.
fn shown(asked: &Asked<'_>, account: BaseAccount) -> Result<Any, Status> {
    for name in MODULES {
        if Address::of_module(name, &asked.chain.prefix)?.as_str() == account.address {
            let (base_account, name) = (Some(account), name.to_owned());
            let module = ModuleAccount { base_account, name, permissions: Vec::new() };
            return Ok(Any { type_url: ModuleAccount::type_url(), value: module.encode_to_vec() });
        }
    }
    Ok(match vesting::get(&mut asked.view(), &account.address)? {
        Some(vesting) => vesting.shown(account),
        None => Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() },
    })
}
